//! A lock's record as one text, as JVM nodes write it into stores that keep a value under a key.

use std::time::SystemTime;

use crate::values::timestamp::{format_timestamp, parse_timestamp};

const ADDED: &str = "ADDED:";
const TIMESTAMP: usize = "2026-11-28T10:41:11.355Z".len();

/// The value of a lock in a store that keeps one text for each lock, in the format of JVM nodes: `ADDED:2026-11-28T10:41:11.355Z@owner`.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use shedlock_runtime::LockValue;
///
/// let since = UNIX_EPOCH + Duration::from_millis(1_700_000_000_001);
/// let value = LockValue::format(since, "web-2");
/// assert_eq!(value, "ADDED:2023-11-14T22:13:20.001Z@web-2");
/// let parsed = LockValue::parse(value.as_bytes()).expect("it is the value of a lock");
/// assert_eq!((parsed.since, parsed.owner), (Some(since), "web-2"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockValue<'a> {
    /// When the holder took the lock, by the holder's clock; `None` if the text is no time.
    pub since: Option<SystemTime>,
    /// The owner as it is stored: an owner of this implementation, an operator's mark, or the name of a JVM node.
    pub owner: &'a str,
}

impl<'a> LockValue<'a> {
    /// The value of a lock that `owner` takes at the time `since`, by the holder's clock.
    #[must_use]
    pub fn format(since: SystemTime, owner: &str) -> String {
        format!("{ADDED}{}@{owner}", format_timestamp(since))
    }

    /// Parses a value; `None` if it is not the value of a lock.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let added = std::str::from_utf8(value).ok()?.strip_prefix(ADDED)?;
        let (since, at_owner) = added.split_at_checked(TIMESTAMP)?;
        Some(Self {
            since: parse_timestamp(since),
            owner: at_owner.strip_prefix('@')?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_value_reads_back() {
        let since = UNIX_EPOCH + Duration::from_millis(1_700_000_000_001);
        let value = LockValue::format(since, "web-2#@1");
        assert_eq!(value, "ADDED:2023-11-14T22:13:20.001Z@web-2#@1");
        let (since, owner) = (Some(since), "web-2#@1");
        assert_eq!(
            LockValue::parse(value.as_bytes()),
            Some(LockValue { since, owner })
        );
    }

    #[test]
    fn what_others_write_is_no_lock() {
        for value in [
            "",
            "1",
            "ADDED:",
            "ADDED:2023-11-14T22:13:20.001Z",
            "ADDED:2023-11-14T22:13:20.001Zéé@x",
            "ADDED:now@me",
        ] {
            assert_eq!(LockValue::parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(
            LockValue::parse(b"ADDED:2023-11-14T22:13:20.001Z@\xff"),
            None
        );
    }
}
