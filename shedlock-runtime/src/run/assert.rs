//! The check behind `lock_assert!` that the running task holds its lock, and the switches that turn the check off in unit tests.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;

use tokio::task::futures::TaskLocalFuture;

use crate::hold::held::LockState;
use crate::observe::events::HeldLock as _;
use crate::run::context;
use crate::values::printable::Printable;

thread_local! {
    static THREAD_PASSES: Cell<bool> = const { Cell::new(false) };
}

tokio::task_local! {
    static TASK_PASSES: ();
}

const REMEDY: &str = "call it from a function with `#[scheduler_lock]`, carry the lock into a spawned task with \
    `shedlock::lock::scope`, or switch asserts off in a unit test with `shedlock::testing::asserts_pass`";

/// Panics unless the running task holds a lock whose lease has not ended: the lock `name` if that is `Some`, and the innermost lock
/// otherwise. A function that has lost its own lock is not safe by that of its caller.
#[track_caller]
pub(crate) fn assert_locked(name: Option<&str>) {
    let is_live = match name {
        None => context::innermost().is_some_and(|state| state.remaining().is_some()),
        Some(name) => {
            let live = |state: &Arc<LockState>| {
                (state.is_named(name) && state.remaining().is_some()).then_some(())
            };
            context::find(live).is_some()
        }
    };
    if is_live || THREAD_PASSES.get() || TASK_PASSES.try_with(|()| ()).is_ok() {
        return;
    }
    let expected = name.map_or_else(
        || "a lock".to_owned(),
        |name| format!("lock `{}`", Printable(name)),
    );
    let mut found = Vec::new();
    context::find(|state| {
        let ended = if state.remaining().is_some() {
            ""
        } else {
            ", whose lease has ended"
        };
        found.push(format!("`{}`{ended}", state.name()));
        None::<()>
    });
    assert!(
        !found.is_empty(),
        "lock_assert: expected this task to hold {expected}, but it holds none; {REMEDY}"
    );
    panic!(
        "lock_assert: expected this task to hold {expected}, but it holds {}",
        found.join(" and ")
    );
}

pub(crate) fn set_thread_passes(pass: bool) {
    THREAD_PASSES.set(pass);
}

pub(crate) fn task_passes<F: Future>(future: F) -> TaskLocalFuture<(), F> {
    TASK_PASSES.scope((), future)
}
