//! Who holds a lock: a node name for people and 128 random bits for the store to compare.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use once_cell::sync::Lazy;

use crate::values::error::{ErrorKind, LockError};
use crate::values::operator_mark::OperatorMark;
use crate::values::printable::printable;

/// Leaves room for `#` and 44 hexadecimal digits in ShedLock's `locked_by VARCHAR(255)`.
const MAX_NODE_CHARS: usize = 200;
/// The digits of the random part, and of the number that later writes put behind it.
const SECRET_DIGITS: usize = 32;
const NUMBER_DIGITS: usize = 12;

static HOST: Lazy<Arc<str>> = Lazy::new(|| node_name(&host_name()));

/// The owner of one acquisition: the node's name, and 128 random bits. No two acquisitions have the same owner, not even in one process.
///
/// Anybody who knows the random bits can release the lock. So `Debug` and `Display` show the node alone. The text with the random bits is
/// [`stored`](Self::stored), which is meant for the store.
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
#[derive(Clone)]
pub struct Owner(Arc<Acquisition>);

/// What the clones of an owner share.
struct Acquisition {
    node: Arc<str>,
    secret: [u8; 16],
    /// How many writes were numbered.
    numbered: AtomicU64,
}

impl Owner {
    /// Makes a new owner on `node`, with fresh random bits from the operating system.
    ///
    /// A random generator in the process's memory would repeat itself in two copies of one virtual machine's snapshot.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Other`](crate::ErrorKind::Other) if the operating system gives no random numbers, which does not happen on a running
    /// system.
    pub fn generate(node: &Arc<str>) -> Result<Self, LockError> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(|error| {
            LockError::new(
                ErrorKind::Other,
                "the operating system gave no random numbers",
            )
            .with_source(error)
        })?;
        Ok(Self(Arc::new(Acquisition {
            node: Arc::clone(node),
            secret,
            numbered: AtomicU64::new(0),
        })))
    }

    /// The owner as an acquisition stores it: `<node>#<32 hexadecimal digits>`. The digits are a secret.
    #[must_use]
    pub fn stored(&self) -> String {
        let Acquisition { node, secret, .. } = &*self.0;
        let mut stored = String::with_capacity(node.len() + 1 + SECRET_DIGITS + NUMBER_DIGITS);
        stored.push_str(node);
        stored.push('#');
        push_hex(&mut stored, secret);
        stored
    }

    /// The write of the acquisition itself, which stores the owner without a number. A provider gets this write from
    /// [`AcquireRequest::write`](crate::AcquireRequest::write).
    #[must_use]
    pub fn first_write(&self) -> OwnerWrite {
        let first = self.stored();
        OwnerWrite {
            stored: first.clone(),
            first,
        }
    }

    /// The next write of this acquisition that is an extension. Each write has a greater number than those before. A provider gets this write
    /// from [`Lease::next_write`](crate::Lease::next_write).
    #[must_use]
    pub fn next_write(&self) -> OwnerWrite {
        self.numbered_write(false)
    }

    /// The next write of this acquisition that is a release. Its number is odd, so that the record tells a lock that was released from a
    /// lock whose lease ended; see [`Predecessor`](crate::Predecessor). A provider gets this write from
    /// [`Lease::release_write`](crate::Lease::release_write).
    #[must_use]
    pub fn release_write(&self) -> OwnerWrite {
        self.numbered_write(true)
    }

    fn numbered_write(&self, is_release: bool) -> OwnerWrite {
        let count = self.0.numbered.fetch_add(1, Ordering::Relaxed) + 1;
        let number = count * 2 + u64::from(is_release);
        let first = self.stored();
        let mut stored = String::with_capacity(first.len() + NUMBER_DIGITS);
        stored.push_str(&first);
        push_hex(&mut stored, &number.to_be_bytes()[8 - NUMBER_DIGITS / 2..]);
        OwnerWrite { first, stored }
    }

    /// The same owner with a write counter of its own; see [`Lease::replica`](crate::Lease::replica).
    pub(crate) fn replica(&self) -> Self {
        let numbered = self.0.numbered.load(Ordering::Relaxed);
        Self(Arc::new(Acquisition {
            node: Arc::clone(&self.0.node),
            secret: self.0.secret,
            numbered: AtomicU64::new(numbered),
        }))
    }

    /// The name of the owner's node.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// The name of the node in the owner field of a record, without the secret. JVM nodes write their host name alone, which is returned as it is.
    #[must_use]
    pub fn node_of(stored: &str) -> &str {
        if let Some((node, _secret)) = split(stored) {
            return node;
        }
        // A narrow column may have cut an owner: what is left of its random part is not shown either.
        match stored.rsplit_once('#') {
            Some((node, digits)) if is_part_of_a_secret(digits) => node,
            _ => stored,
        }
    }

    /// Whether an extension, a release or an operator wrote `stored`, and not the acquisition.
    pub(crate) fn is_later_write(stored: &str) -> bool {
        match Self::acquisition_of(stored) {
            Some(acquisition) => acquisition != stored,
            None => OperatorMark::parse(stored).is_some(),
        }
    }

    /// Whether a release wrote `stored`. False for the owner that a JVM node or an operator wrote.
    pub(crate) fn is_release(stored: &str) -> bool {
        // The last digit of the number tells whether it is odd.
        let digit = stored.bytes().last().unwrap_or_default();
        Self::acquisition_of(stored).is_some_and(|acquisition| acquisition != stored)
            && char::from(digit)
                .to_digit(16)
                .is_some_and(|digit| digit % 2 == 1)
    }

    /// The part of `stored` that all writes of one acquisition have in common; `None` if a JVM node or an operator wrote it.
    pub(crate) fn acquisition_of(stored: &str) -> Option<&str> {
        let (node, _secret) = split(stored)?;
        stored.get(..=node.len() + SECRET_DIGITS)
    }
}

