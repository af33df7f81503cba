//! One write of an acquisition, and how it compares with the owner in a record.

use std::fmt;

use super::Owner;

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
    pub(super) first: String,
    pub(super) stored: String,
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
