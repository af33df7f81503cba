//! Requests that arrive late: held back between the program and the server, and delivered after others that were sent
//! later, even though their client has left.

use std::time::Duration;

use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, LockConfiguration, LockProvider as _, LockProviderExt as _,
    LockingTaskExecutor, Outcome, Ownership, lock,
};
use shedlock_sqlx::SqlxLockProvider;
use sqlx::pool::PoolOptions;

use crate::between::Between;
use crate::place::{Place, Via};
use crate::support::{
    Night, WORKS, end_of, in_time, keep_for, left_of, once, request, take, until,
};

on_databases! {
    acquire_after_an_extension on postgres mysql;
    acquire_after_its_own_release on postgres mysql;
    acquire_after_its_own_release_with_at_least on postgres mysql;
    acquire_after_a_release_and_an_heir on postgres mysql;
    extend_after_a_longer_extension on postgres mysql;
    extend_after_a_release_with_at_least on postgres mysql;
    extend_after_a_release_and_an_heir on postgres mysql;
    release_after_its_retry_and_an_heir on postgres mysql;
    release_with_at_least_after_it_is_over on postgres mysql;
    a_kept_alive_extension_after_one_by_hand on postgres mysql;
    two_extensions_by_hand on postgres mysql;
    an_attempt_asked_again_after_its_release on sqlite postgres mysql;
}

/// In the request on the wire, whichever statement it is of.
const NAME: &str = "late-job";
/// So long a client waits for what is held back, once it has sent it.
const GIVES_UP: Duration = Duration::from_millis(400);
const SHORT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_mins(10);

/// A node behind something that can hold its requests back.
pub(crate) struct Late<DB: Night> {
    pub(crate) place: Place<DB>,
    pub(crate) between: Between,
    pub(crate) node: SqlxLockProvider<DB>,
    pub(crate) other: SqlxLockProvider<DB>,
}

impl<DB: Night> Late<DB> {
    async fn new(place: Place<DB>, via: Via) -> Self {
        let between = Between::new(&place.direct).await;
        let url = between.url(&place.direct);
        let builder = match via {
            Via::Url => SqlxLockProvider::builder_from_url(&url),
            Via::Pool => {
                let pool = PoolOptions::new().max_connections(6);
                SqlxLockProvider::builder(pool.connect_lazy(&url).expect("a valid URL"))
            }
        };
        let node = builder.build().expect("legal options");
        let other = place.provider(Via::Url);
        // Its statements are prepared, so that each of them is one message from now on.
        let lease = take(&node, NAME).await;
        let extended = in_time(node.extend(&lease, SHORT)).await;
        assert_eq!(extended.expect("an answer"), Ownership::Ours);
        let released = in_time(node.release(&lease, keep_for(&node, &lease))).await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
        Self {
            place,
            between,
            node,
            other,
        }
    }

    /// Asks, and gives up when what was asked hangs on its way.
    async fn hangs<T>(&self, asked: impl Future<Output = T>) {
        self.between.hold(NAME);
        // A provider may ask again by itself, on another connection.
        let asks = async {
            drop(asked.await);
            std::future::pending::<()>().await;
        };
        let gives_up = async {
            self.between.held(1).await;
            tokio::time::sleep(GIVES_UP).await;
        };
        tokio::select! {
            () = asks => {}
            () = gives_up => {}
        }
    }

    async fn acquire(&self, request: &AcquireRequest) -> Lease {
        match in_time(self.node.acquire(request)).await {
            Ok(Acquisition::Granted(lease)) => lease,
            other => panic!("it is free, or our own: {other:?}"),
        }
    }

    async fn extend(&self, lease: &Lease, by: Duration) {
        let extended = in_time(self.node.extend(lease, by)).await;
        assert_eq!(extended.expect("an answer"), Ownership::Ours);
    }

    async fn release(&self, lease: &Lease) {
        let released = in_time(self.node.release(lease, keep_for(&self.node, lease))).await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
    }

    fn request(&self, at_most: Duration, at_least: Duration) -> AcquireRequest {
        let config = LockConfiguration::new(NAME, at_most).and_then(|config| {
            let config = config.with_at_least(at_least)?;
            config.with_timeout("5s")
        });
        request(&self.node, config.expect("a legal configuration"))
    }

    async fn end(&self) -> i64 {
        end_of(&self.place.pool, NAME).await.expect("a row")
    }

    /// Delivers what was held back, which must change nothing.
    async fn late_changes_nothing(&self) {
        let before = self.end().await;
        in_time(self.between.deliver()).await;
        let after = self.end().await;
        assert_eq!(after - before, 0, "microseconds by which the end moved");
    }
}

/// On connections of its own, and on a pool's.
async fn both<DB: Night>(place: Place<DB>, test: impl AsyncFn(&Late<DB>)) {
    let late = Late::new(place, Via::Url).await;
    test(&late).await;
    let Late { place, .. } = late;
    place.execute("DELETE FROM shedlock").await;
    test(&Late::new(place, Via::Pool).await).await;
}

async fn acquire_after_an_extension<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        let request = late.request(SHORT, Duration::ZERO);
        late.hangs(late.node.acquire(&request)).await;
        let lease = late.acquire(&request).await;
        late.extend(&lease, LONG).await;
        late.late_changes_nothing().await;
        late.release(&lease).await;
    })
    .await;
}

async fn acquire_after_its_own_release<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        let request = late.request(SHORT, Duration::ZERO);
        late.hangs(late.node.acquire(&request)).await;
        let lease = late.acquire(&request).await;
        late.release(&lease).await;
        in_time(late.between.deliver()).await;
        assert_eq!(once(&late.other, NAME).await, WORKS, "nobody holds it");
    })
    .await;
}