/// Two hexadecimal digits for each of the `bytes`. Each request makes two such texts, so this is no call of `write!` per byte.
fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        for half in [byte >> 4, byte & 0xf] {
            text.push(char::from(DIGITS[usize::from(half)]));
        }
    }
}

/// The node and the secret of a stored owner; the secret may have a number behind it.
fn split(stored: &str) -> Option<(&str, &str)> {
    let (node, secret) = stored.rsplit_once('#')?;
    let is_ours = [SECRET_DIGITS, SECRET_DIGITS + NUMBER_DIGITS].contains(&secret.len())
        && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_ours.then_some((node, secret))
}

fn is_part_of_a_secret(digits: &str) -> bool {
    digits.len() >= SECRET_DIGITS / 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

// Clones with different counters are the same owner.
impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        (&self.0.node, &self.0.secret) == (&other.0.node, &other.0.secret)
    }
}

impl Eq for Owner {}

/// One write of one acquisition: the acquisition itself, an extension, or a release.
///
/// A request can reach its store twice. A request can also reach its store late, after requests that were sent later, because the network or
/// the server delayed it. To recognise such a request, each write of an acquisition has a number:
///
/// - The acquisition stores `<node>#<32 hexadecimal digits>`. An extension and a release store the same text with a number behind it: 12
///   hexadecimal digits. The number of an extension is even, and the number of a release is odd.
/// - A write is carried out only if the record bears the same owner with no greater number.
///
/// The number has a fixed width, so a store needs to compare bytes and no more. A provider writes these conditions:
///
/// - **Extension and release:** `first <= owner in the record <= stored`, with [`first`](Self::first) and [`stored`](Self::stored).
///   If the owner in the record equals `stored`, the store has carried out this request before: change nothing, and give the same answer.
/// - **Acquisition:** the record is free, or the owner in the record begins with `stored`. In the second case the store has carried out this
///   request before. If the lease is live, answer "granted" and leave the record unchanged. If the lease has ended
///   or was released, leave the record unchanged and answer [`AcquireRequest::too_late`](crate::AcquireRequest::too_late).
///
/// A store that reads a record before it writes, under a condition on the record's version, asks [`standing`](Self::standing) instead.
///
/// One late request cannot be recognised: an acquisition that arrives after another holder has taken and released the lock. The record does
/// not bear the request's owner any more, so the request takes the lock, for at most `at_most`.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{Owner, Standing, node_name};
///
/// let owner = Owner::generate(&node_name("web-2"))?;
/// let (acquisition, one, two) = (owner.first_write(), owner.next_write(), owner.next_write());
/// assert_eq!(two.standing(one.stored()), Standing::Earlier);
/// assert_eq!(one.standing(two.stored()), Standing::Later);
/// assert_eq!(acquisition.standing(two.stored()), Standing::Later);
/// assert_eq!(one.standing("app.example"), Standing::Foreign);
///
/// // The same as a range of bytes, for a store that compares.
/// let in_the_record = one.stored();
/// assert!(two.first() <= in_the_record && in_the_record <= two.stored());
/// assert!(in_the_record.starts_with(acquisition.stored()));
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OwnerWrite {
    first: String,
    stored: String,
}

/// How the owner in a record compares with an [`OwnerWrite`], and so whether the write may be carried out.
///
/// | | extension, release | acquisition |
/// |---|---|---|
/// | `Foreign` | answer "lost" | take the lock if it is free |
/// | `Earlier` | carry out the write | (does not occur) |
/// | `Same` | change nothing, answer as if carried out | granted, or too late |
/// | `Later` | answer "lost" | granted, or too late |
///
/// "Granted, or too late": if the lease in the record is live, the answer is "granted"; otherwise it is the error
/// [`AcquireRequest::too_late`](crate::AcquireRequest::too_late).
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{OwnerWrite, Standing};
///
/// /// Whether an extension or a release may change a record.
/// fn may_write(write: &OwnerWrite, owner_in_record: &str) -> bool {
///     write.standing(owner_in_record) == Standing::Earlier
/// }
/// # use shedlock_runtime::{Owner, node_name};
/// # let owner = Owner::generate(&node_name("web-2"))?;
/// # assert!(may_write(&owner.next_write(), owner.first_write().stored()));
/// # assert!(!may_write(&owner.next_write(), "app.example"));
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Another acquisition, an operator or a JVM node wrote the record last.
    Foreign,
    /// An earlier write of the same acquisition wrote the record last, so this write may be carried out.
    Earlier,
    /// This write wrote the record last: the store has carried out the request before.
    Same,
    /// A later write of the same acquisition wrote the record last: this write has arrived too late.
    Later,
}

