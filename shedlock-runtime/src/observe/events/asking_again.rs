//! The line about an acquisition that failed while its call has time to try again.
//!
//! This line has no event for listeners: they get one event, about how the call ends, with or without `wait`.

use std::time::Duration;

use tracing::{debug, info};

use super::Subject;
use super::format::Until;
use super::log::TARGET;
use super::rate_limit;
use crate::values::error::LockError;

/// Writes the line; `left` is what is left of the call's `wait`.
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
    // A store that is away may refuse at once, so that there is an attempt every second.
    if rate_limit::check("wait", subject.provider_id, subject.name.as_str()).emits() {
        line!(info);
    } else {
        line!(debug);
    }
}
