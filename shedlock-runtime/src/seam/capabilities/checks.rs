//! What a store cannot keep is refused before any I/O.

use std::time::Duration;

use super::Capabilities;
use crate::values::duration::InvalidDuration;
use crate::values::name::{InvalidName, LockName};

impl Capabilities {
    /// Refuses a name that the store cannot keep.
    pub(crate) fn check_name(&self, name: &LockName) -> Result<(), InvalidName> {
        name.check_chars(self.max_name_chars)?;
        name.check_bytes(self.max_name_bytes)?;
        self.check_alphabet(name.as_str())
    }

    /// Refuses a part of a name that has a character which the store does not take.
    pub(crate) fn check_alphabet(&self, part: &str) -> Result<(), InvalidName> {
        let Some(alphabet) = &self.alphabet else {
            return Ok(());
        };
        match part.chars().find(|c| !(alphabet.allows)(*c)) {
            None => Ok(()),
            Some(found) => Err(InvalidName::OutsideAlphabet {
                found,
                alphabet: alphabet.description,
            }),
        }
    }

    /// Refuses a lease that the store cannot keep.
    pub(crate) fn check_lease(&self, at_most: Duration) -> Result<(), InvalidDuration> {
        if at_most < self.shortest_lease {
            return Err(InvalidDuration::ShorterThanStore {
                shortest: self.shortest_lease,
            });
        }
        self.check_keeps(at_most)
    }

    /// Refuses a time for which the store cannot keep a lock taken: a lease, or what is left of `at_least`.
    pub(crate) fn check_keeps(&self, duration: Duration) -> Result<(), InvalidDuration> {
        if duration > self.longest_lease {
            return Err(InvalidDuration::LongerThanStore {
                longest: self.longest_lease,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_against_every_limit() {
        let narrow = Capabilities::new()
            .with_max_name_chars(4)
            .with_max_name_bytes(6)
            .with_name_alphabet("lower-case letters", char::is_lowercase);
        let check = |name: &str| narrow.check_name(&LockName::new(name).unwrap());
        assert_eq!(check("mail"), Ok(()));
        let refused = |name: &str| check(name).unwrap_err().to_string();
        assert_eq!(
            refused("mails"),
            "a lock name can have at most 4 characters here; this one has 5"
        );
        assert_eq!(
            refused("éééé"),
            "a lock name can have at most 6 bytes here; this one has 8"
        );
        assert_eq!(
            refused("m-l"),
            "a lock name here has only lower-case letters; found '-'"
        );
    }

    #[test]
    fn a_lease_is_held_against_both_limits() {
        let seconds = Capabilities::new()
            .with_grain(Duration::from_secs(1))
            .with_longest_lease(Duration::from_secs(60));
        assert!(seconds.check_lease(Duration::from_secs(1)).is_ok());
        assert!(seconds.check_lease(Duration::from_secs(60)).is_ok());
        let refused = |millis| {
            seconds
                .check_lease(Duration::from_millis(millis))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refused(999),
            "`at_most` cannot be shorter than 1s in this store"
        );
        assert_eq!(
            refused(60_001),
            "this store keeps a lock taken for at most 1m at a time"
        );
        assert!(seconds.check_keeps(Duration::ZERO).is_ok());
    }
}
