//! Where a table keeps what of a lock: the names of its attributes, and how it writes the end of a lease.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::AttributeValue;
use shedlock_runtime::{ErrorKind, LockError, format_timestamp, parse_timestamp, printable};

/// The attributes of our own, which JVM nodes neither read nor change.
const FENCING_TOKEN: &str = "fencingToken";
const POSITION: &str = "position";
const DONE: &str = "positionDone";
const TRIES: &str = "positionTries";
/// The length of the lease, and the owner whose write it is of, for nodes that end leases by observation.
const LEASE: &str = "leaseMillis";
const LEASE_OF: &str = "leaseOf";

/// What JVM nodes append to the lock's name, in the sort key.
const SORT_KEY_SUFFIX: &str = "_SortKey";
/// What DynamoDB takes as the partition key, and as the sort key, in bytes.
const LONGEST_KEY: usize = 2048;
const LONGEST_SORT_KEY: usize = 1024;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// A table of locks, as JVM nodes have it or as Dynalock has it.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) table: String,
    pub(crate) key: String,
    pub(crate) sort_key: Option<String>,
    pub(crate) lock_until: String,
    pub(crate) locked_at: String,
    pub(crate) locked_by: String,
    pub(crate) ends: Ends,
    pub(crate) ttl: Option<Ttl>,
    /// Whether leases end by observation, and not by comparing clocks.
    pub(crate) is_observed: bool,
}

/// How the end of a lease is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// As JVM nodes write times: ISO 8601 with milliseconds. The lock is free at this time.
    Text,
    /// As Dynalock writes times: seconds since 1970. The lock is free when this second is over.
    Seconds,
}

/// The attribute by which DynamoDB deletes items.
#[derive(Debug, Clone)]
pub(crate) struct Ttl {
    pub(crate) attribute: String,
    pub(crate) unused_for: Duration,
}

impl Layout {
    pub(crate) fn of_shedlock() -> Self {
        Self {
            table: "Shedlock".to_owned(),
            key: "_id".to_owned(),
            sort_key: None,
            lock_until: "lockUntil".to_owned(),
            locked_at: "lockedAt".to_owned(),
            locked_by: "lockedBy".to_owned(),
            ends: Ends::Text,
            ttl: None,
            is_observed: false,
        }
    }

    pub(crate) fn of_dynalock() -> Self {
        Self {
            table: "locks".to_owned(),
            key: "id".to_owned(),
            lock_until: "expires".to_owned(),
            locked_by: "lock_owner".to_owned(),
            ends: Ends::Seconds,
            ..Self::of_shedlock()
        }
    }

    /// The key of the lock `name`.
    pub(crate) fn key_of(&self, name: &str) -> Item {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let sort_key = self.sort_key.as_ref();
        let sort_key = sort_key.map(|key| (key.clone(), text(&sort_value(name))));
        std::iter::once((self.key.clone(), text(name)))
            .chain(sort_key)
            .collect()
    }

    /// The name of the lock whose item this is; `None` if the item has another sort key than a lock's.
    pub(crate) fn name_in<'a>(&self, item: &'a Item) -> Option<&'a str> {
        let name = item.get(&self.key)?.as_s().ok()?;
        let is_a_locks = |key: &String| {
            let sort = item.get(key).and_then(|value| value.as_s().ok());
            sort.is_some_and(|sort| *sort == sort_value(name))
        };
        let is_ours = self.sort_key.as_ref().is_none_or(is_a_locks);
        is_ours.then_some(name)
    }

    pub(crate) fn longest_name(&self) -> usize {
        match self.sort_key {
            Some(_) => LONGEST_SORT_KEY - SORT_KEY_SUFFIX.len(),
            None => LONGEST_KEY,
        }
    }

    /// The placeholders of expressions, and the attributes for which they stand.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let ttl = self.ttl.as_ref().map(|ttl| ("#ttl", &*ttl.attribute));
        [
            ("#key", &*self.key),
            ("#until", &*self.lock_until),
            ("#at", &*self.locked_at),
            ("#by", &*self.locked_by),
            ("#fence", FENCING_TOKEN),
            ("#position", POSITION),
            ("#done", DONE),
            ("#tries", TRIES),
            ("#lease", LEASE),
            ("#of", LEASE_OF),
        ]
        .into_iter()
        .chain(ttl)
    }

    /// The attribute for which a placeholder stands.
    pub(crate) fn get<'a>(&self, item: &'a Item, placeholder: &str) -> Option<&'a AttributeValue> {
        let (_, attribute) = self.placeholders().find(|(it, _)| *it == placeholder)?;
        item.get(attribute)
    }

    /// Refuses an empty name, and two attributes with one name.
    pub(crate) fn check(&self) -> Result<(), LockError> {
        let sort_key = self.sort_key.iter().map(String::as_str);
        let all: Vec<&str> = self
            .placeholders()
            .map(|(_, it)| it)
            .chain(sort_key)
            .collect();
        for (at, name) in all.iter().enumerate() {
            if name.is_empty() || name.len() > 255 || all[..at].contains(name) {
                let problem = format!("`{}` cannot name an attribute of a lock", printable(name));
                return Err(LockError::new(ErrorKind::Configuration, problem)
                    .with_remedy("give each attribute a name of its own, of 1 to 255 bytes"));
            }
        }
        let is_legal =
            |it: char| it.is_ascii_alphanumeric() || ['-', '_', '.', ':', '/'].contains(&it);
        if self.table.len() < 3 || !self.table.chars().all(is_legal) {
            let problem = format!("`{}` cannot name a table", printable(&self.table));
            return Err(
                LockError::new(ErrorKind::Configuration, problem).with_remedy(
                    "give at least three letters, digits, `-`, `_` and `.`, or the table's ARN",
                ),
            );
        }
        Ok(())
    }
}

