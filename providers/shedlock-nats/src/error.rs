//! Translates errors of NATS into errors of locks, with remedies.

use std::error::Error as _;
use std::io;

use async_nats::client::{ReconnectError, RequestError, RequestErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{ConnectError, ConnectErrorKind};
use shedlock_runtime::{ErrorKind, LockError};

const TLS: &str = "TLS with NATS failed";

/// No connection could be made.
pub(crate) fn unreachable(error: ConnectError) -> LockError {
    use ConnectErrorKind as Kind;

    if let Some(tls) = of_tls(&error) {
        return tls.with_source(error);
    }
    let (kind, problem) = match error.kind() {
        Kind::Authentication | Kind::AuthorizationViolation => {
            (ErrorKind::Configuration, "NATS refuses the login")
        }
        Kind::ServerParse => (ErrorKind::Configuration, "the address of NATS is not valid"),
        Kind::Tls => (ErrorKind::Configuration, TLS),
        Kind::Dns | Kind::TimedOut | Kind::Io | Kind::MaxReconnects => {
            (ErrorKind::Unavailable, "NATS cannot be reached")
        }
    };
    LockError::new(kind, problem).with_source(error)
}

/// What a handshake of TLS was ended for; the client reports it as an error of the network.
fn of_tls(error: &ConnectError) -> Option<LockError> {
    let network = error.source()?.downcast_ref::<io::Error>()?;
    let tls = network.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(if let rustls::Error::InvalidCertificate(_) = tls {
        let problem = "this node does not trust the certificate of NATS";
        LockError::new(ErrorKind::Configuration, problem).with_remedy(
            "name the file of the authority that signed it with `root_certificates(..)`, or in the environment variable `SSL_CERT_FILE`; \
             and connect to a name that stands in the certificate",
        )
    } else {
        LockError::new(ErrorKind::Configuration, TLS).with_remedy(
            "see whether the server has TLS, and does not want a certificate of the client",
        )
    })
}

/// The certificates of the authorities cannot be used.
pub(crate) fn no_tls(problem: String) -> LockError {
    LockError::new(ErrorKind::Configuration, problem)
}

pub(crate) fn client_has_its_own_tls() -> LockError {
    let problem = "`root_certificates` are for a connection of the provider's own";
    LockError::new(ErrorKind::Configuration, problem)
        .with_remedy("set the authorities in the `ConnectOptions` of the client")
}

/// The client has no connection, so nothing was sent.
pub(crate) fn disconnected() -> LockError {
    LockError::new(ErrorKind::Unavailable, "there is no connection to NATS")
}

pub(crate) fn closed(error: ReconnectError) -> LockError {
    LockError::new(ErrorKind::Unavailable, "the client of NATS is closed").with_source(error)
}

/// The request failed and had been sent before: an earlier copy of the request may have been carried out.
pub(crate) fn in_doubt(error: LockError) -> LockError {
    let doubt = "NATS gave no answer at first, and then an error";
    LockError::in_doubt(doubt, error)
}

pub(crate) fn not_sent(error: RequestError) -> LockError {
    let (kind, problem) = match error.kind() {
        RequestErrorKind::MaxPayloadExceeded => (
            ErrorKind::Schema,
            "the record is larger than the server's `max_payload`",
        ),
        RequestErrorKind::InvalidSubject => (ErrorKind::InvalidName, "the name makes no subject"),
        _ => (
            ErrorKind::Indeterminate,
            "the client of NATS closed before the answer came",
        ),
    };
    LockError::new(kind, problem).with_source(error)
}

/// NATS did not answer, although the request was repeated.
pub(crate) fn unanswered(hears_refusals: bool) -> LockError {
    let error = LockError::new(ErrorKind::Timeout, "NATS does not answer");
    if hears_refusals {
        return error;
    }
    // A server reports a refusal on the connection, and the client passes the refusal to its `event_callback` only.
    error.with_remedy(
        "see whether the client's user has the rights that the README of `shedlock-nats` lists",
    )
}

pub(crate) fn forbidden(refusal: &str) -> LockError {
    let right = match refusal.split('"').nth(1) {
        Some(subject) if refusal.contains("Subscription") => format!("subscribe to `{subject}`"),
        Some(subject) => format!("publish to `{subject}`"),
        None => "what the lock needs".to_owned(),
    };
    LockError::new(
        ErrorKind::Permission,
        format!("the user of NATS may not {right}"),
    )
    .with_remedy(format!("permit the user to {right}"))
}

/// No server answers requests to the API of JetStream.
pub(crate) fn no_jetstream() -> LockError {
    LockError::new(ErrorKind::Schema, "JetStream is off on the server, or in the user's account")
        .with_remedy("switch it on: `jetstream { store_dir: \"/var/lib/nats\" }` in the server's configuration, `jetstream: enabled` in the account's")
}

/// The bucket exists, but no server accepts its writes.
pub(crate) fn no_leader(bucket: &str) -> LockError {
    LockError::new(
        ErrorKind::Unavailable,
        format!("nobody takes writes to the bucket `{bucket}` now"),
    )
}

pub(crate) fn illegible(bucket: &str) -> LockError {
    LockError::new(
        ErrorKind::Indeterminate,
        format!("NATS gave an answer about the bucket `{bucket}` that cannot be read"),
    )
}

/// JetStream refused the request.
pub(crate) fn refused(bucket: &str, error: jetstream::Error) -> LockError {
    use ErrorCode as Code;
    let explained = match error.error_code() {
        Code::STREAM_NOT_FOUND => LockError::new(
            ErrorKind::Schema,
            format!("the bucket `{bucket}` does not exist"),
        )
        .with_remedy(format!(
            "call `ensure_bucket()`, or run `nats kv add {bucket} --history=1 --storage=file --replicas=3`"
        )),
        Code::JETSTREAM_NOT_ENABLED | Code::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => no_jetstream(),
        Code::STREAM_STORE_FAILED
        | Code::INSUFFICIENT_RESOURCES
        | Code::STORAGE_RESOURCES_EXCEEDED
        | Code::MEMORY_RESOURCES_EXCEEDED
        | Code::ACCOUNT_RESOURCES_EXCEEDED
        | Code::STREAM_MAX_STREAM_BYTES_EXCEEDED => LockError::new(
            ErrorKind::Unavailable,
            format!("there is no room in the bucket `{bucket}`"),
        )
        .with_remedy("give the bucket, the account or the server more room, or `prune` free locks"),
        Code::STREAM_MESSAGE_EXCEEDS_MAXIMUM | Code::STREAM_HEADER_EXCEEDS_MAXIMUM => LockError::new(
            ErrorKind::Schema,
            format!("the bucket `{bucket}` takes no values as large as a lock's record"),
        )
        .with_remedy("remove its limit for values, or set it to 2048 bytes or more"),
        Code::STREAM_REPLICAS_NOT_SUPPORTED | Code::CLUSTER_NO_PEERS => LockError::new(
            ErrorKind::Configuration,
            format!("there are fewer servers than replicas are asked for of the bucket `{bucket}`"),
        )
        .with_remedy("choose fewer `replicas`, or start more servers"),
        Code::STREAM_SEALED => LockError::new(
            ErrorKind::ReadOnly,
            format!("the bucket `{bucket}` is sealed"),
        ),
        _ if matches!(error.code(), 503 | 429) => LockError::new(
            ErrorKind::Unavailable,
            format!("the bucket `{bucket}` is not available"),
        ),
        _ => LockError::new(
            ErrorKind::Indeterminate,
            format!("NATS did not do it in the bucket `{bucket}`"),
        ),
    };
    explained.with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_right() {
        let of = |refusal: &str| forbidden(refusal).to_string();
        let publish = of("Permissions Violation for Publish to \"$KV.locks.mail\"");
        assert!(
            publish.contains("permit the user to publish to `$KV.locks.mail`"),
            "{publish}"
        );
        let subscribe = of("Permissions Violation for Subscription to \"_INBOX.x.*\"");
        assert!(
            subscribe.contains("subscribe to `_INBOX.x.*`"),
            "{subscribe}"
        );
    }
}