async fn acquire_after_its_own_release_with_at_least<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        let request = late.request(LONG, SHORT);
        late.hangs(late.node.acquire(&request)).await;
        let lease = late.acquire(&request).await;
        late.release(&lease).await;
        assert!(left_of(&late.place.pool, NAME).await > 0, "`at_least`");
        late.late_changes_nothing().await;
    })
    .await;
}

async fn acquire_after_a_release_and_an_heir<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        let request = late.request(SHORT, Duration::ZERO);
        late.hangs(late.node.acquire(&request)).await;
        let lease = late.acquire(&request).await;
        late.release(&lease).await;
        let heir = take(&late.other, NAME).await;
        late.late_changes_nothing().await;
        let released = late
            .other
            .release(&heir, keep_for(&late.other, &heir))
            .await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
        assert_eq!(once(&late.other, NAME).await, WORKS, "nobody holds it");
    })
    .await;
}

async fn extend_after_a_longer_extension<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        let lease = late.acquire(&late.request(SHORT, Duration::ZERO)).await;
        late.hangs(late.node.extend(&lease, SHORT)).await;
        late.extend(&lease, LONG).await;
        late.late_changes_nothing().await;
        late.release(&lease).await;
    })
    .await;
}

async fn extend_after_a_release_with_at_least<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        let lease = late.acquire(&late.request(SHORT, SHORT)).await;
        late.hangs(late.node.extend(&lease, LONG)).await;
        late.release(&lease).await;
        assert!(left_of(&late.place.pool, NAME).await > 0, "`at_least`");
        late.late_changes_nothing().await;
    })
    .await;
}

async fn extend_after_a_release_and_an_heir<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        let lease = late.acquire(&late.request(SHORT, Duration::ZERO)).await;
        late.hangs(late.node.extend(&lease, LONG)).await;
        late.release(&lease).await;
        let _heir = take(&late.other, NAME).await;
        late.late_changes_nothing().await;
    })
    .await;
}

async fn release_after_its_retry_and_an_heir<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        let lease = late.acquire(&late.request(SHORT, Duration::ZERO)).await;
        late.hangs(late.node.release(&lease, keep_for(&late.node, &lease)))
            .await;
        late.release(&lease).await;
        let _heir = take(&late.other, NAME).await;
        late.late_changes_nothing().await;
    })
    .await;
}

/// It must not lock the free record again.
async fn release_with_at_least_after_it_is_over<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        let at_least = Duration::from_millis(2_500);
        let lease = late.acquire(&late.request(SHORT, at_least)).await;
        late.hangs(late.node.release(&lease, keep_for(&late.node, &lease)))
            .await;
        late.release(&lease).await;
        let over = async || left_of(&late.place.pool, NAME).await < 0;
        until("`at_least` is over", over).await;
        in_time(late.between.deliver()).await;
        assert_eq!(once(&late.other, NAME).await, WORKS, "nobody holds it");
    })
    .await;
}

/// What the holder counts is never later than what the database keeps.
async fn counts_no_longer<DB: Night>(
    late: &Late<DB>,
    remaining: impl FnOnce() -> Option<Duration>,
) {
    let left = left_of(&late.place.pool, NAME).await;
    // After the database was asked, so with no more left, except for the steps of its clock.
    let counted = remaining().unwrap_or_default().as_millis();
    assert!(
        counted <= u128::try_from(left + 10).unwrap_or_default(),
        "the holder counts {counted} ms, the database keeps {left} ms"
    );
}

async fn a_kept_alive_extension_after_one_by_hand<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        // Half of it is left for the extension by hand, on a machine with much else to do.
        let config = LockConfiguration::new(NAME, "6s").and_then(|config| {
            let config = config.with_keep_alive()?;
            config.with_timeout("5s")
        });
        let body = async {
            late.between.hold(NAME);
            late.between.held(1).await;
            // To an end that the one on its way would move.
            in_time(lock::extend("12s", "0s")).await.expect("extended");
            late.between.deliver().await;
            counts_no_longer(late, lock::remaining).await;
        };
        let executor = LockingTaskExecutor::new(late.node.clone());
        let ran = in_time(executor.execute(config.expect("legal"), body)).await;
        assert!(matches!(ran, Ok(Outcome::Executed(()))), "{ran:?}");
    })
    .await;
}

async fn two_extensions_by_hand<DB: Night>(place: Place<DB>) {
    both(place, async |late| {
        let config = LockConfiguration::new(NAME, SHORT).expect("legal");
        let asked = in_time(late.node.try_lock(config)).await;
        let mut lock = asked.expect("an answer").expect("it is free");
        late.hangs(lock.extend("3s", "0s")).await;
        in_time(lock.extend(LONG, "0s")).await.expect("extended");
        late.between.deliver().await;
        counts_no_longer(late, || lock.remaining()).await;
        in_time(lock.unlock()).await.expect("an answer");
    })
    .await;
}

/// As it is when the copy of a request has no network to pass, but a file that was slow.
async fn an_attempt_asked_again_after_its_release<DB: Night>(place: Place<DB>) {
    for via in [Via::Url, Via::Pool] {
        let node = place.provider(via);
        let config = LockConfiguration::new(NAME, LONG).expect("legal");
        let request = request(&node, config);
        let lease = node.acquire(&request).await.expect("an answer").granted();
        let lease = lease.expect("it is free");
        let released = node.release(&lease, keep_for(&node, &lease)).await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
        drop(in_time(node.acquire(&request)).await);
        let other = place.provider(Via::Url);
        assert_eq!(once(&other, NAME).await, WORKS, "nobody holds it");
    }
}
