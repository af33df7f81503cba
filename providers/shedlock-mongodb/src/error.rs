//! Translates errors of the driver and of MongoDB into errors of locks, with remedies.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use mongodb::error::{Error, ErrorKind as Mongo, WriteFailure};
use shedlock_runtime::{ErrorKind, LockError, printable};

const DUPLICATE_KEY: i32 = 11000;
/// The server is no primary, and has not begun to carry out the command.
const NOT_PRIMARY: [i32; 4] = [10107, 13435, 13436, 10058];
/// The server stepped down or shuts down, perhaps in the middle of the command.
const INTERRUPTED: [i32; 4] = [189, 11600, 11602, 91];
/// The command took too long, or a part of the cluster did not answer.
const OUT_OF_TIME: [i32; 8] = [6, 7, 50, 64, 89, 202, 262, 9001];
/// The server has no updates that are pipelines, or no `$$NOW`: it is not MongoDB. The last one is of Amazon `DocumentDB`.
const NO_PIPELINES: [i32; 9] = [2, 9, 14, 59, 115, 238, 17276, 40324, 303];

/// What to do about an answer that MongoDB does not give.
const OTHER_SERVER: &str =
    "if the server is not MongoDB itself, build the provider with `client_clock()`";

const RIGHTS: &str = "{ resource: { db: \"<database>\", collection: \"<collection>\" }, actions: [\"find\", \"insert\", \"update\", \"remove\", \"createIndex\"] }";

/// What the server said. The driver's error is not kept: it may quote a whole answer, with the owner of a lock.
#[derive(Debug)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Said {}

fn said(error: &Error) -> Said {
    Said(match &*error.kind {
        Mongo::Command(it) => format!("{} ({}): {}", it.code_name, it.code, it.message),
        Mongo::Write(WriteFailure::WriteConcernError(it)) => {
            format!("{} ({}): {}", it.code_name, it.code, it.message)
        }
        Mongo::Write(WriteFailure::WriteError(it)) => format!("{}: {}", it.code, it.message),
        // These quote what was sent or answered.
        Mongo::InvalidResponse { .. } => "an invalid response".to_owned(),
        kind => kind.to_string(),
    })
}

/// Whether a document of this name has just been made by somebody else.
pub(crate) fn is_duplicate(error: &Error) -> bool {
    match &*error.kind {
        Mongo::Command(error) => error.code == DUPLICATE_KEY,
        Mongo::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
        _ => false,
    }
}

/// Whether the same question may have an answer a moment later: over another connection, or from another primary.
pub(crate) fn is_cured_by_asking_again(error: &Error) -> bool {
    match &*error.kind {
        // After an error the driver knows no server until it has looked at the server again, half a second later.
        Mongo::Io(_) | Mongo::ConnectionPoolCleared { .. } | Mongo::ServerSelection { .. } => true,
        Mongo::Command(error) => {
            const WRITE_CONFLICT: i32 = 112;
            error.code == WRITE_CONFLICT
                || NOT_PRIMARY.contains(&error.code)
                || INTERRUPTED.contains(&error.code)
        }
        _ => false,
    }
}

/// No client could be made of the options, so nothing was sent.
pub(crate) fn not_connected(error: &Error) -> LockError {
    let explained = match &*error.kind {
        Mongo::DnsResolve { .. } => LockError::new(
            ErrorKind::Unavailable,
            "the name of the server cannot be resolved",
        ),
        _ => invalid_options(),
    };
    explained.with_source(said(error))
}

fn invalid_options() -> LockError {
    LockError::new(ErrorKind::Configuration, "the URL cannot be used")
        .with_remedy("write it as `mongodb://user:password@host:27017/database?replicaSet=rs0`")
}

/// The URL is not valid. The driver's message is left out, because it may quote the URL with its password.
pub(crate) fn not_a_url() -> LockError {
    invalid_options()
}

pub(crate) fn no_database() -> LockError {
    LockError::new(ErrorKind::Configuration, "the URL names no database").with_remedy(
        "name it behind the server, as in `mongodb://host:27017/database`, or call `database`",
    )
}

/// The server gave no answer, although the question was repeated.
pub(crate) fn unanswered() -> LockError {
    LockError::new(ErrorKind::Timeout, "MongoDB does not answer")
}

/// The request failed and had been sent before: the earlier one may have been carried out.
pub(crate) fn in_doubt(error: LockError) -> LockError {
    let doubt = "MongoDB may have done it at first, and then answered with an error";
    LockError::in_doubt(doubt, error)
}

/// The document is not a lock's.
pub(crate) fn foreign(problem: String) -> LockError {
    LockError::new(ErrorKind::Schema, problem)
        .with_remedy("give the lock another name, or remove the document with its name as `_id`")
}

/// The server's answer has no time in it.
pub(crate) fn without_time() -> LockError {
    no_pipelines()
}

