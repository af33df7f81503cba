//! Instants that are texts, such as the id of a message: each is claimed by a lock of its own, whose name has the text in it.

use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::values::error::{ErrorKind, LockError};
use crate::values::name::LockName;

/// Parts the name of the lock from the text. The text behind it contains no `@`, so the last one in a name is this one.
const SEPARATOR: &str = "@=";
const ESCAPED: &AsciiSet = &CONTROLS.add(b'@').add(b'%');

/// How many seconds a claim is kept unless the configuration says otherwise.
pub(crate) const DEFAULT_KEPT_FOR: u32 = 7 * 24 * 60 * 60;
/// Clocks of nodes may differ by this much, and a message may be delivered to two nodes at the same moment.
const SHORTEST: Duration = Duration::from_secs(60);

/// The name of the lock that claims `text` for `lock`. Two texts never have one name.
pub(crate) fn claim_name(lock: &LockName, text: &str) -> Result<LockName, LockError> {
    if text.is_empty() {
        let empty = LockError::new(ErrorKind::Configuration, "the `instant` is an empty text");
        return Err(
            empty.with_remedy("give a text that names the run, such as the id of a message")
        );
    }
    let name = format!("{}{}", prefix(lock), utf8_percent_encode(text, ESCAPED));
    LockName::new(&*name).map_err(|invalid| {
        LockError::of_name(&invalid, &name)
            .with_remedy("give a shorter text as `instant`, such as a hash of it")
    })
}

/// What the names of all claims for `lock` begin with.
pub(crate) fn prefix(lock: &LockName) -> String {
    format!("{}{SEPARATOR}", lock.as_str())
}

/// What the names of all claims that belong together with the claim `name` begin with; `None` if `name` is no claim.
pub(crate) fn prefix_of(name: &str) -> Option<&str> {
    let at = name.rfind(SEPARATOR)?;
    name.get(..at + SEPARATOR.len())
}

/// The name of the lock in the name of a claim; `None` if `name` is no claim.
pub(crate) fn lock_of(name: &str) -> Option<&str> {
    prefix_of(name)?.strip_suffix(SEPARATOR)
}

/// Refuses a time after which claims are forgotten that is so short that a run could be repeated.
pub(crate) fn check_kept_for(kept_for: Duration) -> Result<(), LockError> {
    if kept_for >= SHORTEST {
        return Ok(());
    }
    let problem =
        "claims are to be kept for less than a minute, which is less than clocks may differ";
    Err(LockError::new(ErrorKind::Configuration, problem)
        .with_remedy("keep them for as long as a message may be delivered again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_claims_have_one_name() {
        let claim = |lock: &str, text: &str| {
            let lock = LockName::new(lock).unwrap();
            claim_name(&lock, text).unwrap().as_str().to_owned()
        };
        assert_eq!(claim("mail", "order-17"), "mail@=order-17");
        let pairs = [
            ("mail", "a@=b"),
            ("mail@=a", "b"),
            ("mail", "a%40=b"),
            ("mail", "a\nb"),
            ("mail", "a b"),
            ("mail", "a%0Ab"),
            ("mail@=", "b"),
            ("mail", "=b"),
            // Is escaped where a name is shown.
            ("mail\u{3000}box", "b"),
        ];
        let names: std::collections::BTreeSet<_> =
            pairs.iter().map(|(lock, text)| claim(lock, text)).collect();
        assert_eq!(names.len(), pairs.len(), "{names:?}");
        for (lock, text) in pairs {
            let name = claim(lock, text);
            assert_eq!(lock_of(&name), Some(lock), "{name}");
            assert_eq!(prefix_of(&name), Some(&*format!("{lock}@=")), "{name}");
        }
        assert_eq!(lock_of("mail"), None);
    }

    #[test]
    fn what_names_no_run_is_refused() {
        let lock = LockName::new("mail").unwrap();
        assert!(
            claim_name(&lock, "")
                .unwrap_err()
                .to_string()
                .contains("empty")
        );
        let long = claim_name(&lock, &"x".repeat(2000)).unwrap_err();
        assert_eq!(long.kind(), ErrorKind::InvalidName);
        assert!(long.to_string().contains("a hash of it"), "{long}");
        assert!(check_kept_for(Duration::from_secs(59)).is_err());
    }
}
