//! Why a server, or whatever else a test rests on, cannot be had here, and what would help.

use std::error::Error;
use std::fmt;

/// A server cannot be started on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unavailable {
    /// What people call the server.
    pub server: &'static str,
    /// What is missing or went wrong.
    pub reason: String,
    /// The exact command that installs the server, for Debian; for one that is not `obtainable`, what it takes in words.
    pub install: &'static str,
    /// Whether that command is all it takes. In CI such a server must be there.
    pub obtainable: bool,
}

impl Unavailable {
    /// A server that one command installs.
    #[must_use]
    pub fn obtainable(server: &'static str, reason: String, install: &'static str) -> Self {
        Self {
            server,
            reason,
            install,
            obtainable: true,
        }
    }

    /// A server that takes more than one command; `install` is a sentence that says what.
    #[must_use]
    pub fn rare(server: &'static str, reason: String, install: &'static str) -> Self {
        Self {
            server,
            reason,
            install,
            obtainable: false,
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            server,
            reason,
            install,
            ..
        } = self;
        if self.obtainable {
            write!(
                f,
                "{server} cannot be started: {reason}; install it with `{install}`"
            )
        } else {
            write!(f, "{server} cannot be had: {reason}; {install}")
        }
    }
}

impl Error for Unavailable {}
