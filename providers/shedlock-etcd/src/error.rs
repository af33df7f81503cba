//! Translates what goes wrong with etcd into errors of locks.

use std::error::Error as _;
use std::time::Duration;

use shedlock_runtime::{ErrorKind, LockError, Overrule, printable};

use crate::gateway::{Encryption, Failure, Fault};
use crate::messages::Status;

/// A question got no answer of use.
pub(crate) fn failed(failure: Failure) -> LockError {
    let is_ambiguous = failure.is_in_doubt && !failure.fault.is_ambiguous();
    let error = of_fault(failure.fault);
    if is_ambiguous {
        let problem = "a connection broke or gave no answer, and asking again failed";
        return LockError::in_doubt(problem, error);
    }
    error
}

fn of_fault(fault: Fault) -> LockError {
    match fault {
        Fault::Unreachable(error, _) if error.is_builder() => not_as_configured().with_source(error),
        Fault::Unreachable(error, Encryption::Tls) if is_of_the_certificate(&error) => {
            LockError::new(ErrorKind::Configuration, "this node does not trust the certificate of etcd")
                .with_remedy("name the file of the authority that signed it in the environment variable `SSL_CERT_FILE`, or give a client that trusts it; and connect to a name that stands in the certificate")
                .with_source(error)
        }
        Fault::Unreachable(error, encryption) => {
            let unreachable = LockError::new(
                ErrorKind::Unavailable,
                "no member of the cluster can be reached",
            );
            let explained = match encryption {
                Encryption::Plain => unreachable,
                Encryption::Tls => unreachable.with_remedy(
                    "if the cause is not the network: `https` needs the feature `rustls` of `shedlock-etcd`, or another TLS feature of the crate `reqwest`, and a member with TLS at this port",
                ),
            };
            explained.with_source(error)
        }
        Fault::Broken(error) => LockError::new(
            ErrorKind::Indeterminate,
            "the connection broke before the answer came",
        )
        .with_source(error),
        Fault::Silent(part) => silent(part),
        Fault::Refused(status) => refused(&status),
        Fault::NotEtcd(code) if code.is_server_error() => LockError::new(
            ErrorKind::Indeterminate,
            format!("something in front of etcd answers with the status {code}"),
        ),
        Fault::NotEtcd(code) => LockError::new(
            ErrorKind::Configuration,
            format!("the server answers with the status {code}, and is not the JSON gateway of etcd"),
        )
        .with_remedy(
            "give the client URL of an etcd 3.4 or newer that runs without `--enable-grpc-gateway=false`",
        ),
        Fault::Unreadable(error) => LockError::new(
            ErrorKind::Indeterminate,
            "the answer of etcd could not be read",
        )
        .with_source(error),
    }
}

/// Whether the handshake of TLS ended for the certificate of the member. Which library does TLS is the program's choice, so the words decide.
fn is_of_the_certificate(error: &reqwest::Error) -> bool {
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    sources
        .map(ToString::to_string)
        .any(|words| words.contains("certificate"))
}

/// etcd says why it does not do what was asked.
fn refused(status: &Status) -> LockError {
    let unavailable = |problem: &str| LockError::new(ErrorKind::Unavailable, problem);
    let explained = match status.code {
        7 => LockError::new(ErrorKind::Permission, "the user of etcd lacks a right").with_remedy(
            "run `etcdctl role grant-permission <role> --prefix=true readwrite shedlock`, with the prefix of your locks",
        ),
        8 if status.is_out_of_space() => {
            unavailable("the database of etcd has reached its quota, and takes no new locks")
                .with_remedy("compact and defragment etcd, then run `etcdctl alarm disarm`; or raise `--quota-backend-bytes`")
        }
        8 => unavailable("etcd has too many requests at present"),
        16 => login(),
        3 if status.says("authentication failed") || status.says("user name is empty") => login(),
        14 if status.says("no leader") => unavailable("the cluster has no leader at present"),
        14 | 4 | 1 => LockError::new(
            ErrorKind::Timeout,
            "the cluster could not decide in time, for want of a leader or of a majority",
        ),
        15 => unavailable("the data of etcd's members differ, and etcd takes no more writes")
            .with_remedy("look into the log of etcd for `CORRUPT`, and replace the broken member"),
        _ => LockError::new(ErrorKind::Other, "etcd refuses the request"),
    };
    // What etcd says contains neither keys nor passwords.
    explained.with_source(format!(
        "code {}: {}",
        status.code,
        printable(&status.message)
    ))
}

/// The URL is not valid, or has a scheme that the HTTP client was built without.
pub(crate) fn not_as_configured() -> LockError {
    LockError::new(ErrorKind::Configuration, "the URL cannot be used").with_remedy(
        "write it as `http://user:password@host:2379`, with commas between several; \
         `https` needs the feature `rustls` of `shedlock-etcd`, or another TLS feature of the crate `reqwest`",
    )
}

/// The HTTP client cannot be made.
pub(crate) fn no_client(error: reqwest::Error) -> LockError {
    LockError::new(ErrorKind::Configuration, "the HTTP client cannot be made").with_source(error)
}

/// No member gave an answer within its part of the time limit.
fn silent(part: Duration) -> LockError {
    let problem = format!("a member of the cluster gave no answer within {part:.1?}");
    LockError::new(ErrorKind::Timeout, problem)
}

fn login() -> LockError {
    LockError::new(ErrorKind::Configuration, "etcd refuses the login")
        .with_remedy("give user and password in the URL: `http://user:password@host:2379`")
}

/// What stands under the key is neither a lock nor the position of one.
pub(crate) fn foreign(key: &str) -> LockError {
    let problem = format!(
        "the key `{}` holds what no lock provider has written, and is left as it is",
        printable(key)
    );
    LockError::new(ErrorKind::Schema, problem).with_remedy(format!(
        "give locks a `prefix` that no other program uses, or delete the key: `etcdctl del '{}'`",
        printable(key)
    ))
}

/// The lock's key is under no lease, so the lock would never end.
pub(crate) fn endless(key: &str) -> LockError {
    let problem = format!(
        "the key `{}` is under no lease, so its lock would never be free",
        printable(key)
    );
    LockError::new(ErrorKind::Schema, problem)
        .with_remedy("release the lock by force, or delete the key")
}

/// The provider's own notes are missing from a lease.
pub(crate) fn of_another_provider() -> LockError {
    LockError::new(
        ErrorKind::Other,
        "the lease was granted by another provider",
    )
}

/// Other writers were faster, again and again.
pub(crate) fn raced() -> LockError {
    LockError::new(ErrorKind::Unavailable, "others kept changing the key")
}

/// The operator's request is of a kind that this version of the provider does not know.
pub(crate) fn unknown(overrule: &Overrule<'_>) -> LockError {
    LockError::new(
        ErrorKind::Unsupported,
        format!("this provider cannot {overrule} a lock"),
    )
}
