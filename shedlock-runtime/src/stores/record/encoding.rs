//! Names and records as text, for stores that take only some characters, or only bytes.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Encodes the names of locks as keys of a store that allows only some characters, and decodes them.
///
/// Each byte of a character that the store does not allow becomes the escape character and two hexadecimal digits. So does the escape
/// character itself, which makes the encoding reversible: distinct names have distinct keys. A name that has only allowed characters is its
/// own key, which is the key that JVM nodes use.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::NameEncoding;
///
/// // The keys of NATS: letters, digits and a few signs.
/// let keys = NameEncoding::new('=', |c| c.is_ascii_alphanumeric() || "-_/.".contains(c));
/// assert_eq!(keys.encode("nightly_report"), "nightly_report");
/// assert_eq!(keys.encode("a b=c"), "a=20b=3Dc");
/// assert_eq!(keys.decode("a=20b=3Dc").as_deref(), Some("a b=c"));
/// assert_eq!(keys.decode("a=zz"), None);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NameEncoding {
    escape: char,
    allows: fn(char) -> bool,
}

impl NameEncoding {
    /// Creates an encoding for a store that allows the characters for which `allows` returns true. All other characters are written with
    /// the ASCII character `escape`, which the store must allow as well.
    ///
    /// # Panics
    ///
    /// If `escape` is not an ASCII character.
    #[must_use]
    pub const fn new(escape: char, allows: fn(char) -> bool) -> Self {
        assert!(escape.is_ascii(), "the escape character must be ASCII");
        Self { escape, allows }
    }

    /// Encodes `name` as a key.
    #[must_use]
    pub fn encode<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if name.chars().all(|c| self.stands_for_itself(c)) {
            return Cow::Borrowed(name);
        }
        let mut key = String::with_capacity(name.len() + 16);
        for c in name.chars() {
            if self.stands_for_itself(c) {
                key.push(c);
                continue;
            }
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                // Writing to a `String` does not fail.
                let _ = write!(key, "{}{byte:02X}", self.escape);
            }
        }
        Cow::Owned(key)
    }

    /// Decodes `key` as a name. Returns `None` if there is no name for which [`encode`](Self::encode) returns `key`.
    #[must_use]
    pub fn decode(&self, key: &str) -> Option<String> {
        let mut bytes = Vec::with_capacity(key.len());
        let mut rest = key;
        while let Some((before, after)) = rest.split_once(self.escape) {
            bytes.extend_from_slice(before.as_bytes());
            bytes.push(u8::from_str_radix(after.get(..2)?, 16).ok()?);
            rest = &after[2..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        let name = String::from_utf8(bytes).ok()?;
        (self.encode(&name) == key).then_some(name)
    }

    fn stands_for_itself(&self, c: char) -> bool {
        c != self.escape && (self.allows)(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: NameEncoding = NameEncoding::new('%', |c| c.is_ascii_alphanumeric());

    #[test]
    fn every_name_reads_back_and_no_two_share_a_key() {
        let names = [
            "a", "a b", "a%20b", "%", "naïve", "🦀", "a/b", "A", "%%", "\u{7f}",
        ];
        let mut keys: Vec<_> = names.map(|name| KEYS.encode(name).into_owned()).into();
        for (name, key) in names.iter().zip(&keys) {
            assert_eq!(KEYS.decode(key).as_deref(), Some(*name));
            assert!(
                key.chars().all(|c| c.is_ascii_alphanumeric() || c == '%'),
                "{key}"
            );
        }
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), names.len());
    }

    #[test]
    fn what_is_no_key_of_a_name_is_none() {
        for key in ["%", "%4", "%zz", "a b", "%61", "%e9", "%FF", "%+1"] {
            assert_eq!(KEYS.decode(key), None, "{key}");
        }
    }
}
