//! The provider is made by the expression, so each call has locks of its own.

use shedlock::{InMemoryLockProvider, scheduler_lock};
use std::sync::OnceLock;

#[scheduler_lock(name = "job", at_most = "1m", provider = InMemoryLockProvider::new())]
async fn job() {}

#[scheduler_lock(
    name = "job",
    at_most = "1m",
    provider = shedlock::NamespacedLockProvider::new(InMemoryLockProvider::default(), "mine").unwrap()
)]
async fn wrapped() {}

static LOCKS: OnceLock<InMemoryLockProvider> = OnceLock::new();

// This one is made once.
#[scheduler_lock(name = "job", at_most = "1m", provider = LOCKS.get_or_init(|| InMemoryLockProvider::new()))]
async fn kept() {}

fn main() {}
