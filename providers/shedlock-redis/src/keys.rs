//! Which keys a lock has.

/// The beginning of every fence's key.
pub(crate) const FENCES: &str = "shedlock-fence:";
const SLOTS: u16 = 16_384;

/// How the keys of all locks of a provider begin, as in JVM nodes: `job-lock:default:`.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    beginning: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str, environment: &str) -> Self {
        Self {
            beginning: format!("{prefix}:{environment}:"),
        }
    }

    /// The key of the lock `name`.
    pub(crate) fn lock(&self, name: &str) -> String {
        format!("{}{name}", self.beginning)
    }

    /// A pattern for the keys of all locks whose names begin with `prefix`.
    pub(crate) fn pattern(&self, prefix: &str) -> String {
        let mut pattern = String::new();
        for c in self.lock(prefix).chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('*');
        pattern
    }

    /// The lock's name in its key.
    pub(crate) fn name<'a>(&self, lock_key: &'a str) -> Option<&'a str> {
        lock_key.strip_prefix(&self.beginning)
    }

    /// What is told of rights: the pattern that every key of every lock matches.
    pub(crate) fn beginning(&self) -> &str {
        &self.beginning
    }
}

/// The key of the fence that belongs to the lock with this key, in the same slot of a cluster.
///
/// A cluster hashes what stands between the first `{` and the next `}`, if that is anything, and else the whole key.
pub(crate) fn fence(lock_key: &str) -> String {
    if hash_tag(lock_key).is_some() {
        format!("{FENCES}{lock_key}")
    } else if lock_key.contains('}') {
        // The braces around it would close too soon: any tag of the same slot does.
        let slot = slot(lock_key.as_bytes());
        let tag = (0..1_000_000).find(|tag| self::slot(u32::to_string(tag).as_bytes()) == slot);
        format!("{FENCES}{{{}}}:{lock_key}", tag.unwrap_or_default())
    } else {
        format!("{FENCES}{{{lock_key}}}")
    }
}

fn hash_tag(key: &str) -> Option<&str> {
    let (_, behind) = key.split_once('{')?;
    let (tag, _) = behind.split_once('}')?;
    (!tag.is_empty()).then_some(tag)
}

/// CRC16 as XMODEM has it, modulo the number of slots.
fn slot(hashed: &[u8]) -> u16 {
    let crc = hashed.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    });
    crc % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_in_its_locks_slot() {
        assert_eq!(slot(b"123456789"), 0x31c3);
        let of_key = |key: &str| slot(hash_tag(key).unwrap_or(key).as_bytes());
        let keys = Keys::new("job-lock", "default");
        for name in [
            "mail", "{a}", "a{b}c", "a}b", "}a{", "{}", "{}{a}", "{", "}", "a{b", "{a{b}c}", "é",
        ] {
            let key = keys.lock(name);
            assert_eq!(of_key(&fence(&key)), of_key(&key), "{name}");
        }
        assert_eq!(
            fence(&keys.lock("mail")),
            "shedlock-fence:{job-lock:default:mail}"
        );
        assert_eq!(
            fence(&keys.lock("{a}b")),
            "shedlock-fence:job-lock:default:{a}b"
        );
    }

    #[test]
    fn a_pattern_takes_names_as_they_are() {
        let keys = Keys::new("job-lock", "a*b");
        assert_eq!(keys.pattern(r"[x]?\"), r"job-lock:a\*b:\[x\]\?\\*");
        assert_eq!(keys.name(&keys.lock("mail")), Some("mail"));
        assert_eq!(keys.name("job-lock:other:mail"), None);
    }
}
