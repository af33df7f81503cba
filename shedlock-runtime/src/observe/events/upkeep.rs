//! The log lines about what is done beside the locks and failed: the history of runs, and the deletion of old claims.

use tracing::{debug, warn};

use super::Subject;
use super::log::TARGET;
use super::rate_limit;
use crate::values::error::LockError;

macro_rules! upkeep {
    ($function:ident, $kind:literal, $name:literal, $text:literal) => {
        pub(super) fn $function(subject: &Subject, cause: &LockError) {
            macro_rules! line {
                                ($level:ident) => {
                                    $level!(
                                        name: $name,
                                        target: TARGET,
                                        event = $name,
                                        lock.name = %subject.name,
                                        lock.provider = subject.provider,
                                        error.type = cause.kind().as_str(),
                                        error = %cause,
                                        cause = cause.source_error().map(tracing::field::display),
                                        $text, subject.name
                                    )
                                };
                            }
            // While the store is down, it fails after every run.
            if rate_limit::check($kind, subject.provider_id, subject.name.as_str()).emits() {
                line!(warn);
            } else {
                line!(debug);
            }
        }
    };
}

upkeep!(
    history_failed,
    "history",
    "lock.history_failed",
    "could not enter a run of `{}` in the history: the entry is lost; lock and run are not affected"
);
upkeep!(
    clean_up_failed,
    "clean_up",
    "lock.clean_up_failed",
    "could not delete old claims beside `{}`: a later run tries again; lock and run are not affected"
);
