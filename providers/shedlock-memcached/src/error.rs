//! What errors of the server and of the connection mean to a lock, and what to do about them.

use std::io;
use std::time::Duration;

use shedlock_runtime::{ErrorKind, LockError, Overrule, printable};

use crate::keys::shown;

/// What an answer begins with that is an error.
const ERRORS: [&str; 3] = ["ERROR", "CLIENT_ERROR", "SERVER_ERROR"];

/// The error that the server's answer is; `None` if it is none.
pub(crate) fn said(line: &str) -> Option<LockError> {
    let (word, detail) = line.split_once(' ').unwrap_or((line, ""));
    if !ERRORS.contains(&word) {
        return None;
    }
    Some(match (word, detail) {
        ("ERROR", "Too many open connections") => {
            LockError::new(ErrorKind::Unavailable, "the server has no connection left")
                .with_remedy("start it with a greater `-c`")
        }
        ("ERROR", "metadump not allowed") => LockError::new(
            ErrorKind::Unsupported,
            "the server is not allowed to list its keys",
        )
        .with_remedy("start it without `-X`, or ask about one lock at a time"),
        ("ERROR", _) => LockError::new(
            ErrorKind::Unsupported,
            "the server does not know a command that locks need",
        )
        .with_remedy("use Memcached 1.6 or newer, without a proxy in front of it"),
        ("CLIENT_ERROR", "unauthenticated" | "authentication failure") => login(),
        ("SERVER_ERROR", detail) if detail.starts_with("out of memory") => LockError::new(
            ErrorKind::Unavailable,
            "the server has used up its memory, and takes no new locks",
        )
        .with_remedy("raise `-m`, or give locks a server of their own"),
        (_, detail) => LockError::new(
            ErrorKind::Other,
            format!("the server says `{}`", printable(detail)),
        ),
    })
}

fn login() -> LockError {
    LockError::new(ErrorKind::Configuration, "the server refuses the login")
        .with_remedy("give user and password in the URL: `memcached://user:password@host:11211`")
}

/// The URL is not valid.
pub(crate) fn not_as_configured() -> LockError {
    LockError::new(ErrorKind::Configuration, "the URL cannot be used")
        .with_remedy("write it as `memcached://user:password@host:11211`")
}

/// No connection could be opened, so nothing was sent.
pub(crate) fn unreachable(error: io::Error) -> LockError {
    LockError::new(ErrorKind::Unavailable, "the server cannot be reached").with_source(error)
}

/// A new connection broke, or whoever is at its other end does not speak the protocol. No command of a lock was sent.
pub(crate) fn not_greeted(error: io::Error) -> LockError {
    match error.kind() {
        io::ErrorKind::InvalidData => no_server_of_its_own().with_source(error),
        _ => unreachable(error),
    }
}

/// The connection broke after the request was sent.
pub(crate) fn broken(error: io::Error) -> LockError {
    LockError::new(
        ErrorKind::Indeterminate,
        "the connection broke before the answer came",
    )
    .with_source(error)
}

/// The server has stored a value, and then refused to read it.
pub(crate) fn stored_and_refused(error: LockError) -> LockError {
    let doubt = "the server has stored the lock, and refuses to show it";
    LockError::in_doubt(doubt, error)
}

/// The connection gave no answer in its part of the time limit.
pub(crate) fn silent(part: Duration) -> LockError {
    let problem = format!("a connection that had been idle gave no answer within {part:.1?}");
    LockError::new(ErrorKind::Timeout, problem)
}

/// The server cannot change a record on a condition.
pub(crate) fn without_cas() -> LockError {
    LockError::new(
        ErrorKind::Unsupported,
        "the server was started with `-C`, so it cannot compare before it changes a lock",
    )
    .with_remedy("start it without `-C`")
}

/// The answer to `stats` is not that of one Memcached server.
pub(crate) fn no_server_of_its_own() -> LockError {
    LockError::new(
        ErrorKind::Unsupported,
        "the server does not tell its settings: it is no Memcached, or a proxy in front of several",
    )
    .with_remedy("connect to one Memcached server directly")
}

/// The value under the lock's key is not the value of a lock.
pub(crate) fn foreign(key: &[u8]) -> LockError {
    let key = shown(key);
    let problem = format!("the key `{key}` holds what is no lock's value, and is left as it is");
    LockError::new(ErrorKind::Schema, problem).with_remedy(format!(
        "give locks an `environment` that no other program uses, or send `delete {key}`"
    ))
}

/// The lock's key has no time to live, so the lock would never end.
pub(crate) fn endless(key: &[u8]) -> LockError {
    let problem = format!(
        "the key `{}` has no time to live, so its lock would never be free",
        shown(key)
    );
    LockError::new(ErrorKind::Schema, problem).with_remedy(
        "release the lock by force; a JVM node writes such a key if its lock's `lockAtMostFor` is less than a second",
    )
}

/// The server has lost the record at once, or others keep changing it.
pub(crate) fn restless(key: &[u8]) -> LockError {
    let problem = format!("the key `{}` does not stay as it was stored", shown(key));
    LockError::new(ErrorKind::Unavailable, problem)
        .with_remedy("look whether the server evicts keys, or another program writes this one")
}

/// Another client has had the server list its keys until the end of the call.
pub(crate) fn busy() -> LockError {
    LockError::new(
        ErrorKind::Unavailable,
        "the server is busy listing its keys for another client",
    )
}

/// The operator's request is of a kind that this version of the provider does not know.
pub(crate) fn unknown(overrule: &Overrule<'_>) -> LockError {
    LockError::new(
        ErrorKind::Unsupported,
        format!("this provider cannot {overrule} a lock"),
    )
}
