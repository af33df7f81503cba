//! Who holds a lock: a node name for people and 128 random bits for the store to compare.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use once_cell::sync::Lazy;

use crate::error::{ErrorKind, LockError};
use crate::mark::Mark;
use crate::printable::printable;

/// Leaves room for `#` and 32 hexadecimal digits in ShedLock's `locked_by VARCHAR(255)`.
const MAX_NODE_CHARS: usize = 200;

static HOST: Lazy<Arc<str>> = Lazy::new(|| node_name(&host_name()));

/// The owner of one acquisition: never of two, not even of the same process.
///
/// Whoever knows the random part can release the lock, so nothing that prints shows it: only
/// [`stored`](Self::stored) does, for the store.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{Owner, node_name};
///
/// let owner = Owner::generate(&node_name("web-2"))?;
/// assert_eq!(owner.to_string(), "web-2");
/// assert_eq!(Owner::node_of(&owner.stored()), "web-2");
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    node: Arc<str>,
    secret: [u8; 16],
}

impl Owner {
    /// A new owner on `node`.
    ///
    /// The random part comes from the operating system each time, because a generator kept in memory repeats itself
    /// in two copies of one machine snapshot.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`](crate::ErrorKind::Other) if the operating system has no random numbers to give, which on
    /// a running system does not happen.
    pub fn generate(node: &Arc<str>) -> Result<Self, LockError> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(|error| {
            LockError::new(
                ErrorKind::Other,
                "the operating system gave no random numbers",
            )
            .with_source(error)
        })?;
        Ok(Self {
            node: Arc::clone(node),
            secret,
        })
    }

    /// `<node>#<32 hexadecimal digits>`: what the store keeps and compares.
    #[must_use]
    pub fn stored(&self) -> String {
        let mut stored = String::with_capacity(self.node.len() + 33);
        stored.push_str(&self.node);
        stored.push('#');
        for byte in self.secret {
            // Writing to a `String` cannot fail.
            let _ = write!(stored, "{byte:02x}");
        }
        stored
    }

    /// The node, for people.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The node in a stored owner, whoever wrote it: JVM nodes write their host name alone.
    #[must_use]
    pub fn node_of(stored: &str) -> &str {
        match stored.rsplit_once('#') {
            Some((node, secret))
                if secret.len() == 32 && secret.bytes().all(|b| b.is_ascii_hexdigit()) =>
            {
                node
            }
            _ => stored,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.node)
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({}#..)", self.node)
    }
}

/// `name` as a node name: what cannot be seen is written out as by [`printable`], cut to 200 characters, and never what [`Mark`] means something by.
#[must_use]
pub fn node_name(name: &str) -> Arc<str> {
    let clean: String = printable(name).chars().take(MAX_NODE_CHARS).collect();
    // A node must not be taken for an operator.
    match Mark::of(&clean) {
        Some(_) => clean.replacen(':', "_", 1).into(),
        None => clean.into(),
    }
}

/// The host's name: the node name of providers that were not given one.
#[must_use]
pub fn host_node_name() -> Arc<str> {
    Arc::clone(&HOST)
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_owners_of_one_node_differ_and_print_alike() {
        let node = node_name("web-2");
        let (a, b) = (
            Owner::generate(&node).unwrap(),
            Owner::generate(&node).unwrap(),
        );
        assert_ne!(a.stored(), b.stored());
        assert_eq!(format!("{a} {a:?}"), "web-2 Owner(web-2#..)");
    }

    #[test]
    fn a_node_name_always_fits_the_column() {
        let node = node_name(&"é\n".repeat(1000));
        let owner = Owner::generate(&node).unwrap().stored();
        assert!(owner.chars().count() <= 255);
        assert!(!owner.contains('\n'));
        assert_eq!(Owner::node_of(&owner), &*node);
    }

    #[test]
    fn a_jvm_owner_is_its_host_name() {
        assert_eq!(Owner::node_of("host#1"), "host#1");
        assert_eq!(Owner::node_of("app.example"), "app.example");
    }
}
