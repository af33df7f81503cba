//! Called by the expansions of the macros, and by nothing else. It changes together with the macros.
//!
//! An expansion stands among the user's imports. So methods of traits have names here that no trait of a user's has.

pub use core;
pub use std;

pub use crate::run::skip::{ErrorValue, SkipValue, report as report_store_error};
pub use given::{Keepable, ToProvider};
pub use instant::{GivenInstant, Instant, IsText, IsTime};
pub use job::Job;
pub use returned::{IsNoResult, IsResult, IsShownResult, Returned};
pub use run::{body, run, run_then};
pub use store_error::{AnswerType, IsErrorValue, IsNoErrorValue, IsResultType, answer_type};

use crate::process::registry::SchedulerLockBuilder;
use crate::values::error::LockError;
use crate::values::outcome::SkipReason;

#[path = "private/given.rs"]
mod given;
#[path = "private/instant.rs"]
mod instant;
#[path = "private/job.rs"]
mod job;
#[path = "private/returned.rs"]
mod returned;
#[path = "private/run.rs"]
mod run;
#[path = "private/store_error.rs"]
mod store_error;

/// The skip reason for a failed store, for a function with `on_skip` and without `on_error`.
#[must_use]
pub fn skip_reason(error: &LockError) -> SkipReason {
    SkipReason::from_error(error)
}

/// The value of a skipped call of a function without `on_skip`.
#[must_use]
pub fn skip_value<R: SkipValue>(reason: &SkipReason) -> R {
    R::skip_value(reason)
}

/// The value of a call whose store failed, for a function without `on_error`.
#[must_use]
pub fn error_value<R: ErrorValue>(error: LockError) -> R {
    R::error_value(error)
}

/// Installs what `enable_scheduler_lock!` describes.
///
/// # Panics
///
/// If the description is refused: the mistake is in the program, and no job would ever run.
#[track_caller]
pub fn install(builder: SchedulerLockBuilder) {
    if let Err(error) = builder.install() {
        panic!("enable_scheduler_lock: {error}");
    }
}

/// The expansion of `lock_assert!()`.
///
/// # Panics
///
/// If the task holds no live lock.
#[track_caller]
pub fn assert_locked() {
    crate::run::assert::assert_locked(None);
}

/// The expansion of `lock_assert!("name")`.
///
/// # Panics
///
/// If the task does not hold the lock `name`.
#[track_caller]
pub fn assert_locked_by(name: &str) {
    crate::run::assert::assert_locked(Some(name));
}
