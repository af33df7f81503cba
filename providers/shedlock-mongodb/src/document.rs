//! The record of a lock as a document, in the format of JVM nodes.

use std::time::{Duration, SystemTime};

use mongodb::bson::{Bson, DateTime, Document, doc};
use shedlock_runtime::{LockRecord, Position, Predecessor};

use crate::fields::{FENCING_TOKEN, Fields, IS_DONE, NOW, NUMBER, POSITION, PREVIOUS, TRIES};

/// The record in a document, or what is wrong with the document.
pub(crate) fn parse(document: &Document, fields: &Fields) -> Result<LockRecord, String> {
    let time = |field: &str| match document.get(field) {
        Some(Bson::DateTime(time)) => Ok(time.to_system_time()),
        _ => Err(format!("not a lock's document: `{field}` is no date")),
    };
    let Ok(locked_by) = document.get_str(&fields.locked_by) else {
        let field = &fields.locked_by;
        return Err(format!("not a lock's document: `{field}` is no string"));
    };
    let lock_until = time(&fields.lock_until)?;
    // Another program's documents may lack the time of the acquisition, which decides nothing.
    let locked_at = time(&fields.locked_at).unwrap_or(lock_until);
    let token = document.get(FENCING_TOKEN).map(number).unwrap_or_default();
    let mut record = LockRecord::new(lock_until, locked_at, locked_by.to_owned(), token);
    record.position = document.get_document(POSITION).ok().map(position);
    Ok(record)
}

/// The holder before, if its lease ended without a release.
pub(crate) fn predecessor(document: &Document) -> Option<Predecessor> {
    let previous = document.get_document(PREVIOUS).ok()?;
    let record = parse(previous, &Fields::default()).ok()?;
    let (since, until) = (Some(record.locked_at), Some(record.lock_until));
    let holder = Predecessor::from_record(&record.locked_by, since, until)?;
    let token = Some(record.fencing_token).filter(|token| *token > 0);
    Some(
        holder
            .with_fencing_token(token)
            .with_position(record.position),
    )
}

/// The server's time in an answer, if the server was asked for it.
pub(crate) fn now(document: &Document) -> Option<SystemTime> {
    document
        .get_datetime(NOW)
        .ok()
        .map(|now| now.to_system_time())
}

/// The fields of a record, without the lock's name.
pub(crate) fn format(record: &LockRecord, fields: &Fields) -> Document {
    let mut document = doc! {
        &fields.lock_until: date(record.lock_until),
        &fields.locked_at: date(record.locked_at),
        &fields.locked_by: &record.locked_by,
        FENCING_TOKEN: long(record.fencing_token),
    };
    if let Some(position) = record.position {
        let position = doc! {
            NUMBER: long(position.number),
            IS_DONE: position.is_done,
            TRIES: position.tries,
        };
        document.insert(POSITION, position);
    }
    document
}

pub(crate) fn date(time: SystemTime) -> DateTime {
    DateTime::from_system_time(time)
}

/// Numbers of MongoDB have a sign.
pub(crate) fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The whole milliseconds of a duration, rounded up.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

fn position(document: &Document) -> Position {
    let tries = document.get(TRIES).map(number).unwrap_or_default();
    Position {
        number: document.get(NUMBER).map(number).unwrap_or_default(),
        is_done: document.get_bool(IS_DONE).unwrap_or_default(),
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
    }
}

/// A number of any type: the shell writes whole numbers as doubles.
fn number(value: &Bson) -> u64 {
    match *value {
        Bson::Int32(number) => u64::try_from(number).unwrap_or_default(),
        Bson::Int64(number) => u64::try_from(number).unwrap_or_default(),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast stays within the range of u64"
        )]
        Bson::Double(number) => number as u64,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_record_reads_back() {
        let fields = Fields::default();
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let mut record = LockRecord::new(at(1_700_000_000_123), at(5), "web-2".to_owned(), 7);
        assert_eq!(
            parse(&format(&record, &fields), &fields),
            Ok(record.clone())
        );
        record.position = Some(Position {
            number: 3,
            is_done: true,
            tries: 2,
        });
        assert_eq!(parse(&format(&record, &fields), &fields), Ok(record));
    }

    #[test]
    fn other_documents_are_told_from_records() {
        let fields = Fields::default();
        let date = DateTime::from_millis(0);
        for (foreign, named) in [
            (doc! {}, "lockedBy"),
            (
                doc! { "lockedBy": "a", "lockUntil": "2026-11-28" },
                "lockUntil",
            ),
            (doc! { "lockedBy": 1, "lockUntil": date }, "lockedBy"),
        ] {
            let problem = parse(&foreign, &fields).unwrap_err();
            assert!(problem.contains(named), "{problem}");
        }
        let jvm = doc! { "lockUntil": date, "lockedAt": date, "lockedBy": "app.example" };
        let record = parse(&jvm, &fields).unwrap();
        assert_eq!((record.fencing_token, record.position), (0, None));
        let typed = doc! { "lockUntil": date, "lockedBy": "a", "fencingToken": 33.0 };
        assert_eq!(parse(&typed, &fields).unwrap().fencing_token, 33);
    }
}
