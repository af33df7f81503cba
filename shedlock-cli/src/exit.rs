//! Exit codes, each with one meaning, and failures that end the program with one of them.

use std::process::ExitCode;

use shedlock_runtime::{ErrorKind, LockError, SkipReason, printable};

use crate::output::{self, Level};

/// The exit code of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const USAGE: Self = Self(64);
    pub(crate) const UNAVAILABLE: Self = Self(69);
    pub(crate) const BUSY: Self = Self(75);
    pub(crate) const PERMISSION: Self = Self(77);
    pub(crate) const CONFIGURATION: Self = Self(78);
    pub(crate) const LOST: Self = Self(79);
    pub(crate) const ALREADY_RAN: Self = Self(80);
    pub(crate) const EXHAUSTED: Self = Self(81);
    pub(crate) const WAITED: Self = Self(124);
    pub(crate) const INTERNAL: Self = Self(125);
    pub(crate) const NOT_EXECUTABLE: Self = Self(126);
    pub(crate) const NOT_FOUND: Self = Self(127);

    /// The code of a process that a signal has ended.
    pub(crate) fn of_signal(signal: i32) -> Self {
        Self(u8::try_from(signal).map_or(u8::MAX, |signal| signal.saturating_add(128)))
    }

    fn of_error(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::Indeterminate
            | ErrorKind::ReadOnly => Self::UNAVAILABLE,
            ErrorKind::Permission => Self::PERMISSION,
            ErrorKind::Configuration | ErrorKind::Schema | ErrorKind::Unsupported => {
                Self::CONFIGURATION
            }
            ErrorKind::InvalidName | ErrorKind::InvalidDuration => Self::USAGE,
            ErrorKind::Lost => Self::LOST,
            _ => Self::INTERNAL,
        }
    }

    /// The code of a run that did not begin.
    pub(crate) fn of_skip(reason: SkipReason) -> Self {
        match reason {
            SkipReason::AlreadyRan => Self::ALREADY_RAN,
            SkipReason::Exhausted => Self::EXHAUSTED,
            SkipReason::Held | SkipReason::Contended | SkipReason::Paused | SkipReason::Gap => {
                Self::BUSY
            }
            SkipReason::Lost => Self::LOST,
            SkipReason::StoreError => Self::UNAVAILABLE,
            _ => Self::INTERNAL,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// What ends the program early: an exit code, and what is said on stderr.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::USAGE, message)
    }

    /// The options make no sense, whatever the library calls that.
    pub(crate) fn of_options(error: &LockError) -> Self {
        Self::usage(printable(&error.to_string()))
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(Exit::INTERNAL, message)
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Says on stderr what failed, and returns the exit code.
    pub(crate) fn report(&self) -> Exit {
        output::say(Level::Error, &self.message);
        self.exit
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        // The cause is not shown: a driver's text may repeat what it was configured with.
        let mut message = error.to_string();
        // The library names its methods, and this program has a command for them.
        for method in ["ensure_schema", "ensure_bucket", "ensure_indexes"] {
            message = message.replace(&format!("call `{method}()`"), "run `shedlock migrate run`");
        }
        Self::new(Exit::of_error(error.kind()), printable(&message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_the_code_that_shells_give_it() {
        assert_eq!(Exit::of_signal(15), Exit(143));
        assert_eq!(Exit::of_signal(1000), Exit(255));
    }

    #[test]
    fn a_store_that_cannot_be_asked_is_never_busy() {
        for kind in [
            ErrorKind::Unavailable,
            ErrorKind::Timeout,
            ErrorKind::Indeterminate,
            ErrorKind::ReadOnly,
        ] {
            assert_eq!(Exit::of_error(kind), Exit::UNAVAILABLE);
        }
    }
}
