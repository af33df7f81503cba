//! Reads PostgreSQL's answers, which are rows.

use std::time::Duration;

use shedlock_runtime::OperatorMark;

use super::{AcquireAnswer, UnusableRow, granted};
use crate::driver::{Driver, Row};
use crate::locks::Context;
use crate::statements::{Statement, Values};

pub(super) async fn acquire<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    statement: &Statement,
    values: &Values<'_>,
) -> Result<AcquireAnswer, D::Error> {
    let rows = context.fetch::<D>(connection, statement, values).await?;
    match rows.first() {
        Some(row) => acquired(row, values.owner),
        None => Ok(AcquireAnswer::Refused),
    }
}

fn acquired<R: Row>(row: &R, ours: &str) -> Result<AcquireAnswer, R::Error> {
    let (owner, left) = (row.text(1)?.unwrap_or_default(), row.float(2)?);
    let has_ended = left.is_some_and(|left| left <= 0.0);
    let mark = OperatorMark::parse(owner);
    if !has_ended && mark.is_some_and(|mark| mark.is_pause()) {
        return Ok(AcquireAnswer::Paused {
            remaining: left.and_then(seconds),
        });
    }
    let (Some(reaches_its_end), Some(_left)) = (row.boolean(0)?, left) else {
        return Ok(AcquireAnswer::Unusable(UnusableRow::no_end()));
    };
    // The row is as it was.
    if has_ended && !owner.starts_with(ours) {
        return Ok(AcquireAnswer::Unreleased);
    }
    if !reaches_its_end {
        return Ok(AcquireAnswer::Unusable(UnusableRow {
            problem: "the column that keeps the end of the lease cuts it".to_owned(),
            remedy: "make it of type TIMESTAMP",
        }));
    }
    if has_ended {
        return Ok(AcquireAnswer::TooLate);
    }
    Ok(granted(row, 3))
}

pub(super) async fn holder<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    values: &Values<'_>,
) -> Result<Option<AcquireAnswer>, D::Error> {
    let statement = context.statements.holder(context.column);
    let rows = context.fetch::<D>(connection, statement, values).await?;
    rows.first().map(found).transpose()
}

pub(super) fn found<R: Row>(row: &R) -> Result<AcquireAnswer, R::Error> {
    let left = row.float(1)?;
    if left.is_some_and(|left| left <= 0.0) {
        return Ok(AcquireAnswer::Contended);
    }
    Ok(AcquireAnswer::Held {
        owner: row.text(0)?.unwrap_or_default().to_owned(),
        remaining: left.and_then(seconds).unwrap_or(Duration::MAX),
    })
}

/// A duration of this many seconds; none if it is infinite.
fn seconds(left: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(left.max(0.0)).ok()
}
