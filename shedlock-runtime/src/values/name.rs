//! The checked name of a lock. A store's own limit on names is part of its capabilities.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::values::printable::printable;

/// No store in reach keeps a longer key, and an error message with the name in it stays readable.
pub(crate) const MAX_BYTES: usize = 1024;

/// The name of a lock: not empty, at most 1024 bytes, no control characters, cheap to clone.
///
/// Names are compared byte by byte: `Job`, `job` and `job ` are three locks.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::LockName;
///
/// assert_eq!(LockName::new("nightly_report")?.as_str(), "nightly_report");
/// assert!(LockName::new("").is_err());
/// assert!(LockName::new("a\0b").is_err());
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Clone)]
pub struct LockName(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared(Arc<str>),
}

/// Why a text cannot name a lock.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{InvalidName, LockName};
///
/// assert_eq!(LockName::new("").unwrap_err(), InvalidName::Empty);
/// assert_eq!(LockName::new("a\0b").unwrap_err(), InvalidName::Control { found: '\0', at: 1 });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// The text has no characters.
    #[error("a lock name cannot be empty")]
    Empty,
    /// The text contains NUL, a line break or another control character.
    #[error("a lock name cannot contain control characters; found {found:?} at byte {at}")]
    Control {
        /// The control character.
        found: char,
        /// The byte offset of the control character in the text.
        at: usize,
    },
    /// The text is longer than 1024 bytes, or longer than the store's column or key.
    #[error("a lock name can have at most {max} {unit} here; this one has {len}")]
    TooLong {
        /// The length of the text, in `unit`.
        len: usize,
        /// The greatest length that is allowed, in `unit`.
        max: usize,
        /// What is counted: `characters` or `bytes` of UTF-8.
        unit: &'static str,
    },
    /// The text contains a character that the store's keys cannot have.
    #[error("a lock name here has only {alphabet}; found {found:?}")]
    OutsideAlphabet {
        /// The character that is not allowed.
        found: char,
        /// The characters that the store allows, in words.
        alphabet: &'static str,
    },
}

impl LockName {
    /// Checks `name` and copies it.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] if it is empty, longer than 1024 bytes or contains control characters.
    pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidName> {
        let name = name.as_ref();
        check(name)?;
        Ok(Self(Repr::Shared(name.into())))
    }

    /// Checks `name` and keeps the reference, without an allocation.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_static(name: &'static str) -> Result<Self, InvalidName> {
        check(name)?;
        Ok(Self(Repr::Static(name)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(name) => name,
            Repr::Shared(name) => name,
        }
    }

    /// Refuses a name that a store with `max` characters to a name would cut.
    pub(crate) fn check_chars(&self, max: usize) -> Result<(), InvalidName> {
        // A character is at least one byte, so short names need no counting.
        if self.as_str().len() <= max {
            return Ok(());
        }
        match self.as_str().chars().count() {
            len if len <= max => Ok(()),
            len => Err(InvalidName::TooLong {
                len,
                max,
                unit: "characters",
            }),
        }
    }

    /// Refuses a name that a store with `max` bytes to a key could not keep.
    pub(crate) fn check_bytes(&self, max: usize) -> Result<(), InvalidName> {
        match self.as_str().len() {
            len if len <= max => Ok(()),
            len => Err(InvalidName::TooLong {
                len,
                max,
                unit: "bytes",
            }),
        }
    }
}

fn check(name: &str) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::Empty);
    }
    if name.len() > MAX_BYTES {
        return Err(InvalidName::TooLong {
            len: name.len(),
            max: MAX_BYTES,
            unit: "bytes",
        });
    }
    // Most names are plain, and every call checks its own.
    if name.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Ok(());
    }
    match name.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, found)) => Err(InvalidName::Control { found, at }),
        None => Ok(()),
    }
}

/// For people, escaped by [`printable`]. [`as_str`](LockName::as_str) is the name unescaped.
impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.as_str()))
    }
}

impl fmt::Debug for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl AsRef<str> for LockName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

// Lets a map keyed by names be asked with a `&str`; so Eq, Ord and Hash must be those of the text.
impl Borrow<str> for LockName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for LockName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for LockName {}

impl PartialOrd for LockName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LockName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for LockName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_but_legal_names_are_kept_as_they_are() {
        for name in [
            "a",
            " ",
            "job ",
            "JOB",
            "naïve",
            "🦀",
            "'; DROP TABLE shedlock; --",
            "a/b",
        ] {
            assert_eq!(LockName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn control_characters_and_empty_names_are_refused() {
        assert_eq!(LockName::new(""), Err(InvalidName::Empty));
        for name in ["a\0", "a\nb", "\u{1b}[0m", "\u{7f}", "\u{85}"] {
            assert!(
                matches!(LockName::new(name), Err(InvalidName::Control { .. })),
                "{name:?}"
            );
        }
    }

    #[test]
    fn the_limit_counts_characters_not_bytes() {
        let crabs = LockName::new("🦀".repeat(64)).unwrap();
        assert_eq!(crabs.check_chars(64), Ok(()));
        let message = LockName::new("x".repeat(65))
            .unwrap()
            .check_chars(64)
            .unwrap_err();
        assert_eq!(
            message.to_string(),
            "a lock name can have at most 64 characters here; this one has 65"
        );
    }
}
