//! Reads the record of a lock for a request that asks for a position and was refused.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::Position;

use super::{AcquireAnswer, mysql, postgres, sqlite};
use crate::dialect::Dialect;
use crate::driver::{Driver, Row};
use crate::locks::Context;
use crate::statements::Values;

/// Reads who holds the lock, or the position in the record of a free lock.
pub(super) async fn read<D: Driver>(
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
    if matches!(found, AcquireAnswer::Contended | AcquireAnswer::TooLate) {
        return free(row, column);
    }
    Ok(found)
}

/// The position of a free lock, in four columns from this one on.
fn free<R: Row>(row: &R, column: usize) -> Result<AcquireAnswer, R::Error> {
    let number = row.integer(column)?.unwrap_or_default();
    let tries = row.integer(column + 2)?.unwrap_or_default();
    let position = Position {
        number: u64::try_from(number).unwrap_or_default(),
        is_done: row.boolean(column + 1)?.unwrap_or(true),
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
    };
    let has_begun = position.number > 0;
    Ok(AcquireAnswer::Free {
        owner: row.text(0)?.unwrap_or_default().to_owned(),
        position: has_begun.then_some(position),
        now: instant(row.integer(column + 3)?.unwrap_or_default()),
    })
}

fn instant(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
