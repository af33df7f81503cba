//! Group B: what asynchronous Rust does to a future that holds a lock.

mod bodies;
mod dropped;
mod guards;
mod runtimes;

use std::time::Duration;

use shedlock::{LockError, Outcome, scheduler_lock};

use crate::support::Locks;

const MINUTE: Duration = Duration::from_mins(1);

#[scheduler_lock(name = "job", at_most = MINUTE, provider = locks)]
async fn job<T>(locks: &Locks, body: impl Future<Output = T>) -> Result<Outcome<T>, LockError> {
    Ok(Outcome::Executed(body.await))
}
