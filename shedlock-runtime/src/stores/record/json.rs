//! A record as JSON text, with the field names that ShedLock for the JVM uses.

use serde_json::{Value, json};

use super::LockRecord;
use crate::values::position::Position;
use crate::values::timestamp::{format_timestamp, parse_timestamp};

impl LockRecord {
    /// Writes the record as JSON text. JVM nodes use the fields `lockUntil`, `lockedAt` and `lockedBy`. They do not have the fields
    /// `fencingToken` and `position`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// use shedlock_runtime::LockRecord;
    ///
    /// let locked_at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    /// let record = LockRecord::new(locked_at + Duration::from_secs(60), locked_at, "web-2".to_owned(), 33);
    /// let json = record.to_json();
    /// assert!(json.contains(r#""lockUntil":"2023-11-14T22:14:20.000Z""#));
    /// assert_eq!(LockRecord::from_json(&json), Ok(record));
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut record = json!({
            "lockUntil": format_timestamp(self.lock_until),
            "lockedAt": format_timestamp(self.locked_at),
            "lockedBy": self.locked_by,
            "fencingToken": self.fencing_token,
        });
        if let Some(position) = self.position {
            record["position"] = json!({
                "number": position.number,
                "done": position.is_done,
                "tries": position.tries,
            });
        }
        record.to_string()
    }

    /// Reads a record from JSON text that [`to_json`](Self::to_json) or a JVM node has written. Unknown fields are ignored; a missing
    /// `fencingToken` counts as zero.
    ///
    /// # Errors
    ///
    /// A message about what is wrong with the text. Pass the message to [`Snapshot::unreadable`](crate::Snapshot::unreadable).
    pub fn from_json(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("not a lock's record: {error}"))?;
        let text = |field: &str| {
            let text = value.get(field).and_then(Value::as_str);
            text.ok_or_else(|| format!("not a lock's record: `{field}` is not a text"))
        };
        let time = |field: &str| {
            let time = parse_timestamp(text(field)?);
            time.ok_or_else(|| format!("not a lock's record: `{field}` is not a time"))
        };
        let record = Self::new(
            time("lockUntil")?,
            time("lockedAt")?,
            text("lockedBy")?.to_owned(),
            value
                .get("fencingToken")
                .and_then(Value::as_u64)
                .unwrap_or(0),
        );
        Ok(Self {
            position: value.get("position").and_then(position),
            ..record
        })
    }
}

fn position(value: &Value) -> Option<Position> {
    let tries = value.get("tries")?.as_u64()?;
    Some(Position {
        number: value.get("number")?.as_u64()?,
        is_done: value.get("done")?.as_bool()?,
        tries: tries.try_into().unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back() {
        let time = parse_timestamp("2026-11-28T10:42:55.972Z").unwrap();
        let mut record = LockRecord::new(time, time, "web-2".to_owned(), 33);
        record.position = Some(Position {
            number: 1_795_863_775_972,
            is_done: true,
            tries: 2,
        });
        assert_eq!(LockRecord::from_json(&record.to_json()), Ok(record));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let problem = |text| LockRecord::from_json(text).unwrap_err();
        assert!(problem("cache entry").starts_with("not a lock's record: expected value"));
        assert_eq!(
            problem("{}"),
            "not a lock's record: `lockUntil` is not a text"
        );
        assert_eq!(
            problem(r#"{"lockUntil":"soon"}"#),
            "not a lock's record: `lockUntil` is not a time"
        );
    }
}