impl OwnerWrite {
    /// The owner as the acquisition stored it. In the order of bytes, it is the least of all writes of the acquisition.
    #[must_use]
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The owner as this write stores it.
    #[must_use]
    pub fn stored(&self) -> &str {
        &self.stored
    }

    /// Compares `found`, the owner in a record, with this write.
    #[must_use]
    pub fn standing(&self, found: &str) -> Standing {
        if !found.starts_with(&self.first) {
            Standing::Foreign
        } else if found < self.stored.as_str() {
            Standing::Earlier
        } else if found == self.stored {
            Standing::Same
        } else {
            Standing::Later
        }
    }
}

// Derived, it would print the secret.
impl fmt::Debug for OwnerWrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.stored.get(self.first.len()..).unwrap_or_default();
        write!(
            f,
            "OwnerWrite({}#.., {number:?})",
            Owner::node_of(&self.first)
        )
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.node())
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({}#..)", self.node())
    }
}

/// Turns `name` into a node name: escapes invisible characters as [`printable`] does, cuts to 200 characters, and replaces the first `:` of a
/// name that would read as an [`OperatorMark`] (`paused: ..`, `released: ..`).
///
/// # Examples
///
/// ```
/// use shedlock_runtime::node_name;
///
/// assert_eq!(&*node_name("web-2"), "web-2");
/// assert_eq!(&*node_name("paused: web-2"), "paused_ web-2");
/// ```
#[must_use]
pub fn node_name(name: &str) -> Arc<str> {
    let clean: String = printable(name).chars().take(MAX_NODE_CHARS).collect();
    // A node must not be taken for an operator.
    match OperatorMark::parse(&clean) {
        Some(_) => clean.replacen(':', "_", 1).into(),
        None => clean.into(),
    }
}

/// The node name of a provider that was not given one: the name of the host.
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
    fn later_writes_are_told_from_earlier_ones_of_any_owner() {
        let owner = Owner::generate(&node_name("web-2")).unwrap();
        let other = Owner::generate(&node_name("web-2")).unwrap();
        let acquisition = owner.first_write();
        let writes: Vec<_> = (0..300).map(|_| owner.clone().next_write()).collect();
        for pair in writes.windows(2) {
            assert!(!Owner::is_release(pair[0].stored()));
            assert_eq!(pair[0].standing(pair[1].stored()), Standing::Later);
            assert_eq!(pair[1].standing(pair[0].stored()), Standing::Earlier);
            assert!(pair[0].stored() < pair[1].stored());
        }
        for write in &writes {
            assert_eq!(write.standing(acquisition.stored()), Standing::Earlier);
            assert_eq!(
                write.standing(other.next_write().stored()),
                Standing::Foreign
            );
            assert!(write.first() < write.stored());
            assert!(write.stored().starts_with(acquisition.stored()));
            assert_eq!(Owner::node_of(write.stored()), "web-2");
            assert_eq!(
                Owner::acquisition_of(write.stored()),
                Some(acquisition.stored())
            );
            assert!(!format!("{write:?}").contains(&acquisition.stored()[6..]));
        }
        assert_eq!(owner.replica().next_write(), owner.next_write());
    }

    #[test]
    fn a_release_is_told_from_an_extension() {
        let owner = Owner::generate(&node_name("web-2")).unwrap();
        let writes = [
            owner.first_write(),
            owner.next_write(),
            owner.release_write(),
            owner.next_write(),
            owner.release_write(),
        ];
        let released = writes.each_ref().map(|it| Owner::is_release(it.stored()));
        assert_eq!(released, [false, false, true, false, true]);
        for pair in writes.windows(2) {
            assert_eq!(pair[1].standing(pair[0].stored()), Standing::Earlier);
            assert_eq!(pair[0].stored().len().max(50), pair[1].stored().len());
        }
        for foreign in ["", "host#1", "app.example", "released: by hand"] {
            assert!(!Owner::is_release(foreign), "{foreign}");
        }
    }

    #[test]
    fn an_owner_that_was_cut_shows_no_secret() {
        let stored = Owner::generate(&node_name("web-2")).unwrap().stored();
        assert_eq!(Owner::node_of(&stored[..stored.len() - 1]), "web-2");
        assert_eq!(Owner::node_of(&stored[..22]), "web-2");
    }

    #[test]
    fn a_jvm_owner_is_its_host_name() {
        assert_eq!(Owner::node_of("host#1"), "host#1");
        assert_eq!(Owner::node_of("app.example"), "app.example");
    }
}
