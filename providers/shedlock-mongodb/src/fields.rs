//! The names of a document's fields.

use shedlock_runtime::{ErrorKind, LockError, printable};

/// The fields of our own, which JVM nodes neither read nor change.
pub(crate) const FENCING_TOKEN: &str = "fencingToken";
pub(crate) const POSITION: &str = "position";
pub(crate) const NUMBER: &str = "number";
pub(crate) const IS_DONE: &str = "isDone";
pub(crate) const TRIES: &str = "tries";
/// The record that the last acquisition by the server's clock has replaced, with the fields' default names.
pub(crate) const PREVIOUS: &str = "previous";
/// In an answer, and in no document: the server's time.
pub(crate) const NOW: &str = "now";

const TAKEN: [&str; 5] = ["_id", FENCING_TOKEN, POSITION, PREVIOUS, NOW];

/// The names of the fields that JVM nodes have as well.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub(crate) lock_until: String,
    pub(crate) locked_at: String,
    pub(crate) locked_by: String,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            lock_until: "lockUntil".to_owned(),
            locked_at: "lockedAt".to_owned(),
            locked_by: "lockedBy".to_owned(),
        }
    }
}

impl Fields {
    /// Refuses names that MongoDB would take for something else, and two fields with one name.
    pub(crate) fn check(&self) -> Result<(), LockError> {
        let names = [&self.lock_until, &self.locked_at, &self.locked_by];
        for (at, name) in names.into_iter().enumerate() {
            let is_legal = !name.is_empty()
                && !name.starts_with('$')
                && !name.contains(['.', '\0'])
                && !TAKEN.contains(&name.as_str())
                && !names[..at].contains(&name);
            if !is_legal {
                let problem = format!("`{}` cannot name a field of a lock", printable(name));
                return Err(
                    LockError::new(ErrorKind::Configuration, problem).with_remedy(
                        "give three different names without `.` and without `$` in front",
                    ),
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_something_else_are_refused() {
        let with = |name: &str| Fields {
            lock_until: name.to_owned(),
            ..Fields::default()
        };
        for illegal in [
            "",
            "$until",
            "lock.until",
            "a\0",
            "_id",
            "lockedBy",
            "position",
            "previous",
            "now",
        ] {
            let error = with(illegal).check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{illegal:?}");
        }
        assert!(with("expires").check().is_ok());
    }
}
