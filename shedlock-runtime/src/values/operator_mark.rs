//! What an operator leaves in a record in place of an owner.

use std::fmt;

const PAUSED: &str = "paused: ";
const RELEASED: &str = "released: ";
/// Fits ShedLock's `locked_by VARCHAR(255)` with either word before it.
const MAX_REASON_CHARS: usize = 200;

/// What an operator leaves in a record's owner field: a pause or a forced release, with a reason.
///
/// Every node, JVM nodes included, sees a holder that is not itself, and therefore skips.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::OperatorMark;
///
/// let mark = OperatorMark::paused("moving the mail server");
/// assert_eq!(mark.to_string(), "paused: moving the mail server");
/// assert_eq!(OperatorMark::parse("paused: moving the mail server"), Some(mark));
/// assert_eq!(OperatorMark::parse("web-2"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorMark {
    word: &'static str,
    reason: String,
}

impl OperatorMark {
    /// The prefix of the stored form of every pause. No owner begins with this prefix.
    pub const PAUSED_PREFIX: &'static str = PAUSED;

    /// The mark of a pause. Control characters in the reason become spaces, and the reason is cut to 200 characters.
    #[must_use]
    pub fn paused(reason: &str) -> Self {
        Self::new(PAUSED, reason)
    }

    /// The mark of a forced release. Control characters in the reason become spaces, and the reason is cut to 200 characters.
    #[must_use]
    pub fn released(reason: &str) -> Self {
        Self::new(RELEASED, reason)
    }

    /// Reads the mark from the owner field of a record; `None` if an owner stands there.
    #[must_use]
    pub fn parse(stored_owner: &str) -> Option<Self> {
        [PAUSED, RELEASED].into_iter().find_map(|word| {
            // Cleaned again, because other programs can write to the store too.
            let reason = stored_owner.strip_prefix(word)?;
            Some(Self::new(word, reason))
        })
    }

    /// Whether the mark is of a pause, and not of a forced release.
    #[must_use]
    pub fn is_pause(&self) -> bool {
        self.word == PAUSED
    }

    /// The reason that the operator gave.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    fn new(word: &'static str, reason: &str) -> Self {
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let reason = reason.chars().take(MAX_REASON_CHARS).map(clean).collect();
        Self { word, reason }
    }
}

/// The stored form, unescaped. Before you print the reason, escape it by [`printable`](crate::printable).
impl fmt::Display for OperatorMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.word, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::node::node_name;

    #[test]
    fn a_mark_always_fits_the_column_and_reads_back() {
        let mark = OperatorMark::paused(&"é\n".repeat(1000));
        assert!(mark.to_string().chars().count() <= 255);
        assert!(!mark.to_string().contains('\n'));
        assert_eq!(OperatorMark::parse(&mark.to_string()), Some(mark));
        assert!(!OperatorMark::released("x").is_pause());
    }

    #[test]
    fn no_node_is_taken_for_an_operator() {
        assert_eq!(&*node_name("paused: me"), "paused_ me");
        assert_eq!(&*node_name("paused"), "paused");
    }
}
