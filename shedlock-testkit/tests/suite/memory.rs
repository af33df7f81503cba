//! The provider that keeps its locks in memory.

use std::future::ready;
use std::sync::Arc;

use shedlock_runtime::{
    HistoryOptions, InMemoryLockProvider, LockAdmin, LockProvider, SystemClock, async_trait,
};
use shedlock_testkit::conformance::Harness;

struct Memory(InMemoryLockProvider);

#[async_trait]
impl Harness for Memory {
    fn answers_at_once(&self) -> bool {
        true
    }

    async fn node(&self, _name: &str) -> Arc<dyn LockProvider> {
        Arc::new(self.0.clone())
    }

    async fn admin(&self, _name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(Arc::new(self.0.clone()))
    }
}

fn on_tokios_clock() -> Memory {
    Memory(InMemoryLockProvider::new().with_history(HistoryOptions::new()))
}

fn on_the_machines_clock() -> Memory {
    Memory(InMemoryLockProvider::with_clock(SystemClock))
}

shedlock_testkit::conformance!(in_memory, ready(on_tokios_clock()));
shedlock_testkit::conformance!(
    in_memory_on_the_machines_clock,
    ready(on_the_machines_clock())
);
