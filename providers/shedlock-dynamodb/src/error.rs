//! Translates errors of the SDK and of DynamoDB into errors of locks, with remedies.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use shedlock_runtime::{ErrorKind, LockError};

use crate::layout::Layout;

/// DynamoDB has not begun the operation: too much is asked of it at present, or a transaction of another program has the item.
const BUSY: [&str; 8] = [
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "Throttling",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ReplicatedWriteConflictException",
    "LimitExceededException",
];
const REFUSED_LOGIN: [&str; 8] = [
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "IncompleteSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationTokenException",
    "MissingAuthenticationToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
];
const NO_TABLE: &str = "ResourceNotFoundException";
/// The actions that locks need, and those that operators need as well.
const RIGHTS: &str = "`dynamodb:UpdateItem` and `dynamodb:GetItem`, for `LockAdmin` also `dynamodb:Scan` and `dynamodb:DeleteItem`, \
                      and for `ensure_schema` the actions that the README of `shedlock-dynamodb` lists";

/// What DynamoDB said. The SDK's error is not kept: it may quote a whole answer, with the owner of a lock.
#[derive(Debug)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Said {}

fn said<E>(error: &SdkError<E>) -> Said
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    Said(match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => match error {
            // The causes of these are of the connection and of the credentials.
            SdkError::DispatchFailure(_)
            | SdkError::TimeoutError(_)
            | SdkError::ConstructionFailure(_) => chain(error)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": "),
            _ => "an answer that is none of DynamoDB".to_owned(),
        },
    })
}

/// An error and its causes.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Whether there was no connection over which the request could have been sent.
fn is_unsent(error: &(dyn StdError + 'static)) -> bool {
    let is_unreachable = |kind| {
        matches!(
            kind,
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable
        )
    };
    let mut causes = chain(error).filter_map(|error| error.downcast_ref::<io::Error>());
    causes.any(|error| is_unreachable(error.kind()))
}

/// Whether the same question may have an answer a moment later.
pub(crate) fn is_cured_by_asking_again<E>(error: &SdkError<E>) -> bool
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => {
            failure.is_io() || failure.is_timeout() || failure.is_other()
        }
        SdkError::ServiceError(answer) => {
            answer.raw().status().is_server_error()
                || error.code().is_some_and(|code| BUSY.contains(&code))
        }
        _ => false,
    }
}

/// A question failed.
pub(crate) fn failed<E>(error: &SdkError<E>) -> LockError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let explained = match error {
        SdkError::ConstructionFailure(_) => configuration("the request could not be made"),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            configuration("the request could not be made")
        }
        // The SDK says of missing credentials that the dispatch failed for a reason which is none of the network.
        SdkError::DispatchFailure(failure)
            if failure.is_other() && failure.as_other().is_none() && !is_broken(error) =>
        {
            configuration("the SDK finds no credentials, or no endpoint")
        }
        SdkError::DispatchFailure(_) if is_unsent(error) => {
            LockError::new(ErrorKind::Unavailable, "DynamoDB cannot be reached")
        }
        SdkError::ServiceError(answer) => of_answer(error.code(), answer.raw().status().as_u16()),
        _ => LockError::new(
            ErrorKind::Indeterminate,
            "the connection broke before the answer came",
        ),
    };
    explained.with_source(said(error))
}

