//! Who may change something: names and the hashes of their tokens.

use std::fmt;

use sha2::{Digest as _, Sha256};
use shedlock_runtime::{ErrorKind, LockError, printable};
use subtle::ConstantTimeEq as _;

const LONGEST_NAME: usize = 60;
/// Nobody guesses 16 random characters.
const SHORTEST_TOKEN: usize = 16;

/// The operators of a dashboard; none if it only reads.
#[derive(Debug)]
pub(super) struct Operators(Vec<Operator>);

/// One operator. The token itself is not kept.
pub(super) struct Operator {
    name: String,
    hash: [u8; 32],
}

impl Operator {
    pub(super) fn new(name: String, token: &str) -> Result<Self, LockError> {
        let length = name.chars().count();
        if name.trim().is_empty() || length > LONGEST_NAME || printable(&name) != name {
            return Err(misconfigured(format!(
                "the name of an operator is to have from 1 to {LONGEST_NAME} characters, all of them printable"
            )));
        }
        if token.chars().count() < SHORTEST_TOKEN || token.trim() != token {
            return Err(misconfigured(format!(
                "the token of the operator `{name}` has fewer than {SHORTEST_TOKEN} characters, or blanks around it"
            ))
            .with_remedy("make one with `openssl rand -base64 24`"));
        }
        Ok(Self {
            name,
            hash: hash(token),
        })
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Operators {
    pub(super) fn new(operators: Vec<Result<Operator, LockError>>) -> Result<Self, LockError> {
        let operators = operators.into_iter().collect::<Result<Vec<_>, _>>()?;
        for (at, one) in operators.iter().enumerate() {
            for other in &operators[..at] {
                if one.name == other.name || one.hash == other.hash {
                    return Err(misconfigured(format!(
                        "the operators `{}` and `{}` have the same name or the same token",
                        other.name, one.name
                    ))
                    .with_remedy("give each operator a name and a token of their own"));
                }
            }
        }
        Ok(Self(operators))
    }

    /// Whether nobody may change anything.
    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of the operator whose token this is. Takes the same time for every token of one length.
    pub(super) fn who(&self, token: &str) -> Option<&str> {
        let given = hash(token);
        let mut found = None;
        for operator in &self.0 {
            if bool::from(operator.hash.ct_eq(&given)) {
                found = Some(operator.name.as_str());
            }
        }
        found
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

pub(super) fn misconfigured(problem: impl Into<String>) -> LockError {
    LockError::new(ErrorKind::Configuration, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "jM0wd8pXq2Rk7vTz";

    fn operators(all: &[(&str, &str)]) -> Result<Operators, LockError> {
        let one = |(name, token): &(&str, &str)| Operator::new((*name).to_owned(), token);
        Operators::new(all.iter().map(one).collect())
    }

    #[test]
    fn a_token_tells_who_has_it() {
        let operators = operators(&[("ada", TOKEN), ("bob", "0123456789abcdef")]).unwrap();
        assert_eq!(operators.who(TOKEN), Some("ada"));
        assert_eq!(operators.who("0123456789abcdef"), Some("bob"));
        assert_eq!(operators.who(""), None);
        assert_eq!(operators.who("jM0wd8pXq2Rk7vT"), None);
    }

    #[test]
    fn weak_or_ambiguous_operators_are_refused() {
        for bad in [
            &[("ada", "short")][..],
            &[("", TOKEN)],
            &[("a\nb", TOKEN)],
            &[("ada", " jM0wd8pXq2Rk7vTz")],
            &[("ada", TOKEN), ("bob", TOKEN)],
            &[("ada", TOKEN), ("ada", "0123456789abcdef")],
        ] {
            let refused = operators(bad).unwrap_err().to_string();
            assert!(!refused.contains(TOKEN), "{refused}");
        }
    }

    #[test]
    fn no_token_is_shown() {
        let shown = format!("{:?}", operators(&[("ada", TOKEN)]).unwrap());
        assert!(shown.contains("ada") && !shown.contains(TOKEN), "{shown}");
        assert!(!shown.contains("hash"), "{shown}");
    }
}
