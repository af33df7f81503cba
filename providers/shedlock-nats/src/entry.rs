//! The record of a lock as an entry of a key-value bucket, in the format of JVM nodes: the key, the value and the headers.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::message::StreamMessage;
use async_nats::{HeaderMap, HeaderValue};
use shedlock_runtime::{LockRecord, NameEncoding, Position, Snapshot};

const OWNER: &str = "Shedlock-Owner";
const LOCKED_AT: &str = "Shedlock-At";
const TOKEN: &str = "Shedlock-Token";
const POSITION: &str = "Shedlock-Position";
/// The words for a position whose run has succeeded, and for one whose run has not.
const DONE: &str = "done";
const BEGUN: &str = "begun";
const OPERATION: &str = "KV-Operation";
/// The header of the marker that the server leaves in place of an entry that the server itself removed.
const MARKER_REASON: &str = "Nats-Marker-Reason";

const KEYS: NameEncoding = NameEncoding::new('=', is_plain_or_dot);
const KEYS_WITHOUT_DOTS: NameEncoding = NameEncoding::new('=', is_plain);
/// The encoding of headers. JVM nodes cannot read a message with characters other than visible ASCII in a header.
const HEADERS: NameEncoding = NameEncoding::new('%', |c| c.is_ascii_graphic());

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_/".contains(c)
}

fn is_plain_or_dot(c: char) -> bool {
    is_plain(c) || c == '.'
}

/// The key of a lock. The dots of the name are not encoded where NATS allows dots.
pub(crate) fn key(name: &str) -> Cow<'_, str> {
    if name.split('.').any(str::is_empty) {
        KEYS_WITHOUT_DOTS.encode(name)
    } else {
        KEYS.encode(name)
    }
}

/// The name of the lock with the key `of_key`; `None` if this is not the key of a lock.
pub(crate) fn name(of_key: &str) -> Option<String> {
    let decoded = KEYS
        .decode(of_key)
        .or_else(|| KEYS_WITHOUT_DOTS.decode(of_key));
    decoded.filter(|name| key(name) == of_key)
}
pub(crate) fn header<'a>(message: &'a StreamMessage, name: &str) -> Option<&'a str> {
    message.headers.get(name).map(HeaderValue::as_str)
}
fn millis(instant: SystemTime) -> u64 {
    let since_1970 = instant.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

fn instant(millis: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

/// The value of an entry, which is all that JVM nodes read: the end of the lease.
pub(crate) fn value(record: &LockRecord) -> Vec<u8> {
    millis(record.lock_until).to_be_bytes().to_vec()
}

/// The fields of a record that JVM nodes ignore, as headers.
pub(crate) fn headers(record: &LockRecord) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(OWNER, &*HEADERS.encode(&record.locked_by));
    headers.insert(LOCKED_AT, millis(record.locked_at).to_string());
    headers.insert(TOKEN, record.fencing_token.to_string());
    if let Some(position) = record.position {
        headers.insert(POSITION, written_position(position));
    }
    headers
}

/// A position as a header, such as `3,done,1`.
fn written_position(position: Position) -> String {
    let state = if position.is_done { DONE } else { BEGUN };
    format!("{},{state},{}", position.number, position.tries)
}

fn read_position(header: &str) -> Option<Position> {
    let (number, rest) = header.split_once(',')?;
    let (state, tries) = rest.split_once(',')?;
    Some(Position {
        number: number.parse().ok()?,
        is_done: match state {
            DONE => true,
            BEGUN => false,
            _ => return None,
        },
        tries: tries.parse().ok()?,
    })
}

/// The record in an entry of the bucket.
pub(crate) fn snapshot(message: &StreamMessage) -> Snapshot<u64> {
    let header = |name| header(message, name);
    let is_deleted = header(OPERATION).is_some_and(|operation| operation != "PUT");
    if is_deleted || header(MARKER_REASON).is_some() {
        return Snapshot::deleted(message.sequence);
    }
    let Ok(value) = <[u8; 8]>::try_from(&*message.payload) else {
        let found = message.payload.len();
        return Snapshot::unreadable(format!("not a lock's record: {found} bytes instead of 8"));
    };
    let Some(lock_until) = instant(u64::from_be_bytes(value)) else {
        return Snapshot::unreadable("not a lock's record: its end is no time");
    };
    let position = header(POSITION).map(read_position);
    if position == Some(None) {
        return Snapshot::unreadable(format!("not a lock's record: its {POSITION} is none"));
    }
    let number = |name| header(name).and_then(|text| text.parse().ok());
    // A JVM node writes only the end of the lease, so the server's time of the write is used instead.
    let written_at = || SystemTime::from(message.time);
    let mut record = LockRecord::new(
        lock_until,
        number(LOCKED_AT)
            .and_then(instant)
            .unwrap_or_else(written_at),
        header(OWNER)
            .and_then(|owner| HEADERS.decode(owner))
            .unwrap_or_default(),
        number(TOKEN).unwrap_or(0),
    );
    record.position = position.flatten();
    Snapshot::record(record, message.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_jvm_nodes_can_have_are_their_own_keys() {
        for plain in ["mail", "nightly_report", "a.b/c-d", "0"] {
            assert_eq!(key(plain), plain);
        }
        assert_eq!(key("a:b"), "a=3Ab");
        assert_eq!(key(".a.b"), "=2Ea=2Eb");
        assert_eq!(key("a..b"), "a=2E=2Eb");
    }

    #[test]
    fn a_position_reads_back_and_nothing_else_is_one() {
        for (number, is_done, tries) in [(1, true, 1), (u64::MAX, false, u32::MAX)] {
            let position = Position {
                number,
                is_done,
                tries,
            };
            let written = written_position(position);
            assert!(written.bytes().all(|it| it.is_ascii_graphic()), "{written}");
            assert_eq!(read_position(&written), Some(position));
        }
        for other in [
            "",
            "3",
            "3,done",
            "3,over,1",
            "-3,done,1",
            "3,done,1,1",
            "3,done,",
        ] {
            assert_eq!(read_position(other), None, "{other}");
        }
    }

    #[test]
    fn keys_read_back_and_no_other_key_is_taken_for_one() {
        for original in ["mail", "a.b", ".a", "a.", "a..b", "..", "ü =*>", "a=b"] {
            assert_eq!(name(&key(original)).as_deref(), Some(original));
        }
        for foreign in ["a=b", "a=2Eb", "a=61"] {
            assert_eq!(name(foreign), None, "{foreign}");
        }
    }
}
