//! The locks that the running task holds, innermost first.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::task::futures::TaskLocalFuture;

use crate::hold::held::LockState;
use crate::observe::events::HeldLock as _;
use crate::seam::provider::LockProvider;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::name::LockName;
use crate::values::position::Wanted;

tokio::task_local! {
    static INNERMOST: Arc<LockState>;
}

/// The innermost lock of the running task.
pub(crate) fn innermost() -> Option<Arc<LockState>> {
    INNERMOST.try_with(Arc::clone).ok()
}

/// Calls `found` with each lock of the running task, innermost first, until it returns something.
pub(crate) fn find<R>(mut found: impl FnMut(&Arc<LockState>) -> Option<R>) -> Option<R> {
    INNERMOST
        .try_with(|innermost| {
            let mut next = Some(innermost);
            while let Some(state) = next {
                if let Some(result) = found(state) {
                    return Some(result);
                }
                next = state.outer();
            }
            None
        })
        .ok()
        .flatten()
}

/// Whether the running task holds the lock `name` of `provider` with a lease that has not ended.
///
/// # Errors
///
/// The task holds it for another position than `wanted`: the record has one position, and would not have that of the nested run.
pub(crate) fn holds(
    provider: &dyn LockProvider,
    name: &str,
    wanted: Option<Wanted>,
) -> Result<bool, LockError> {
    let held = find(|state| {
        let same =
            state.provider().info().is_same(provider.info()) && state.name().as_str() == name;
        (same && state.remaining().is_some()).then(|| state.wanted())
    });
    match held {
        Some(held) if wanted.is_some() && wanted != held => {
            Err(held_for_another_position(provider, name))
        }
        held => Ok(held.is_some()),
    }
}

fn held_for_another_position(provider: &dyn LockProvider, name: &str) -> LockError {
    let problem = "this task holds the lock for another slot, instant or step";
    let name = LockName::new(name).ok();
    LockError::new(ErrorKind::Configuration, problem)
        .with_remedy(
            "call it when the run that has the lock has ended, or give it a lock of its own",
        )
        .with_context(Operation::Acquire, provider.info().name(), name.as_ref())
}

/// Runs `f` with `state` as the innermost lock of the running task.
pub(crate) fn enter<R>(state: Arc<LockState>, f: impl FnOnce() -> R) -> R {
    INNERMOST.sync_scope(state, f)
}

/// Runs `f` as [`enter`] does, for use in a destructor. On a thread that is ending, the task-local may be gone. [`enter`] would
/// then panic, and a panic in a destructor may abort the process.
pub(crate) fn enter_to_drop(state: Arc<LockState>, f: impl FnOnce()) {
    drop(scope(state, OnDrop(Some(f))));
}

/// A future that is never polled, and calls its function when the future is dropped. A task-local scope drops its future within
/// the scope, or outside of the scope if the task-local is gone.
struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Future for OnDrop<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// Awaits `future` with `state` as the innermost lock of the running task.
pub(crate) fn scope<F: Future>(
    state: Arc<LockState>,
    future: F,
) -> TaskLocalFuture<Arc<LockState>, F> {
    INNERMOST.scope(state, future)
}
