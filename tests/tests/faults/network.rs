//! Group G: what the network does between a node and its store.

mod addresses;
mod cables;
mod certificates;
mod crowd;
mod late;
mod links;
mod partitions;
mod replies;

use std::time::Duration;

use shedlock::{LockError, Outcome, scheduler_lock};
use shedlock_testkit::Proxy;
use shedlock_testkit::proxy::{Ending, Rule, Trigger};

use crate::support::{Locks, Place, connect, in_time, is_free};

/// A store with a way around the proxy, for those who watch.
#[derive(Debug)]
struct Link {
    place: Place,
    proxy: Proxy,
    /// Through the proxy.
    far: Locks,
    /// Past it.
    near: Locks,
}

impl Link {
    async fn over(place: Place) -> Self {
        let proxy = Proxy::start(place.address()).await.expect("a port");
        let far = connect(&proxy.url(&place.url)).await;
        let near = place.connect().await;
        // What a first statement takes longer is not to be measured, nor to be broken.
        is_free(&far, "warm-up").await;
        Self {
            place,
            proxy,
            far,
            near,
        }
    }

    /// Applies `rule` from the next request on that names the lock `job`.
    fn on_request(&self, rule: Rule) {
        self.proxy.on(Trigger::containing("job"), rule);
    }

    /// Waits until so many triggers have set off their rules.
    async fn triggered(&self, times: u64) {
        in_time(
            self.proxy
                .wait_until(|counters| counters.triggered >= times),
        )
        .await;
    }

    /// Breaks all connections, and lets new ones work.
    fn break_and_mend(&self) {
        // In this order: what was kept back is not to be passed on.
        self.proxy.end_connections(Ending::Reset);
        self.proxy.set(Rule::Pass);
    }

    /// A column of the lock's row.
    async fn column(&self, column: &str) -> String {
        let row = format!("SELECT {column} FROM shedlock WHERE name = 'job'");
        self.place.execute(&row).await
    }
}

#[scheduler_lock(name = "job", at_most = at_most, on_lost = "cancel", provider = locks)]
async fn job<T>(
    locks: &Locks,
    at_most: Duration,
    body: impl Future<Output = T>,
) -> Result<Outcome<T>, LockError> {
    Ok(Outcome::Executed(body.await))
}

#[scheduler_lock(name = "job", at_most = at_most, keep_alive, provider = locks)]
async fn kept_job<T>(
    locks: &Locks,
    at_most: Duration,
    body: impl Future<Output = T>,
) -> Result<Outcome<T>, LockError> {
    Ok(Outcome::Executed(body.await))
}
