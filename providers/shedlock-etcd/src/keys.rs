//! The keys of a lock and of its position.

/// The beginnings of the keys of all locks of a provider. By default, the keys of locks are those of JVM nodes: `shedlock:default:`.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    locks: String,
    positions: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str, environment: &str) -> Self {
        Self {
            locks: format!("{prefix}:{environment}:"),
            positions: format!("{prefix}-position:{environment}:"),
        }
    }

    /// The key of the lock `name`, or the beginning of the keys of all locks whose names begin with `name`.
    pub(crate) fn lock(&self, name: &str) -> String {
        format!("{}{name}", self.locks)
    }

    /// The key of the position of the lock `name`, or the beginning of several such keys.
    pub(crate) fn position(&self, name: &str) -> String {
        format!("{}{name}", self.positions)
    }

    /// The name of the lock with the key `lock_key`; `None` if the key is not the key of a lock of this provider.
    pub(crate) fn name<'a>(&self, lock_key: &'a str) -> Option<&'a str> {
        lock_key.strip_prefix(&self.locks)
    }

    /// The name of the lock whose position has the key `position_key`.
    pub(crate) fn name_of_position<'a>(&self, position_key: &'a str) -> Option<&'a str> {
        position_key.strip_prefix(&self.positions)
    }

    /// The beginning of the keys of all locks.
    pub(crate) fn beginning(&self) -> &str {
        &self.locks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_no_position_is_a_lock() {
        let keys = Keys::new("shedlock", "default");
        assert_eq!(keys.lock("mail"), "shedlock:default:mail");
        assert_eq!(keys.position("mail"), "shedlock-position:default:mail");
        assert_eq!(keys.name(&keys.lock("a:b é")), Some("a:b é"));
        assert_eq!(keys.name(&keys.position("mail")), None);
        assert_eq!(keys.name_of_position(&keys.position("mail")), Some("mail"));
        assert_eq!(keys.name("shedlock:other:mail"), None);
    }
}