/// The lock was free, and the server did not grant it.
pub(crate) fn contradiction() -> LockError {
    LockError::new(
        ErrorKind::Other,
        "the server refused a free lock, against the condition that it was given",
    )
}

/// The collection is of a kind that cannot keep locks.
pub(crate) fn unsuitable(what: &str) -> LockError {
    LockError::new(ErrorKind::Schema, format!("the locks are in {what}")).with_remedy(
        "choose another `collection`: MongoDB creates a suitable one with the first lock",
    )
}

pub(crate) fn not_a_collection(name: &str) -> LockError {
    let problem = format!("`{}` cannot name a collection", printable(name));
    LockError::new(ErrorKind::Configuration, problem)
        .with_remedy("leave out `$`, and do not begin with `system.`")
}

pub(crate) fn ttl_too_short(shortest: Duration) -> LockError {
    let problem = format!("a TTL index of less than {shortest:?} could delete a lock that is held");
    LockError::new(ErrorKind::Configuration, problem)
        .with_remedy("choose a longer time for `with_ttl_index`")
}

/// Other nodes made and removed the document again and again.
pub(crate) fn raced() -> LockError {
    LockError::new(ErrorKind::Unavailable, "others kept changing the document")
}

/// A command failed.
pub(crate) fn failed(error: &Error) -> LockError {
    let of = |kind, problem: &str| LockError::new(kind, problem);
    let explained = match &*error.kind {
        Mongo::Authentication { .. } => login(),
        Mongo::InvalidArgument { .. } | Mongo::InvalidTlsConfig { .. } => invalid_options(),
        Mongo::IncompatibleServer { .. } => no_pipelines(),
        Mongo::DnsResolve { .. } | Mongo::ServerSelection { .. } => of(
            ErrorKind::Unavailable,
            "no server that takes writes can be reached",
        ),
        Mongo::Shutdown => of(ErrorKind::Unavailable, "the client was shut down"),
        Mongo::Command(error) => of_code(error.code),
        Mongo::Write(WriteFailure::WriteError(error)) => of_code(error.code),
        Mongo::Write(WriteFailure::WriteConcernError(_)) => of(
            ErrorKind::Indeterminate,
            "the primary made the write, and the majority has not confirmed it",
        )
        .with_remedy("see whether the majority of the replica set's members is up"),
        // The driver also says so of a command that it had sent, after the server has not answered its heartbeat.
        Mongo::Io(_) | Mongo::ConnectionPoolCleared { .. } => of(
            ErrorKind::Indeterminate,
            "the connection broke before the answer came",
        ),
        _ => of(ErrorKind::Indeterminate, "the answer could not be read").with_remedy(OTHER_SERVER),
    };
    explained.with_source(said(error))
}

fn of_code(code: i32) -> LockError {
    let of = |kind, problem: &str| LockError::new(kind, problem);
    match code {
        13 => of(
            ErrorKind::Permission,
            "the user lacks a right on the collection",
        )
        .with_remedy(format!(
            "grant the user a role with the privilege `{RIGHTS}`"
        )),
        18 => login(),
        121 => of(
            ErrorKind::Schema,
            "a validator of the collection refuses a lock's document",
        )
        .with_remedy(
            "let the validator accept the fields that the README of `shedlock-mongodb` lists",
        ),
        85 | 86 => of(
            ErrorKind::Schema,
            "there is another index on the same field",
        )
        .with_remedy("drop that index, and call `ensure_indexes` again"),
        112 => of(
            ErrorKind::Unavailable,
            "the document is in a transaction of another program",
        ),
        11000 => raced(),
        14031 | 146 => of(ErrorKind::Unavailable, "the server has no room left"),
        133 => of(
            ErrorKind::Unavailable,
            "no server that takes writes can be reached",
        ),
        code if NOT_PRIMARY.contains(&code) => {
            of(ErrorKind::Unavailable, "the server is not the primary")
        }
        code if INTERRUPTED.contains(&code) => of(
            ErrorKind::Indeterminate,
            "the server stopped being the primary before it answered",
        ),
        code if OUT_OF_TIME.contains(&code) => of(
            ErrorKind::Indeterminate,
            "a part of the cluster did not answer in time",
        ),
        code if NO_PIPELINES.contains(&code) => no_pipelines(),
        _ => {
            of(ErrorKind::Indeterminate, "the server refused the command").with_remedy(OTHER_SERVER)
        }
    }
}

fn login() -> LockError {
    LockError::new(ErrorKind::Configuration, "MongoDB refuses the login")
        .with_remedy("check user, password and `authSource`")
}

fn no_pipelines() -> LockError {
    LockError::new(
        ErrorKind::Unsupported,
        "the server cannot decide by its own clock: it has no updates that are pipelines",
    )
    .with_remedy("use MongoDB 4.4 or later, or build the provider with `client_clock()`")
}
