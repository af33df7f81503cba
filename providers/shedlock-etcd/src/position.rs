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
    /// When the lock is free of the run, of its `at_least` or of an operator's pause, by the clock of the node that has written it, in
    /// milliseconds since 1970 (UTC).
    at: u64,
}

/// The position of a lock that an acquisition has taken. Nobody else changes it while the lock is taken. A note.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    pub(crate) stored: StoredPosition,
    /// Whether the acquisition has begun it. One that asks for no position leaves the lock's as it is.
    pub(crate) is_begun: bool,
    /// The revision of the key, where the acquisition was made by another process, which may change the position as well.
    pub(crate) revision: Option<i64>,
}

impl Beside {
    pub(crate) const fn of(stored: StoredPosition, is_begun: bool) -> Self {
        Self {
            stored,
            is_begun,
            revision: None,
        }
    }
}

impl StoredPosition {
    pub(crate) fn new(position: Position, node: &str, free_at: SystemTime) -> Self {
        let begun = Self {
            number: position.number,
            done: position.is_done,
            tries: position.tries,
            node: node.to_owned(),
            at: 0,
        };
        begun.free_at(free_at)
    }

    /// The same position of a lock that is free at another time.
    pub(crate) fn free_at(self, free_at: SystemTime) -> Self {
        let since_1970 = free_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX);
        Self { at, ..self }
    }

    /// The same position after its run has ended well.
    pub(crate) fn done(self) -> Self {
        Self { done: true, ..self }
    }

    /// The same position with one try less, because no run has begun.
    pub(crate) fn unused(self) -> Self {
        let tries = self.tries.saturating_sub(1);
        Self { tries, ..self }
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

    /// When the lock is free, by the clock of the node that has written it; `None` if no clock can tell that time.
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
        let hour = Duration::from_secs(3600);
        let done = read.done().free_at(now + hour);
        assert_eq!(done.at(), Some(now + hour));
        let expected = Position {
            is_done: true,
            ..position
        };
        assert_eq!((done.position(), &*done.node), (expected, "web-2"));
        assert_eq!(StoredPosition::parse(b"7"), None);
    }
}
