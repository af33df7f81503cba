//! The seam to a store: three conditional operations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::seam::answer::{Acquisition, Ownership};
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::request::AcquireRequest;
use crate::values::error::LockError;

/// A store that keeps locks.
///
/// A lock is a record with an end and an owner. It is free when its end has come, and each operation is one
/// conditional write on that record. The caller has checked the name and the durations and limits the time of each
/// call, so an implementation holds only what is peculiar to its store.
///
/// # Contract
///
/// - A granted lease excludes every other until `at_most` has passed on the store's clock, or until its release.
/// - An acquisition that finds the lock held writes nothing.
/// - A request may reach the store twice, or late, after requests that were sent later: it changes nothing then. Each write
///   stores its number and is on condition that no later one has; see [`OwnerWrite`](crate::OwnerWrite).
/// - An acquisition by the owner that holds the lock already is granted, with the record as it is: a retry after a lost answer.
///   If its lease has ended or was released meanwhile, the answer is [`AcquireRequest::too_late`].
/// - [`extend`](Self::extend) and [`release`](Self::release) change the record only if the owner is still the lease's.
/// - After a release the lock stays taken for `keep_for`.
/// - "Somebody else holds it" is an answer; an error means that the store could not say.
///
/// # Cancel safety
///
/// Every future may be dropped at any await. The store may then have carried out the request; the next call must find
/// the provider usable.
///
/// # Clone
///
/// Providers are handles: a clone shares the store, the connections and the [`ProviderInfo`]. One that cannot be
/// cloned is used in an [`Arc`].
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a lock provider",
    note = "if this type comes from a `shedlock-*` provider crate, two versions of `shedlock-runtime` may be in your tree; run `cargo tree -d`"
)]
pub trait LockProvider: fmt::Debug + Send + Sync + 'static {
    /// What the provider is and can do.
    fn info(&self) -> &ProviderInfo;

    /// Takes the lock if it is free.
    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError>;

    /// Moves the lease's end to `at_most` from now if the lease is live.
    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError>;

    /// Ends the lease, or keeps the lock taken for `keep_for` from now: what is left of `at_least`, which the runtime counts from
    /// the answer to the acquisition. A `keep_for` of zero frees the lock at once.
    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockProvider + ?Sized> LockProvider for Arc<P> {
    fn info(&self) -> &ProviderInfo {
        (**self).info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        (**self).acquire(request).await
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        (**self).extend(lease, at_most).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        (**self).release(lease, keep_for).await
    }
}
