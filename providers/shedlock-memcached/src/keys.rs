//! Which key a lock has: that of JVM nodes, `shedlock:default:nightly_report`.

use shedlock_runtime::{ErrorKind, LockError, printable};

const PREFIX: &str = "shedlock";
/// The longest key that the server takes, in bytes.
const LONGEST_KEY: usize = 250;
/// At least so much of a key is left for the name of a lock.
const LEAST_NAME: usize = 64;
/// Stands for a blank, which a key cannot have. No name has this byte, because it occurs in no UTF-8.
const BLANK: u8 = 0xff;

/// The keys of the locks of one environment.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// What each key begins with.
    beginning: String,
}

impl Keys {
    pub(crate) fn new(environment: &str) -> Result<Self, LockError> {
        let beginning = format!("{PREFIX}:{environment}:");
        let is_legal = |c: char| c != ' ' && !c.is_control();
        let problem = if !environment.chars().all(is_legal) {
            "an environment can have neither blanks nor control characters".to_owned()
        } else if beginning.len() + LEAST_NAME > LONGEST_KEY {
            format!("an environment of {} bytes is too long", environment.len())
        } else {
            return Ok(Self { beginning });
        };
        Err(LockError::new(ErrorKind::Configuration, problem)
            .with_remedy("give a short word, such as `production`"))
    }

    /// The longest name that a lock can have, in bytes.
    pub(crate) fn longest_name(&self) -> usize {
        LONGEST_KEY - self.beginning.len()
    }

    /// The key of the lock `name`.
    pub(crate) fn key(&self, name: &str) -> Vec<u8> {
        let name = name.bytes().map(|byte| match byte {
            b' ' => BLANK,
            byte => byte,
        });
        self.beginning.bytes().chain(name).collect()
    }

    /// The name of the lock with this key; `None` if it is not the key of a lock in this environment.
    pub(crate) fn name(&self, key: &[u8]) -> Option<String> {
        let name = key.strip_prefix(self.beginning.as_bytes())?;
        let name = name.iter().map(|byte| match *byte {
            BLANK => b' ',
            byte => byte,
        });
        // A name is always UTF-8. Another key belongs to another program.
        String::from_utf8(name.collect()).ok()
    }
}

/// A key for messages.
pub(crate) fn shown(key: &[u8]) -> String {
    printable(&String::from_utf8_lossy(key)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_are_those_of_jvm_nodes() {
        let keys = Keys::new("default").unwrap();
        assert_eq!(keys.key("w1"), b"shedlock:default:w1");
        assert_eq!(keys.key("jób%20"), "shedlock:default:jób%20".as_bytes());
        assert_eq!(keys.key(" a b"), b"shedlock:default:\xffa\xffb");
        for name in ["w1", "a b", "a\u{a0}b", "jób ", "%20", "🦀 ", ":", "ÿ"] {
            let key = keys.key(name);
            assert!(!key.contains(&b' '), "{name}");
            assert_eq!(keys.name(&key).as_deref(), Some(name));
        }
        for key in ["shedlock:other:w1", "shedlock:default", "cache"] {
            assert_eq!(keys.name(key.as_bytes()), None, "{key}");
        }
        assert_eq!(keys.name(b"shedlock:default:\xfe"), None);
    }

    #[test]
    fn an_environment_must_fit_into_a_key() {
        assert_eq!(Keys::new("default").unwrap().longest_name(), 233);
        for environment in ["a b", "a\nb", "a\0", &"x".repeat(200)] {
            let refused = Keys::new(environment).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Configuration, "{environment:?}");
        }
    }
}
