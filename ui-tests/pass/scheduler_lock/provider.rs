//! A provider by name and by expression.

use shedlock::{InMemoryLockProvider, LockProvider, scheduler_lock};
use std::sync::Arc;

/// By name.
#[scheduler_lock(name = "named", at_most = "1m", provider = "reports")]
pub async fn named() {}

/// A job that has its own store.
#[derive(Debug)]
pub struct Job {
    locks: Arc<dyn LockProvider>,
    memory: InMemoryLockProvider,
}

impl Job {
    /// By a field that is shared.
    #[scheduler_lock(name = "field", at_most = "1m", provider = &self.locks)]
    pub async fn field(&self) {}

    /// By a field that is a provider itself.
    #[scheduler_lock(name = "concrete", at_most = "1m", provider = &self.memory)]
    pub async fn concrete(&self) {}

    /// By a field of a receiver that the body mutates.
    #[scheduler_lock(name = "mutable", at_most = "1m", provider = Arc::clone(&self.locks))]
    pub async fn mutable(&mut self) {
        self.memory = InMemoryLockProvider::new();
    }
}

/// By a reference to an argument, with a result.
#[scheduler_lock(name = "held", at_most = "1m", provider = locks)]
pub async fn answer(locks: &Arc<dyn LockProvider>) -> Option<u32> {
    Some(42)
}

/// By an argument that is a provider itself.
#[scheduler_lock(name = "held", at_most = "1m", provider = memory)]
pub async fn concrete_answer(memory: InMemoryLockProvider) -> Option<u32> {
    Some(42)
}

/// By a clone, written as a call of a function.
#[scheduler_lock(name = "cloned", at_most = "1m", provider = InMemoryLockProvider::clone(memory))]
pub async fn cloned(memory: &InMemoryLockProvider) {}

/// By a reference to a provider of any type that can be cloned.
#[scheduler_lock(name = "generic", at_most = "1m", provider = locks)]
pub async fn generic<P: LockProvider + Clone>(locks: &P) {}

/// By references to references, and by an `Arc` of a provider that cannot be cloned.
#[scheduler_lock(name = "arc", at_most = "1m", provider = locks)]
pub async fn far<P: LockProvider>(locks: &&Arc<P>) {}

/// By an argument that moves into the body.
#[scheduler_lock(name = "argument", at_most = "1m", provider = &locks)]
pub async fn argument(locks: Arc<dyn LockProvider>) {
    drop(locks);
}
