//! The line about an acquisition that failed while its call has time to try again.
//!
//! Only the log is told: what becomes of the call is one event, as without `wait`.

use std::time::Duration;

use tracing::{debug, info};

use super::Subject;
use super::limit;
use super::log::TARGET;
use super::text::Until;
use crate::values::error::LockError;

/// `left` is what is left of the call's `wait`.
pub(crate) fn log(subject: &Subject, cause: &LockError, left: Duration) {
    macro_rules! line {
        ($level:ident) => {
            $level!(
                name: "lock.asking_again",
                target: TARGET,
                event = "lock.asking_again",
                lock.name = %subject.name,
                lock.provider = subject.provider,
                error.type = cause.kind().as_str(),
                error = %cause,
                cause = cause.source_error().map(tracing::field::display),
                "could not ask for `{}`: asking again until its `wait` ends at {}", subject.name, Until(left)
            )
        };
    }
    // A store that is away refuses at once, so there may be a try every second.
    if limit::pass("wait", subject.store, subject.name.as_str()).is_through() {
        line!(info);
    } else {
        line!(debug);
    }
}
