//! The token of a held lock: what another process needs to extend and to release the lock.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::exit::Failure;

/// Says which form the rest has.
const VERSION: &str = "1";

/// The owner of a lock, and what is to be known of its `at_least`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The owner as the record has it. A secret.
    pub(crate) owner: String,
    /// When the lock was asked for, to the millisecond.
    pub(crate) acquired: SystemTime,
    pub(crate) at_least: Duration,
}

/// One word without anything that a shell would change.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acquired = self.acquired.duration_since(UNIX_EPOCH).unwrap_or_default();
        write!(
            f,
            "{VERSION}.{}.{}.{}",
            acquired.as_millis(),
            self.at_least.as_millis(),
            utf8_percent_encode(&self.owner, NON_ALPHANUMERIC)
        )
    }
}

impl FromStr for Token {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        parse(text).ok_or_else(malformed)
    }
}

// Derived, it would print the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

fn parse(text: &str) -> Option<Token> {
    let mut parts = text.splitn(4, '.');
    if parts.next() != Some(VERSION) {
        return None;
    }
    let acquired = UNIX_EPOCH.checked_add(Duration::from_millis(parts.next()?.parse().ok()?))?;
    let at_least = Duration::from_millis(parts.next()?.parse().ok()?);
    let owner = percent_decode_str(parts.next()?)
        .decode_utf8()
        .ok()?
        .into_owned();
    Some(Token {
        owner,
        acquired,
        at_least,
    })
}

/// The failure of a text that is no token. It does not repeat the text, which may be a secret.
pub(super) fn malformed() -> Failure {
    Failure::usage("the token is not one that `shedlock lock` has printed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word_and_read_back_as_it_was() {
        let token = Token {
            owner: "web 2.$(x)'#0123456789abcdef0123456789abcdef".to_owned(),
            acquired: UNIX_EPOCH + Duration::from_millis(1_764_000_000_123),
            at_least: Duration::from_secs(30),
        };
        let text = token.to_string();
        assert!(
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || "%.".contains(c)),
            "{text}"
        );
        assert_eq!(text.parse::<Token>().unwrap(), token);
    }

    #[test]
    fn other_texts_are_refused_and_not_repeated() {
        for text in [
            "",
            "1",
            "2.1.1.a",
            "1.x.1.a",
            "1.1.18446744073709551616.a",
            "1.1.1.%ff",
        ] {
            let failure = text.parse::<Token>().unwrap_err();
            assert_eq!(failure.message(), malformed().message(), "{text}");
        }
        assert_eq!(format!("{:?}", parse("1.1.1.a")), "Some(Token(..))");
    }
}
