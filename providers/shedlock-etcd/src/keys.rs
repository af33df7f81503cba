//! The keys of a lock, of its holder and of its position.

/// The beginnings of the keys of all locks of a provider. By default, the keys of locks are those of JVM nodes: `shedlock:default:`.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    locks: String,
    holders: String,
    positions: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str, environment: &str) -> Self {
        Self {
            locks: format!("{prefix}:{environment}:"),
            holders: format!("{prefix}-holder:{environment}:"),
            positions: format!("{prefix}-position:{environment}:"),
        }
    }

    /// The key of the lock `name`, or the beginning of the keys of all locks whose names begin with `name`.
    pub(crate) fn lock(&self, name: &str) -> String {
        format!("{}{name}", self.locks)
    }

    /// The key of the last holder of the lock `name`, or the beginning of several such keys. The key is there until its holder releases the lock.
    pub(crate) fn holder(&self, name: &str) -> String {
        format!("{}{name}", self.holders)
    }

    /// The key of the position of the lock `name`, or the beginning of several such keys.
    pub(crate) fn position(&self, name: &str) -> String {
        format!("{}{name}", self.positions)
    }

    /// The name of the lock with the key `lock_key`; `None` if the key is not the key of a lock of this provider.
    pub(crate) fn name<'a>(&self, lock_key: &'a str) -> Option<&'a str> {
        lock_key.strip_prefix(&self.locks)
    }

    /// The name of the lock whose holder or position has the key `key`.
    pub(crate) fn name_beside<'a>(&self, key: &'a str) -> Option<&'a str> {
        let of_position = || key.strip_prefix(&self.positions);
        key.strip_prefix(&self.holders).or_else(of_position)
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
    fn a_key_reads_back_and_no_key_beside_a_lock_is_a_lock() {
        let keys = Keys::new("shedlock", "default");
        assert_eq!(keys.lock("mail"), "shedlock:default:mail");
        assert_eq!(keys.position("mail"), "shedlock-position:default:mail");
        assert_eq!(keys.name(&keys.lock("a:b é")), Some("a:b é"));
        assert_eq!(keys.holder("mail"), "shedlock-holder:default:mail");
        for beside in [keys.position("mail"), keys.holder("mail")] {
            assert_eq!(keys.name(&beside), None);
            assert_eq!(keys.name_beside(&beside), Some("mail"));
        }
        assert_eq!(keys.name_beside(&keys.lock("mail")), None);
        assert_eq!(keys.name("shedlock:other:mail"), None);
    }
}
