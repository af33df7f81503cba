//! Reads the record of a lock for a request that asks for a position and was refused.

use std::time::{Duration, UNIX_EPOCH};

use super::{AcquireAnswer, mysql, postgres, records, sqlite};
use crate::dialect::Dialect;
use crate::driver::{Driver, Row};
use crate::locks::Context;
use crate::statements::Values;

/// Reads who holds the lock, or the position in the record of a free lock.
pub(crate) async fn read<D: Driver>(
    connection: &mut D::Connection,
    context: &Context<'_>,
    values: &Values<'_>,
) -> Result<AcquireAnswer, D::Error> {
    let statement = &context.statements.position;
    let rows = context.fetch::<D>(connection, statement, values).await?;
    let Some(row) = rows.first() else {
        return Ok(AcquireAnswer::Free {
            owner: String::new(),
            position: None,
            // Without a record no time matters: a first step alone may begin, and every slot and instant.
            now: UNIX_EPOCH,
        });
    };
    let (found, column) = match D::DIALECT {
        Dialect::Postgres => (postgres::found(row)?, 2),
        Dialect::MySql => (mysql::found(row)?, 5),
        Dialect::Sqlite => (sqlite::found(row)?, 4),
    };
    if matches!(
        found,
        AcquireAnswer::Contended | AcquireAnswer::Unreleased | AcquireAnswer::TooLate
    ) {
        return free(row, column);
    }
    Ok(found)
}

/// The position of a free lock and the time, in four columns from this one on.
fn free<R: Row>(row: &R, column: usize) -> Result<AcquireAnswer, R::Error> {
    let millis = row.integer(column + 3)?.unwrap_or_default();
    let since_1970 = Duration::from_millis(u64::try_from(millis).unwrap_or_default());
    Ok(AcquireAnswer::Free {
        owner: row.text(0)?.unwrap_or_default().to_owned(),
        position: records::position(row, column),
        now: UNIX_EPOCH + since_1970,
    })
}
