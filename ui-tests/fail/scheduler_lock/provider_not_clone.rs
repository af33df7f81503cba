//! The provider is of any type, also of one that cannot be cloned.

use shedlock::{LockProvider, scheduler_lock};

#[scheduler_lock(name = "job", at_most = "1m", provider = locks)]
async fn job<P: LockProvider>(locks: &P) {}

fn main() {}
