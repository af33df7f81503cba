//! Who holds a lock: a node name for people and 128 random bits for the store to compare.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::values::error::{ErrorKind, LockError};
use crate::values::operator_mark::OperatorMark;

mod write;

pub use write::{OwnerWrite, Standing};

/// The digits of the random part, and of the number that later writes put behind it.
const SECRET_DIGITS: usize = 32;
const NUMBER_DIGITS: usize = 12;

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

    /// The owner that an acquisition in another process [stored](Self::stored); `None` if `stored` is not what an acquisition stores.
    ///
    /// The processes do not share a write counter, so this owner counts on from the time of day: its writes have greater numbers than those
    /// of a process that began earlier.
    pub(crate) fn resumed(stored: &str) -> Option<Self> {
        let (node, digits) = split(stored).filter(|(_, secret)| secret.len() == SECRET_DIGITS)?;
        let mut secret = [0; 16];
        for (byte, at) in secret.iter_mut().zip((0..SECRET_DIGITS).step_by(2)) {
            *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since_1970.unwrap_or_default().as_millis();
        Some(Self(Arc::new(Acquisition {
            node: node.into(),
            secret,
            numbered: AtomicU64::new(u64::try_from(millis).unwrap_or_default()),
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

    /// The part of the owner field of a record that all writes of one acquisition have in common, with its secret; `None` if a JVM node or an
    /// operator wrote the field. It tells a holder that has extended its lease from the next holder.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{Owner, node_name};
    ///
    /// let owner = Owner::generate(&node_name("web-2"))?;
    /// let extended = owner.next_write();
    /// assert_eq!(Owner::acquisition_of(extended.stored()), Some(&*owner.stored()));
    /// assert_eq!(Owner::acquisition_of("app.example"), None);
    /// # Ok::<(), shedlock_runtime::LockError>(())
    /// ```
    #[must_use]
    pub fn acquisition_of(stored: &str) -> Option<&str> {
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

#[cfg(test)]
mod tests;
