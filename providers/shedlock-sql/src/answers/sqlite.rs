//! Reads SQLite's answers, which are rows. A second statement, which costs no round trip, reads why a request was refused.

use std::time::Duration;

use super::{AcquireAnswer, UnusableRow, granted};
use crate::driver::{Connection as _, Driver, Row};
use crate::fault::Fault;
use crate::locks::Context;
use crate::statements::{Statement, Values};

pub(super) async fn acquire<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    statement: &Statement,
    values: &Values<'_>,
) -> Result<AcquireAnswer, D::Error> {
    let mut granted = context.fetch::<D>(connection, statement, values).await;
    if granted.as_ref().err().and_then(D::fault) == Some(Fault::MissingKey) {
        // SQLite's cached schema may be stale: another process may have added the key. Any read refreshes the schema.
        let look = "SELECT COUNT(*) FROM sqlite_schema".to_owned();
        drop(connection.query(look).await?);
        granted = context.fetch::<D>(connection, statement, values).await;
    }
    if let Some(row) = granted?.first() {
        return acquired(row);
    }
    let found = holder::<D>(connection, context, values).await?;
    Ok(found.unwrap_or(AcquireAnswer::Contended))
}

fn acquired<R: Row>(row: &R) -> Result<AcquireAnswer, R::Error> {
    if row.integer(0)? != Some(1) {
        return Ok(AcquireAnswer::TooLate);
    }
    Ok(granted(row, 1))
}

/// Reads the row's owner and remaining time.
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
    if row.integer(3)? != Some(1) {
        return Ok(AcquireAnswer::Unusable(UnusableRow::other_name()));
    }
    let kind = row.text(2)?.unwrap_or_default();
    Ok(match row.integer(1)? {
        None if kind == "null" => AcquireAnswer::Unusable(UnusableRow::no_end()),
        None => AcquireAnswer::Unusable(UnusableRow {
            problem: format!("the end of the lease is {kind}; expected integer milliseconds"),
            remedy: "set the row's `lock_until` to 0, or delete the row",
        }),
        Some(millis) if millis > 0 => AcquireAnswer::Held {
            owner: row.text(0)?.unwrap_or_default().to_owned(),
            remaining: Duration::from_millis(millis.unsigned_abs()),
        },
        Some(_ended) => AcquireAnswer::Unreleased,
    })
}
