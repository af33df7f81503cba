//! Group D: what a database does, and what is done to it.

mod contention;
mod crew;
mod failovers;
mod files;
mod galera;
mod jvm;
mod killed;
mod limits;
mod names;
mod poolers;
mod pools;
mod restarts;
mod rows;
mod settings;
mod tables;

use std::time::Duration;

use shedlock::{ErrorKind, LockError, Outcome, lock, scheduler_lock};
use shedlock_testkit::Unavailable;
use shedlock_testkit::servers::{MariaDb, Postgres};

use self::crew::Crew;
use crate::support::{Locks, Place, in_time, is_free, until};

const MINUTE: Duration = Duration::from_mins(1);
/// A lease that outlasts whatever a busy machine does meanwhile.
const LONG: Duration = Duration::from_secs(15);

/// A database on a server of the test's own, to be mistreated.
#[derive(Debug)]
struct Own(Place);

impl Own {
    async fn postgres() -> Result<Self, Unavailable> {
        Ok(Self(Place::on_postgres(Postgres::start().await?).await))
    }

    async fn mariadb() -> Result<Self, Unavailable> {
        Ok(Self(Place::on_mariadb(MariaDb::start().await?).await))
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

#[scheduler_lock(name = "job", at_most = at_most, keep_alive = "250ms", provider = locks)]
async fn kept_job<T>(
    locks: &Locks,
    at_most: Duration,
    body: impl Future<Output = T>,
) -> Result<Outcome<T>, LockError> {
    Ok(Outcome::Executed(body.await))
}

/// Runs the job, which loses its lock by what is done `meanwhile`, given its fencing token. That goes on when the body has ended, as it
/// does as soon as the holder is told.
async fn must_lose(holder: &Locks, meanwhile: impl AsyncFnOnce(Option<u64>)) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let body = async {
        tell.send(lock::fencing_token()).expect("it waits for it");
        std::future::pending::<()>().await;
    };
    let meanwhile = async { meanwhile(told.await.expect("the job has begun")).await };
    let job = in_time(Box::pin(kept_job(holder, LONG, body)));
    let (answer, ()): (Result<Outcome<()>, _>, ()) = tokio::join!(job, meanwhile);
    let error = answer.expect_err("it was lost");
    assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
}

/// Runs the job once; the error says why it did not.
async fn run(locks: &Locks) -> Result<Outcome<()>, LockError> {
    Box::pin(job(locks, MINUTE, async {})).await
}

/// Runs the job, which nothing is in the way of.
async fn must_run(locks: &Locks) {
    let ran = run(locks).await;
    assert!(matches!(ran, Ok(Outcome::Executed(()))), "{ran:?}");
}

/// Runs the job, which must fail without its body.
async fn must_fail(locks: &Locks) -> LockError {
    let body = async { panic!("the lock is not held") };
    let ran: Result<Outcome<()>, _> = Box::pin(job(locks, MINUTE, body)).await;
    ran.expect_err("it cannot work")
}

/// Waits for an extension that is made from now on.
async fn until_extended(place: &Place) {
    let now = place.column("locked_by").await;
    until(async || (place.column("locked_by").await != now).then_some(())).await;
}

/// Waits until nobody has the job, which takes no longer than a release.
async fn until_free(locks: &Locks) {
    until(async || is_free(locks, "job").await.then_some(())).await;
}
