//! Reads the rows of locks' records.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{LockInfo, Position, Predecessor, RunOutcome, RunRecord};

use crate::driver::Row;

/// The lock in this row. The row may have been edited by hand: an unreadable value must not hide all other locks.
pub(crate) fn lock<R: Row>(row: &R) -> Result<LockInfo, R::Error> {
    let text = |column: usize| row.text(column).ok().flatten().unwrap_or_default();
    let number = |column: usize| row.integer(column).ok().flatten();
    let (since, until) = (number(2), number(3));
    let now = row.integer(4)?.unwrap_or_default();
    let (name, owner, since) = (text(0), text(1), since.map(instant));
    let info = if let Some(until) = until {
        LockInfo::from_record(name, owner, since, instant(until), instant(now))
    } else {
        let mut info = LockInfo::from_remaining(name, owner, Duration::ZERO);
        info.since = since;
        info
    };
    let token = number(5).and_then(|token| u64::try_from(token).ok());
    let info = info
        .with_fencing_token(token.filter(|token| *token > 0))
        .with_position(position(row, 7));
    Ok(match (until, since) {
        (None, _) => info.with_problem(match text(6) {
            "" | "null" => "the end of the lease is NULL".to_owned(),
            kind => format!("the end of the lease is {kind}"),
        }),
        (_, None) => info.with_problem("the start of the lease is not a time"),
        _ => info,
    })
}

/// The holder in this row, if its lease has ended without a release.
pub(crate) fn predecessor<R: Row>(row: &R) -> Option<Predecessor> {
    let number = |column: usize| row.integer(column).ok().flatten();
    let owner = row.text(1).ok().flatten().unwrap_or_default();
    let (since, until) = (number(2).map(instant), number(3).map(instant));
    let token = number(5).and_then(|token| u64::try_from(token).ok());
    let found = Predecessor::from_record(owner, since, until)?;
    let found = found.with_fencing_token(token.filter(|token| *token > 0));
    Some(found.with_position(position(row, 7)))
}

/// The first columns of a row as texts, with NULL as an empty text.
pub(crate) fn texts<const N: usize, R: Row>(row: &R) -> Result<[String; N], R::Error> {
    let mut texts = [const { String::new() }; N];
    for (column, text) in texts.iter_mut().enumerate() {
        row.text(column)?.unwrap_or_default().clone_into(text);
    }
    Ok(texts)
}

/// The run of `lock` in this row of the history; none if its outcome is of a later version.
pub(crate) fn run<R: Row>(lock: &str, row: &R) -> Result<Option<RunRecord>, R::Error> {
    let text = |column| row.text(column).map(Option::unwrap_or_default);
    let time = |column| Ok::<_, R::Error>(instant(row.integer(column)?.unwrap_or_default()));
    let Some(outcome) = RunOutcome::from_word(text(3)?) else {
        return Ok(None);
    };
    let token = row.integer(4)?.and_then(|token| u64::try_from(token).ok());
    let run = RunRecord::new(lock, text(0)?, time(1)?..time(2)?, outcome)
        .with_fencing_token(token)
        .with_position(position(row, 6));
    Ok(Some(match row.text(5)? {
        Some(error) => run.with_error(error),
        None => run,
    }))
}

/// The position in three columns from this one on; none if no run has begun, or if the table has no such columns.
pub(super) fn position<R: Row>(row: &R, column: usize) -> Option<Position> {
    let number = row.integer(column).ok().flatten()?;
    let tries = row.integer(column + 2).ok().flatten().unwrap_or_default();
    let position = Position {
        number: u64::try_from(number).ok()?,
        is_done: row.boolean(column + 1).ok().flatten().unwrap_or(true),
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
    };
    (position.number > 0).then_some(position)
}

fn instant(micros: i64) -> SystemTime {
    let distance = Duration::from_micros(micros.unsigned_abs());
    let instant = if micros < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    instant.unwrap_or(UNIX_EPOCH)
}
