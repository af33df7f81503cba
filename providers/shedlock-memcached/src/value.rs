//! The value under a lock's key, in the format of JVM nodes: `ADDED:2026-11-28T10:41:11.355Z@owner`.

use std::time::SystemTime;

use shedlock_runtime::{format_timestamp, parse_timestamp};

const ADDED: &str = "ADDED:";
const TIMESTAMP: usize = "2026-11-28T10:41:11.355Z".len();

/// The parts of a lock's value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored<'a> {
    /// When the holder took the lock, by the holder's clock.
    pub(crate) since: Option<SystemTime>,
    /// The owner: an owner of this implementation, an operator's mark, or the name of a JVM node.
    pub(crate) owner: &'a str,
}

/// The value of a lock that `owner` takes at the time `since`, by the holder's clock.
pub(crate) fn format(since: SystemTime, owner: &str) -> String {
    format!("{ADDED}{}@{owner}", format_timestamp(since))
}

/// Parses a value; `None` if it is not the value of a lock.
pub(crate) fn parse(value: &[u8]) -> Option<Stored<'_>> {
    let added = std::str::from_utf8(value).ok()?.strip_prefix(ADDED)?;
    let (since, at_owner) = added.split_at_checked(TIMESTAMP)?;
    Some(Stored {
        since: parse_timestamp(since),
        owner: at_owner.strip_prefix('@')?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_value_reads_back() {
        let since = UNIX_EPOCH + Duration::from_millis(1_700_000_000_001);
        let value = format(since, "web-2#@1");
        assert_eq!(value, "ADDED:2023-11-14T22:13:20.001Z@web-2#@1");
        let (since, owner) = (Some(since), "web-2#@1");
        assert_eq!(parse(value.as_bytes()), Some(Stored { since, owner }));
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
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(parse(b"ADDED:2023-11-14T22:13:20.001Z@\xff"), None);
    }
}
