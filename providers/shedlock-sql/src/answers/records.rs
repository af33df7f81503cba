//! Reads the rows of locks' records.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::LockInfo;

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
    let info = info.with_fencing_token(token.filter(|token| *token > 0));
    Ok(match (until, since) {
        (None, _) => info.with_problem(match text(6) {
            "" | "null" => "the end of the lease is NULL".to_owned(),
            kind => format!("the end of the lease is {kind}"),
        }),
        (_, None) => info.with_problem("the start of the lease is not a time"),
        _ => info,
    })
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
