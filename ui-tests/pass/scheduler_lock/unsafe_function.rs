//! An `unsafe fn` stays one; outside the library, which forbids unsafe code.

#![deny(warnings)]

use shedlock::{InMemoryLockProvider, scheduler_lock};
use std::sync::LazyLock;

static LOCKS: LazyLock<InMemoryLockProvider> = LazyLock::new(InMemoryLockProvider::new);

/// Locked; the body is an unsafe context only as far as it says so.
///
/// # Safety
/// `value` can be read.
#[scheduler_lock(name = "unsafe", at_most = "1m", provider = &*LOCKS)]
async unsafe fn read(value: *const u32) -> Option<u32> {
    // SAFETY: the caller promises it.
    Some(unsafe { *value })
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let value = 5;
    // SAFETY: it is a reference.
    assert_eq!(unsafe { read(&raw const value) }.await, Some(5));
}
