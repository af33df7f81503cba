//! The future is `Send` whenever the body is; a body that is not compiles too.

use shedlock::scheduler_lock;
use std::cell::Cell;
use std::rc::Rc;

/// Every value that the expansion holds at once, none of them across the await.
#[scheduler_lock(
    name = "sent-{text}-{self_made:?}",
    at_most = "1m",
    provider = &locks(),
    on_skip = text.len()
)]
pub async fn sent(text: &str, self_made: Vec<u8>) -> usize {
    tokio::task::yield_now().await;
    self_made.len() + text.len()
}

/// A provider that does not outlive the call.
#[must_use]
pub fn locks() -> shedlock::InMemoryLockProvider {
    shedlock::InMemoryLockProvider::new()
}

/// Holds what cannot be sent across an await.
#[scheduler_lock(name = "kept", at_most = "1m")]
pub async fn kept(shared: Rc<Cell<u32>>) -> Option<u32> {
    tokio::task::yield_now().await;
    Some(shared.get())
}

fn require_send(_future: impl Future + Send) {}

/// Fails to compile where the future cannot be sent.
pub fn check() {
    require_send(sent("a", Vec::new()));
    require_send(super::methods::Job::associated());
    require_send(super::plain_function::nightly_report());
}