/// Whether a connection is among the causes.
fn is_broken(error: &(dyn StdError + 'static)) -> bool {
    let mut causes = chain(error).filter_map(|error| error.downcast_ref::<io::Error>());
    causes.next().is_some()
}

fn configuration(problem: &str) -> LockError {
    LockError::new(ErrorKind::Configuration, problem).with_remedy(
        "check region, credentials and endpoint, as `aws sts get-caller-identity` does",
    )
}

fn of_answer(code: Option<&str>, status: u16) -> LockError {
    let of = |kind, problem: &str| LockError::new(kind, problem);
    match code.unwrap_or_default() {
        NO_TABLE => of(
            ErrorKind::Schema,
            "there is no such table, or it is still being created",
        )
        .with_remedy(
            "call `ensure_schema`, or create the table as the README of `shedlock-dynamodb` says",
        ),
        "AccessDeniedException" => of(ErrorKind::Permission, "AWS allows this identity too little")
            .with_remedy(format!("allow it {RIGHTS}")),
        "ValidationException" => of(ErrorKind::Schema, "the table is not as locks need it")
            .with_remedy("compare its keys with the options of the provider, by `check_schema`"),
        "RequestExpired" | "RequestTimeTooSkewed" => of(
            ErrorKind::Configuration,
            "AWS finds that the clock of this machine is wrong",
        )
        .with_remedy("set the clock: leases are counted by it, too"),
        "ItemCollectionSizeLimitExceededException" => of(
            ErrorKind::Unavailable,
            "the table has no room left under this key",
        ),
        code if REFUSED_LOGIN.contains(&code) => {
            of(ErrorKind::Configuration, "AWS refuses the credentials")
                .with_remedy("check credentials and region, as `aws sts get-caller-identity` does")
        }
        code if BUSY.contains(&code) => of(
            ErrorKind::Unavailable,
            "DynamoDB does not take more requests at present",
        )
        .with_remedy("give the table on-demand capacity, or more write capacity"),
        _ if status >= 500 => of(
            ErrorKind::Indeterminate,
            "DynamoDB failed, perhaps after it had carried out the request",
        ),
        _ => of(ErrorKind::Other, "DynamoDB refused the request"),
    }
}

/// No answer came, although the question was repeated.
pub(crate) fn unanswered() -> LockError {
    LockError::new(ErrorKind::Timeout, "DynamoDB does not answer")
}

/// The request failed and had been sent before: the earlier one may have been carried out.
pub(crate) fn in_doubt(error: LockError) -> LockError {
    let doubt = "DynamoDB gave no answer at first, and then an error";
    LockError::in_doubt(doubt, error)
}

/// The item is not a lock's.
pub(crate) fn foreign(problem: String) -> LockError {
    LockError::new(ErrorKind::Schema, problem)
        .with_remedy("give the lock another name, or remove the item with its key")
}

/// Other nodes changed the item again and again.
pub(crate) fn raced() -> LockError {
    LockError::new(ErrorKind::Unavailable, "others kept changing the item")
}

/// The table has other keys.
pub(crate) fn other_keys(layout: &Layout) -> LockError {
    let keys = match &layout.sort_key {
        Some(sort_key) => format!("`{}` and `{sort_key}`", layout.key),
        None => format!("`{}` alone", layout.key),
    };
    let problem = format!(
        "the key of the table `{}` is not {keys}, of strings",
        layout.table
    );
    LockError::new(ErrorKind::Schema, problem)
        .with_remedy("give the provider the names of the table's keys, or another table")
}

pub(crate) fn no_table(layout: &Layout) -> LockError {
    let problem = format!("there is no table `{}`", layout.table);
    LockError::new(ErrorKind::Schema, problem).with_remedy("call `ensure_schema`")
}

/// The table deletes nothing, or by another attribute.
pub(crate) fn no_ttl(layout: &Layout, attribute: &str) -> LockError {
    let problem = format!(
        "the table `{}` does not delete items by `{attribute}`",
        layout.table
    );
    LockError::new(ErrorKind::Schema, problem)
        .with_remedy("call `ensure_schema`, or enable Time to Live on that attribute")
}

pub(crate) fn not_active(layout: &Layout) -> LockError {
    let problem = format!("the table `{}` is being created or deleted", layout.table);
    LockError::new(ErrorKind::Unavailable, problem)
}

pub(crate) fn ttl_too_short(shortest: Duration) -> LockError {
    let problem =
        format!("items that are deleted within {shortest:?} could be locks that are held");
    LockError::new(ErrorKind::Configuration, problem)
        .with_remedy("choose a longer time for `with_ttl`")
}

pub(crate) fn dynalock_compares_clocks() -> LockError {
    let problem = "programs with Dynalock end leases by comparing clocks";
    LockError::new(ErrorKind::Configuration, problem)
        .with_remedy("choose either `dynalock` or `expiry_by_observation`")
}

#[cfg(feature = "connect")]
pub(crate) fn not_a_url() -> LockError {
    LockError::new(ErrorKind::Configuration, "the URL cannot be used")
        .with_remedy("write it as `dynamodb://eu-central-1/table`, with `?endpoint=http://host:8000` for another server and `?expiry=observation` for leases that no clock ends")
}

#[cfg(feature = "connect")]
pub(crate) fn credentials_in_url() -> LockError {
    LockError::new(ErrorKind::Configuration, "the URL has credentials in it").with_remedy(
        "leave them to the environment, the profile or the role, or call `credentials_provider`",
    )
}

#[cfg(feature = "connect")]
pub(crate) fn no_region() -> LockError {
    LockError::new(ErrorKind::Configuration, "no region is given").with_remedy(
        "write it into the URL, as in `dynamodb://eu-central-1/table`, or set `AWS_REGION`",
    )
}
