//! The provider is borrowed, and its type is not known.

use shedlock::{LockProvider, scheduler_lock};

#[scheduler_lock(name = "job", at_most = "1m", provider = locks)]
async fn job(locks: &dyn LockProvider) {}

struct Job {
    locks: Box<dyn LockProvider>,
}

impl Job {
    #[scheduler_lock(name = "job", at_most = "1m", provider = &*self.locks)]
    async fn field(&self) {}
}

fn main() {}
