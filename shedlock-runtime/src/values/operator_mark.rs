//! What an operator leaves in a record in the place of an owner.

use std::fmt;

const PAUSED: &str = "paused: ";
const RELEASED: &str = "released: ";
/// Fits ShedLock's `locked_by VARCHAR(255)` with either word before it.
const MAX_REASON_CHARS: usize = 200;

/// A pause or a release by hand, as the record keeps it: nodes of every make see a holder that is none of them.
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
    /// What the stored form of every pause begins with, and no owner does.
    pub const PAUSED_PREFIX: &'static str = PAUSED;

    /// The lock is paused.
    #[must_use]
    pub fn paused(reason: &str) -> Self {
        Self::new(PAUSED, reason)
    }

    /// The lock was taken from its holder.
    #[must_use]
    pub fn released(reason: &str) -> Self {
        Self::new(RELEASED, reason)
    }

    /// The mark in a stored owner, if it is one.
    #[must_use]
    pub fn parse(stored_owner: &str) -> Option<Self> {
        [PAUSED, RELEASED].into_iter().find_map(|word| {
            // Cleaned again: others can write to the store too.
            let reason = stored_owner.strip_prefix(word)?;
            Some(Self::new(word, reason))
        })
    }

    /// Whether it is a pause.
    #[must_use]
    pub fn is_pause(&self) -> bool {
        self.word == PAUSED
    }

    /// The operator's words.
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

/// The stored form, as it is; the reason is shown by [`printable`](crate::printable).
impl fmt::Display for OperatorMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.word, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::owner::node_name;

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
