//! The position of a lock under a key of its own, which JVM nodes do not read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use shedlock_runtime::Position;

/// The value under the key of a position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredPosition {
    number: u64,
    done: bool,
    tries: u32,
    /// The node on which the last run began.
    pub(crate) node: String,
    /// When the value was written, by the clock of that node, in milliseconds since 1970 (UTC).
    at: u64,
}

impl StoredPosition {
    pub(crate) fn new(position: Position, node: &str, now: SystemTime) -> Self {
        let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            number: position.number,
            done: position.is_done,
            tries: position.tries,
            node: node.to_owned(),
            at: u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX),
        }
    }

    pub(crate) fn position(&self) -> Position {
        Position {
            number: self.number,
            is_done: self.done,
            tries: self.tries,
        }
    }

    /// Parses a value; `None` if it is not the value of a position.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }

    pub(crate) fn format(&self) -> String {
        // A value of numbers and texts can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// When the value was written, by the clock of the node that wrote it; `None` if no clock can tell that time.
    pub(crate) fn at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back() {
        let position = Position {
            number: 1_795_863_775_972,
            is_done: false,
            tries: 2,
        };
        let now = UNIX_EPOCH + Duration::from_millis(1_795_863_775_973);
        let stored = StoredPosition::new(position, "web-2", now);
        let value = stored.format();
        assert_eq!(
            value,
            r#"{"number":1795863775972,"done":false,"tries":2,"node":"web-2","at":1795863775973}"#
        );
        let read = StoredPosition::parse(value.as_bytes()).unwrap();
        assert_eq!(read.position(), position);
        assert_eq!(read.at(), Some(now));
        assert_eq!(StoredPosition::parse(b"7"), None);
    }
}
