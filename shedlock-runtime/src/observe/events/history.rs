//! The log line about a run that could not be entered in the history.

use tracing::{debug, warn};

use super::Subject;
use super::log::TARGET;
use super::rate_limit;
use crate::values::error::LockError;

pub(super) fn log(subject: &Subject, cause: &LockError) {
    macro_rules! line {
        ($level:ident) => {
            $level!(
                name: "lock.history_failed",
                target: TARGET,
                event = "lock.history_failed",
                lock.name = %subject.name,
                lock.provider = subject.provider,
                error.type = cause.kind().as_str(),
                error = %cause,
                cause = cause.source_error().map(tracing::field::display),
                "could not enter a run of `{}` in the history: the entry is lost; lock and run are not affected", subject.name
            )
        };
    }
    // While the store is down, every run fails to be entered.
    if rate_limit::check("history", subject.provider_id, subject.name.as_str()).emits() {
        line!(warn);
    } else {
        line!(debug);
    }
}
