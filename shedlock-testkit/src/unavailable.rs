//! The error for a server that is missing on this machine, and how to install the server.

use std::error::Error;
use std::fmt;

/// Why a server, or another thing that a test needs, is not available on this machine.
///
/// # Examples
///
/// ```
/// use shedlock_testkit::Unavailable;
///
/// let missing = Unavailable::installable("Redis", "there is no `redis-server`".to_owned(), "apt-get install -y redis-server");
/// assert_eq!(
///     missing.to_string(),
///     "Redis cannot be started: there is no `redis-server`; install it with `apt-get install -y redis-server`"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unavailable {
    /// The name of the server, such as `PostgreSQL`.
    pub server: &'static str,
    /// The missing program or library, or what went wrong.
    pub reason: String,
    /// If the server is `installable`, the exact command that installs it on Debian. Otherwise a sentence that says how to get it.
    pub install: &'static str,
    /// Whether the one command in `install` is enough. In CI (`CI` is set), a test that needs such a server fails instead of being skipped.
    pub installable: bool,
}

impl Unavailable {
    /// Describes a server that one command installs.
    #[must_use]
    pub fn installable(server: &'static str, reason: String, install: &'static str) -> Self {
        Self {
            server,
            reason,
            install,
            installable: true,
        }
    }

    /// Describes a server that needs more than one command. `install` is a sentence that says how to get the server.
    #[must_use]
    pub fn manual(server: &'static str, reason: String, install: &'static str) -> Self {
        Self {
            server,
            reason,
            install,
            installable: false,
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
        if self.installable {
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
