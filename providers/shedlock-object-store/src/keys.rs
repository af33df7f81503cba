//! The keys of objects: the prefix, and the name of the lock.

use std::borrow::Cow;

use object_store::path::Path;
use shedlock_runtime::{ErrorKind, LockError, NameEncoding};

use crate::protocol::Protocol;

/// The longest name. Three times as many bytes and the prefix fit into a key, which has at most 1024 bytes.
pub(crate) const MAX_NAME_BYTES: usize = 255;
const MAX_PREFIX_BYTES: usize = 256;

/// The encoding of names, of which as much as possible is as JVM nodes write it.
const KEYS: NameEncoding = NameEncoding::new('%', is_plain_or_separator);
/// The encoding of names that would make a key which a store reads as a path, such as `a//b` and `..`.
const KEYS_WITHOUT_SEPARATORS: NameEncoding = NameEncoding::new('%', is_plain);

/// Whether stores take the character in keys and none advises against it.
fn is_plain(c: char) -> bool {
    match c {
        _ if c.is_ascii() => c.is_ascii_alphanumeric() || " -_:@=+,!()$&;'".contains(c),
        // XML, in which keys are listed, has none of these.
        '\u{fffe}' | '\u{ffff}' => false,
        _ => !c.is_control(),
    }
}

fn is_plain_or_separator(c: char) -> bool {
    is_plain(c) || c == '/' || c == '.'
}

fn encode(name: &str) -> Cow<'_, str> {
    if name
        .split('/')
        .any(|part| part.is_empty() || part.ends_with('.'))
    {
        KEYS_WITHOUT_SEPARATORS.encode(name)
    } else {
        KEYS.encode(name)
    }
}

/// The keys of the locks in one bucket.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    /// Keys that begin with `prefix`.
    pub(crate) fn new(prefix: String) -> Result<Self, LockError> {
        let refused = |problem: &str| {
            Err(LockError::new(
                ErrorKind::Configuration,
                format!("the prefix `{}` {problem}", prefix.escape_debug()),
            )
            .with_remedy("use a prefix such as `shedlock/`"))
        };
        if prefix.len() > MAX_PREFIX_BYTES {
            return refused("has more than 256 bytes");
        }
        let key = format!("{prefix}mail");
        match Path::parse(&key) {
            Ok(path) if path.as_ref() == key => Ok(Self { prefix }),
            _ => refused("makes no key of an object"),
        }
    }

    /// The keys that nodes on the JVM use.
    pub(crate) fn by_default(protocol: Protocol) -> Self {
        Self {
            prefix: protocol.default_prefix().to_owned(),
        }
    }

    /// The key of the lock `name`.
    pub(crate) fn of(&self, name: &str) -> Result<Path, LockError> {
        self.path(&encode(name))
    }

    /// A key that begins with the prefix and is the key of no lock.
    pub(crate) fn of_probe(&self, id: &str) -> Result<Path, LockError> {
        // `%pr` encodes no byte.
        self.path(&format!("%probe-{id}"))
    }

    fn path(&self, rest: &str) -> Result<Path, LockError> {
        Path::parse(format!("{}{rest}", self.prefix)).map_err(|error| {
            LockError::new(ErrorKind::InvalidName, "the name makes no key").with_source(error)
        })
    }

    /// The name of the lock with this key; `None` if this is not the key of a lock.
    pub(crate) fn name(&self, key: &Path) -> Option<String> {
        let encoded = key.as_ref().strip_prefix(&self.prefix)?;
        let decoded = KEYS
            .decode(encoded)
            .or_else(|| KEYS_WITHOUT_SEPARATORS.decode(encoded));
        decoded.filter(|name| encode(name) == encoded)
    }

    /// The folder with the keys of all locks, as a store lists it; `None` if the locks are not in a folder.
    pub(crate) fn folder(&self) -> Option<Path> {
        let (folder, _) = self.prefix.rsplit_once('/')?;
        // The prefix has been checked by `new`.
        Path::parse(folder).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(prefix: &str) -> Keys {
        Keys::new(prefix.to_owned()).unwrap()
    }

    #[test]
    fn names_that_jvm_nodes_can_have_are_their_own_keys() {
        let keys = keys("shedlock/");
        for plain in [
            "mail",
            "nightly_report",
            "a.b/c-d",
            "a:b",
            "über sicht",
            "0",
        ] {
            assert_eq!(
                keys.of(plain).unwrap().as_ref(),
                format!("shedlock/{plain}")
            );
        }
        let key = |name| keys.of(name).unwrap().to_string();
        assert_eq!(key("a b#🦀"), "shedlock/a b%23🦀");
        assert_eq!(key("a//b"), "shedlock/a%2F%2Fb");
        assert_eq!(key("../b"), "shedlock/%2E%2E%2Fb");
        assert_eq!(key("a."), "shedlock/a%2E");
    }

    #[test]
    fn keys_read_back_and_no_other_key_is_taken_for_one() {
        let keys = keys("jobs-");
        for original in [
            "mail", "a/b", "/a", "a/", "a//b", "..", "a.", "ü *%?", "a=b",
        ] {
            let key = keys.of(original).unwrap();
            assert_eq!(keys.name(&key).as_deref(), Some(original));
        }
        for foreign in ["jobs-a%3Db", "jobs-a%", "other-mail", "jobs-a*", "jobs-%61"] {
            assert_eq!(keys.name(&Path::parse(foreign).unwrap()), None, "{foreign}");
        }
        assert_eq!(keys.name(&keys.of_probe("0a").unwrap()), None);
    }

    #[test]
    fn prefixes_that_make_no_keys_are_refused() {
        for prefix in ["/a", "a//", "../", "a\n", &"a".repeat(257)] {
            let error = Keys::new(prefix.to_owned()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{prefix:?}");
        }
        for (prefix, folder) in [
            ("", None),
            ("jobs-", None),
            ("a/b-", Some("a")),
            ("a/b/", Some("a/b")),
        ] {
            let folder = folder.map(|folder| Path::parse(folder).unwrap());
            assert_eq!(keys(prefix).folder(), folder, "{prefix}");
        }
    }
}