fn sort_value(name: &str) -> String {
    format!("{name}{SORT_KEY_SUFFIX}")
}

impl Ends {
    pub(crate) const fn grain(self) -> Duration {
        match self {
            Self::Text => Duration::from_millis(1),
            Self::Seconds => Duration::from_secs(1),
        }
    }

    /// The end of a lease that ends at `time`, or of a lease that has ended at `time`. A time between two grains is rounded up.
    pub(crate) fn write(self, time: SystemTime) -> AttributeValue {
        match self {
            Self::Text => AttributeValue::S(format_timestamp(time)),
            // A lock is free in the second after this one.
            Self::Seconds => number(seconds(time).saturating_sub(1)),
        }
    }

    /// The least end of a lease that could be in the table. What another program keeps there, of another type, is neither more nor less.
    pub(crate) fn least(self) -> AttributeValue {
        self.write(UNIX_EPOCH)
    }

    pub(crate) fn read(self, value: &AttributeValue) -> Option<SystemTime> {
        match (self, value) {
            (Self::Text, AttributeValue::S(text)) => parse_timestamp(text),
            (Self::Seconds, AttributeValue::N(number)) => {
                let last: u64 = number.parse().ok()?;
                UNIX_EPOCH.checked_add(Duration::from_secs(last.checked_add(1)?))
            }
            _ => None,
        }
    }
}

pub(crate) fn number(number: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

/// The milliseconds of a lease, rounded up.
pub(crate) fn millis(length: Duration) -> u64 {
    let millis = length.as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).unwrap_or(u64::MAX)
}

/// The seconds from 1970 to `time`, rounded up.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since_1970.as_secs() + u64::from(since_1970.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_read_back_and_are_never_early() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let text = Ends::Text.write(at(1_795_862_578_082));
        assert_eq!(
            text,
            AttributeValue::S("2026-11-28T10:42:58.082Z".to_owned())
        );
        for ends in [Ends::Text, Ends::Seconds] {
            for millis in [5_000, 1_795_862_578_082, 1_795_862_578_999] {
                let end = ends.read(&ends.write(at(millis))).expect("is a time");
                assert!(end >= at(millis) && end - ends.grain() < at(millis));
            }
            assert_eq!(ends.read(&AttributeValue::Bool(true)), None);
        }
        assert_eq!(Ends::Seconds.write(at(5_001)), number(5_u32));
        assert_eq!(Ends::Text.read(&number(5_u32)), None);
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let mut layout = Layout::of_shedlock();
        assert!(layout.check().is_ok());
        for taken in ["", "_id", "lockedBy", "position", "fencingToken"] {
            layout.lock_until = taken.to_owned();
            let error = layout.check().expect_err("is taken");
            assert_eq!(error.kind(), ErrorKind::Configuration, "{taken}");
        }
        layout = Layout::of_dynalock();
        assert!(layout.check().is_ok());
        for table in ["", "ab", "a b c", "näme"] {
            layout.table = table.to_owned();
            assert!(layout.check().is_err(), "{table}");
        }
    }

    #[test]
    fn a_sort_key_is_the_name_with_the_suffix_of_jvm_nodes() {
        let mut layout = Layout::of_shedlock();
        layout.sort_key = Some("sk".to_owned());
        let mut key = layout.key_of("mail");
        assert_eq!(key["sk"], AttributeValue::S("mail_SortKey".to_owned()));
        assert_eq!(layout.name_in(&key), Some("mail"));
        key.insert("sk".to_owned(), AttributeValue::S("invoice".to_owned()));
        assert_eq!(layout.name_in(&key), None);
    }
}
