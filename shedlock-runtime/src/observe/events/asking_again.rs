//! The log line about an acquisition that failed and will be tried again, because the call's `wait` is not over.
//!
//! Listeners get no event about it: with or without `wait`, they get one event about the end of the call.

use std::time::Duration;

use tracing::{debug, info};

use super::Subject;
use super::format::Until;
use super::log::TARGET;
use super::rate_limit;
use crate::values::error::LockError;

/// Writes the line. `left` is how much of the call's `wait` is left.
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
    // A store that is down may refuse at once, so there may be an attempt every second.
    if rate_limit::check("wait", subject.provider_id, subject.name.as_str()).emits() {
        line!(info);
    } else {
        line!(debug);
    }
}
