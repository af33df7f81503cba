//! Translates errors of object stores into errors of locks, with remedies.

use object_store::Error;
use shedlock_runtime::{ErrorKind, LockError};

use crate::ask::Failure;
use crate::protocol::Protocol;

mod cause;

use cause::{http, status};
pub(crate) use cause::{may_be_done, may_pass};

/// What a failed request was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Read,
    Write,
    List,
    Delete,
}

/// Codes by which stores refuse who asks, rather than what is asked.
const UNKNOWN_CALLER: &[&str] = &[
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "AuthenticationFailed",
    "Server failed to authenticate the request",
    "InvalidAuthenticationInfo",
    "Unauthenticated",
];
const CLOCK_IS_WRONG: &[&str] = &["RequestTimeTooSkewed", "RequestExpired"];
const NO_BUCKET: &[&str] = &[
    "NoSuchBucket",
    "ContainerNotFound",
    "The specified bucket does not exist",
];
const NO_ROOM: &[&str] = &["QuotaExceeded", "StorageFull", "AccountIsDisabled"];

impl Protocol {
    /// What a failure means to a lock.
    pub(crate) fn explain(self, request: Request, failure: Failure) -> LockError {
        let Some(error) = failure.error else {
            let silent = format!("{} does not answer", self.store());
            return LockError::new(ErrorKind::Timeout, silent);
        };
        let text = error.to_string();
        let says = |codes: &[&str]| codes.iter().any(|code| text.contains(code));
        let explained = match &error {
            _ if says(NO_BUCKET) => self.no_bucket(),
            // The object of a lock that is missing is no failure.
            Error::NotFound { .. } => self.no_bucket(),
            Error::InvalidPath { .. } => foreign_key(),
            _ if says(CLOCK_IS_WRONG) => self.clock_is_wrong(&text),
            Error::Unauthenticated { .. } => self.unknown_caller(),
            Error::PermissionDenied { .. } if says(UNKNOWN_CALLER) => self.unknown_caller(),
            Error::PermissionDenied { .. } => self.forbidden(request),
            Error::NotImplemented { .. } | Error::NotSupported { .. } => LockError::new(
                ErrorKind::Unsupported,
                format!("the client of {} makes no conditional writes", self.store()),
            )
            .with_remedy("leave the client's option `conditional_put` at `etag`"),
            _ if says(NO_ROOM) => LockError::new(
                ErrorKind::Unavailable,
                format!("there is no room in {}", self.store()),
            ),
            _ if says(&["KeyTooLong"]) => LockError::new(
                ErrorKind::InvalidName,
                format!("{} takes no key as long as this lock's", self.store()),
            )
            .with_remedy("choose a shorter name, or a shorter prefix"),
            _ if says(&["MetadataTooLarge"]) => LockError::new(
                ErrorKind::Schema,
                format!(
                    "{} takes no metadata as long as this record's",
                    self.store()
                ),
            )
            .with_remedy("choose a shorter name for the node, or a shorter reason"),
            _ => self.failed(request, &error, &text),
        };
        let explained = explained.with_source(error);
        if failure.is_in_doubt && request == Request::Write {
            let doubt = format!("{} may have done what failed at first", self.store());
            return LockError::in_doubt(doubt, explained);
        }
        explained
    }

    fn no_bucket(self) -> LockError {
        let bucket = self.bucket();
        LockError::new(
            ErrorKind::Schema,
            format!("the {bucket} does not exist in {}", self.store()),
        )
        .with_remedy(format!(
            "create the {bucket}, or correct its name in the provider's URL"
        ))
    }

    fn unknown_caller(self) -> LockError {
        LockError::new(
            ErrorKind::Configuration,
            format!("{} refuses the credentials", self.store()),
        )
        .with_remedy("correct the credentials in the environment or in the client")
    }

    fn forbidden(self, request: Request) -> LockError {
        let (action, right) = match request {
            Request::Read => (
                "read",
                [
                    "`s3:GetObject` and `s3:ListBucket`",
                    "`storage.objects.get`",
                    "`read`",
                ],
            ),
            Request::Write => (
                "write",
                [
                    "`s3:PutObject`",
                    "`storage.objects.create` and `storage.objects.delete`",
                    "`create` and `write`",
                ],
            ),
            Request::List => (
                "list",
                ["`s3:ListBucket`", "`storage.objects.list`", "`list`"],
            ),
            Request::Delete => (
                "delete the probe beside",
                [
                    "`s3:DeleteObject` for probes",
                    "`storage.objects.delete`",
                    "`delete`",
                ],
            ),
        };
        let [s3, gcs, azure] = right;
        let right = match self {
            Self::S3 => s3,
            Self::Gcs => gcs,
            Self::Azure => azure,
        };
        LockError::new(
            ErrorKind::Permission,
            format!(
                "the credentials may not {action} the locks in {}",
                self.store()
            ),
        )
        .with_remedy(format!(
            "grant {right}; the README of `shedlock-object-store` lists all rights"
        ))
    }

