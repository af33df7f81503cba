//! Bodies that are large, and calls in calls.

use std::hint::black_box;
use std::mem::size_of_val;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shedlock::{InMemoryLockProvider, LockError, scheduler_lock};

use crate::support::Locks;

const HUGE: usize = 64 * 1_024;

#[expect(
    clippy::large_stack_arrays,
    reason = "a body that is large is what it is about"
)]
async fn bare() -> Option<u64> {
    let data = black_box([1_u8; HUGE]);
    tokio::task::yield_now().await;
    Some(black_box(&data).iter().map(|byte| u64::from(*byte)).sum())
}

/// The same function with a lock.
#[expect(
    clippy::large_stack_arrays,
    reason = "a body that is large is what it is about"
)]
#[scheduler_lock(name = "huge", at_most = "1m", provider = locks)]
async fn huge(locks: &Locks) -> Option<u64> {
    let data = black_box([1_u8; HUGE]);
    tokio::task::yield_now().await;
    Some(black_box(&data).iter().map(|byte| u64::from(*byte)).sum())
}

/// The future of a locked function is its body and little more.
#[tokio::test]
async fn b15_a_huge_body() {
    let locks: Locks = Arc::new(InMemoryLockProvider::new());
    let (bare, locked) = (size_of_val(&bare()), size_of_val(&huge(&locks)));
    println!("a body of {bare} bytes is a call of {locked}");
    assert!(bare >= HUGE);
    assert_eq!(Box::pin(huge(&locks)).await, Some(HUGE as u64));
    assert!(locked < bare + 2_304, "{locked} bytes for {bare}");
}

/// Where the stack ends at present. In an async function a variable may be part of the future instead.
#[inline(never)]
fn top_of_stack() -> usize {
    let here = 0_u8;
    black_box(&raw const here).addr()
}

#[scheduler_lock(name = "step-{depth}", at_most = "1m", provider = locks)]
async fn descend(locks: &Locks, depth: usize, stack: &AtomicUsize) -> Result<(), LockError> {
    stack.store(top_of_stack(), Ordering::Relaxed);
    if depth > 0 {
        Box::pin(descend(locks, depth - 1, stack)).await?;
    }
    Ok(())
}

/// Locks inside locks: each level costs a part of the stack, as any call does, and that is all.
#[test]
fn b15_locks_in_one_another() {
    let thread = std::thread::Builder::new().stack_size(WORKERS_STACK);
    let descent = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().build().expect("a runtime");
        runtime.block_on(descend_and_look());
    };
    let done = thread.spawn(descent).expect("a thread").join();
    done.expect("the descent panicked");
}

/// The stack of tokio's worker threads.
const WORKERS_STACK: usize = 2 * 1_024 * 1_024;

async fn descend_and_look() {
    const DEPTH: usize = 50;
    let locks: Locks = Arc::new(InMemoryLockProvider::new());
    let deepest = async |depth| {
        let stack = AtomicUsize::new(0);
        let ran = Box::pin(descend(&locks, depth, &stack)).await;
        ran.expect("it is in memory");
        stack.into_inner()
    };
    let (shallow, deep) = (deepest(0).await, deepest(DEPTH).await);
    let each = shallow.abs_diff(deep) / DEPTH;
    println!("{each} bytes of stack for each level");
    // Without optimization, which keeps every variable apart.
    assert!(each < 32 * 1_024, "{each} bytes");
    for depth in 0..=DEPTH {
        assert!(crate::support::is_free(&locks, &format!("step-{depth}")).await);
    }
}
