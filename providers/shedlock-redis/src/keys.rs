//! The keys of a lock and of its fence.

/// The beginning of every fence's key.
pub(crate) const FENCES: &str = "shedlock-fence:";
const SLOTS: u16 = 16_384;

/// The beginning of the keys of all locks of a provider. The default is the same as on JVM nodes: `job-lock:default:`.
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

    /// A pattern for the keys of all fences of locks whose names begin with `prefix`. Other keys may match as well.
    pub(crate) fn fence_pattern(&self, prefix: &str) -> String {
        format!("{FENCES}*{}", self.pattern(prefix))
    }

    /// The name of the lock with the key `lock_key`; `None` if the key is not a key of this provider.
    pub(crate) fn name<'a>(&self, lock_key: &'a str) -> Option<&'a str> {
        lock_key.strip_prefix(&self.beginning)
    }

    /// The beginning of the keys of all locks, as `Debug` shows it.
    pub(crate) fn beginning(&self) -> &str {
        &self.beginning
    }
}

/// The key of the fence of the lock with the key `lock_key`. Both keys are in the same slot of a cluster.
///
/// A cluster hashes the text between the first `{` and the next `}`, or the whole key if there is no such text.
pub(crate) fn fence(lock_key: &str) -> String {
    if hash_tag(lock_key).is_some() {
        format!("{FENCES}{lock_key}")
    } else if lock_key.contains('}') {
        // A `}` in the hashed text would end the braces around it too early, so another tag of the same slot is used.
        let slot = slot(lock_key.as_bytes());
        let tag = (0..1_000_000).find(|tag| self::slot(u32::to_string(tag).as_bytes()) == slot);
        format!("{FENCES}{{{}}}:{lock_key}", tag.unwrap_or_default())
    } else {
        format!("{FENCES}{{{lock_key}}}")
    }
}

/// The key of the lock whose fence has the key `fence_key`; `None` if this is not the key of a fence.
pub(crate) fn lock_of(fence_key: &str) -> Option<&str> {
    let rest = fence_key.strip_prefix(FENCES)?;
    let in_braces = || rest.strip_prefix('{')?.strip_suffix('}');
    let behind_tag = || Some(rest.strip_prefix('{')?.split_once("}:")?.1);
    let mut lock_keys = [in_braces(), behind_tag(), Some(rest)]
        .into_iter()
        .flatten();
    lock_keys.find(|lock_key| fence(lock_key) == fence_key)
}

/// The slot of a key in a cluster.
pub(crate) fn slot_of(key: &str) -> u16 {
    slot(hash_tag(key).unwrap_or(key).as_bytes())
}

fn hash_tag(key: &str) -> Option<&str> {
    let (_, behind) = key.split_once('{')?;
    let (tag, _) = behind.split_once('}')?;
    (!tag.is_empty()).then_some(tag)
}

/// The slot of a hashed text: CRC16 (XMODEM), modulo the number of slots.
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
        let keys = Keys::new("job-lock", "default");
        for name in [
            "mail", "{a}", "a{b}c", "a}b", "}a{", "{}", "{}{a}", "{", "}", "a{b", "{a{b}c}", "é",
        ] {
            let key = keys.lock(name);
            assert_eq!(slot_of(&fence(&key)), slot_of(&key), "{name}");
            assert_eq!(lock_of(&fence(&key)), Some(&*key), "{name}");
        }
        assert_eq!(
            fence(&keys.lock("mail")),
            "shedlock-fence:{job-lock:default:mail}"
        );
        assert_eq!(
            fence(&keys.lock("{a}b")),
            "shedlock-fence:job-lock:default:{a}b"
        );
        for other in [
            "job-lock:default:mail",
            "shedlock-fence:job-lock:default:mail",
        ] {
            assert_eq!(lock_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_pattern_takes_names_as_they_are() {
        let keys = Keys::new("job-lock", "a*b");
        assert_eq!(keys.pattern(r"[x]?\"), r"job-lock:a\*b:\[x\]\?\\*");
        assert_eq!(keys.name(&keys.lock("mail")), Some("mail"));
        assert_eq!(keys.name("job-lock:other:mail"), None);
    }
}