    fn clock_is_wrong(self, text: &str) -> LockError {
        let element = |name: &str| {
            let (_, after) = text.split_once(&format!("<{name}>"))?;
            after.split_once("</").map(|(value, _)| value)
        };
        let problem = format!("{} refuses the time of this node", self.store());
        let problem = match (element("RequestTime"), element("ServerTime")) {
            (Some(ours), Some(theirs)) => format!("{problem}: {ours} here, {theirs} there"),
            _ => problem,
        };
        LockError::new(ErrorKind::Configuration, problem)
            .with_remedy("set the clock of this node, and keep it right by NTP")
    }

    /// A failure of the network, or an answer with a status that has no meaning of its own to a lock.
    fn failed(self, request: Request, error: &Error, text: &str) -> LockError {
        let store = self.store();
        if request == Request::Write && may_be_done(error) {
            return LockError::new(
                ErrorKind::Indeterminate,
                format!("{store} may have done it, and does not say so"),
            );
        }
        match (http(error), status(text)) {
            (Some(_), _) => {
                LockError::new(ErrorKind::Unavailable, format!("{store} cannot be reached"))
            }
            (None, Some(408 | 429 | 500..=599)) => {
                LockError::new(ErrorKind::Unavailable, format!("{store} is busy or broken"))
            }
            (None, Some(300..=399)) => LockError::new(
                ErrorKind::Configuration,
                format!("{store} has the bucket in another region"),
            )
            .with_remedy("set the region of the bucket"),
            (None, _) => LockError::new(ErrorKind::Other, format!("{store} did not do it")),
        }
    }
}

fn foreign_key() -> LockError {
    LockError::new(
        ErrorKind::Schema,
        "beside the locks is an object with a key that the client cannot read",
    )
    .with_remedy("give the locks a prefix of their own")
}

impl Failure {
    /// Whether the bucket has no object with the key.
    pub(crate) fn is_missing_object(&self) -> bool {
        match &self.error {
            Some(error @ Error::NotFound { .. }) => {
                let text = error.to_string();
                !NO_BUCKET.iter().any(|code| text.contains(code))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(request: Request, error: Error) -> LockError {
        Protocol::S3.explain(request, Failure::from(error))
    }

    fn answer(text: &str) -> Error {
        Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    #[test]
    fn a_store_that_is_busy_has_done_nothing_and_one_that_broke_may_have() {
        let kind = |request, text: &str| explained(request, answer(text)).kind();
        let slow = "status code: 503 Service Unavailable: <Code>SlowDown</Code>";
        assert_eq!(kind(Request::Write, slow), ErrorKind::Unavailable);
        let busy = "status code: 503 The server is busy: <Code>ServerBusy</Code>";
        assert_eq!(kind(Request::Write, busy), ErrorKind::Unavailable);
        // A proxy that has passed the request on, and lost the store.
        let proxy = "status code: 503 Service Unavailable: upstream connect error";
        assert_eq!(kind(Request::Write, proxy), ErrorKind::Indeterminate);
        assert_eq!(kind(Request::Read, proxy), ErrorKind::Unavailable);
        let broke = "status code: 500 Internal Server Error: <Code>InternalError</Code>";
        assert_eq!(kind(Request::Write, broke), ErrorKind::Indeterminate);
        assert_eq!(kind(Request::Read, broke), ErrorKind::Unavailable);
        let moved = "status code: 301 Moved Permanently: ";
        assert_eq!(kind(Request::Read, moved), ErrorKind::Configuration);
    }

    #[test]
    fn a_clock_that_is_wrong_is_told_with_both_times() {
        let error = explained(
            Request::Write,
            Error::PermissionDenied {
                path: "shedlock/mail".to_owned(),
                source: "403: <Code>RequestTimeTooSkewed</Code><RequestTime>20261128T110000Z</RequestTime><ServerTime>2026-11-28T10:00:00Z</ServerTime>".into(),
            },
        );
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let text = error.to_string();
        assert!(
            text.contains("20261128T110000Z here, 2026-11-28T10:00:00Z there"),
            "{text}"
        );
    }

    #[test]
    fn a_write_that_failed_after_one_without_an_answer_is_in_doubt() {
        let error = Some(answer("status code: 503: <Code>SlowDown</Code>"));
        let failure = Failure {
            error,
            is_in_doubt: true,
        };
        let error = Protocol::Azure.explain(Request::Write, failure);
        assert_eq!(error.kind(), ErrorKind::Indeterminate);
    }
}
