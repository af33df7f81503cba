//! The seam to a store: three conditional operations.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::seam::answer::{Acquisition, Ownership};
use crate::seam::history::RunHistory;
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::request::AcquireRequest;
use crate::values::error::LockError;

/// A store that keeps locks.
///
/// A lock is a record with an end and an owner. It is free when its end has come, and each operation is one
/// conditional write on that record. The runtime, which calls the provider, has checked the name and the durations, and limits the time of
/// each call. So an implementation contains only what is special about its store.
///
/// A provider for a store that compares and swaps need not implement this trait: see [`RecordStore`](crate::RecordStore).
///
/// # Contract
///
/// - A granted lease excludes every other until `at_most` has passed on the store's clock, or until its release.
/// - An acquisition that finds the lock held writes nothing.
/// - A request that reaches the store twice, or after requests that were sent later, changes nothing. To achieve this, each write stores its
///   number, on condition that the record has no greater number; see [`OwnerWrite`](crate::OwnerWrite).
/// - An acquisition by the owner that holds the lock already is a retry after a lost answer: it is granted, and the record stays as it is.
///   If that owner's lease has ended or was released meanwhile, the answer is [`AcquireRequest::too_late`].
/// - [`extend`](Self::extend) and [`release`](Self::release) change the record only if it still bears the owner of the lease.
/// - After a release the lock stays taken for `keep_for`.
/// - A release stores the lease's [`release_write`](Lease::release_write), so that the next acquisition can tell a lock that was released
///   from one whose lease ended. A provider that declares [`with_takeovers`](crate::Capabilities::with_takeovers) tells the latter by
///   [`Lease::taken_over_from`].
/// - A release changes the position in the record, if there is one, as [`Lease::settle`] does.
/// - "Somebody else holds the lock" is an answer. An error means that the store could not tell.
///
/// # Cancel safety
///
/// The runtime may drop every future at any await. The store may then have carried out the request. The provider must stay usable for the
/// next call.
///
/// # Clone
///
/// Providers are handles: a clone shares the store, the connections and the [`ProviderInfo`]. A provider that cannot be
/// cloned is used in an [`Arc`].
///
/// # Wrappers
///
/// A wrapper implements this trait over another provider. It passes on every call and every error, and does not change a lease that it did
/// not grant. If its locks are those of the provider behind it, `info` returns that provider's [`ProviderInfo`]; if a name means another
/// lock, `info` returns one made by [`ProviderInfo::wrapped_by`].
///
/// # Examples
///
/// A whole provider: records in this process, compared and changed under a mutex. A store behind a network does the same in one script, one
/// transaction or one conditional statement.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use std::time::Duration;
///
/// use shedlock_runtime::{
///     AcquireRequest, Acquisition, BootInstant, Lease, LockError, LockProvider, OwnerWrite, Ownership, Predecessor, ProviderInfo, Standing,
///     async_trait,
/// };
///
/// /// The owner and the end of each lock.
/// type Records = HashMap<String, (String, BootInstant)>;
///
/// #[derive(Debug)]
/// struct Toy {
///     info: ProviderInfo,
///     records: Mutex<Records>,
/// }
///
/// impl Toy {
///     fn change(&self, lease: &Lease, write: &OwnerWrite, ends_in: Duration, must_be_live: bool) -> Result<Ownership, LockError> {
///         let now = self.info.clock().boot();
///         let mut records = self.records.lock().unwrap();
///         let Some((owner, end)) = records.get_mut(lease.name().as_str()) else {
///             return Ok(Ownership::Lost);
///         };
///         let is_live = *end > now;
///         match write.standing(owner) {
///             Standing::Earlier if is_live || !must_be_live => {
///                 (*owner, *end) = (write.stored().to_owned(), now.saturating_add(ends_in));
///                 Ok(Ownership::Ours)
///             }
///             // Delivered twice: the answer is the same, and nothing changes.
///             Standing::Same => Ok(Ownership::Ours),
///             _ => Ok(Ownership::Lost),
///         }
///     }
/// }
///
/// #[async_trait]
/// impl LockProvider for Toy {
///     fn info(&self) -> &ProviderInfo {
///         &self.info
///     }
///
///     async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
///         let (write, now) = (request.write(&self.info)?, self.info.clock().boot());
///         let mut records = self.records.lock().unwrap();
///         let mut predecessor = None;
///         if let Some((owner, end)) = records.get(request.name().as_str()) {
///             let remaining = end.saturating_since(now);
///             if !remaining.is_zero() || write.standing(owner) != Standing::Foreign {
///                 return request.answer_from_record(&self.info, owner, remaining, None);
///             }
///             predecessor = Predecessor::from_record(owner, None, None);
///         }
///         let record = (write.stored().to_owned(), now.saturating_add(request.at_most()));
///         records.insert(request.name().as_str().to_owned(), record);
///         Ok(Acquisition::Granted(request.grant(None).taken_over_from(predecessor)))
///     }
///
///     async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
///         self.change(lease, &lease.next_write()?, at_most, true)
///     }
///
///     async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
///         self.change(lease, &lease.release_write()?, keep_for, false)
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), LockError> {
/// # use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
/// # let toy = std::sync::Arc::new(Toy { info: ProviderInfo::new("toy"), records: Mutex::default() });
/// # let config = LockConfiguration::new("mail", "5m")?;
/// # let mut lock = toy.try_lock(config.clone()).await?.expect("the lock is free");
/// # assert!(toy.try_lock(config.clone()).await?.is_none());
/// # lock.extend("10m", "0s").await?;
/// # assert_eq!(lock.unlock().await?, Ownership::Ours);
/// # assert!(toy.try_lock(config).await?.is_some());
/// # Ok(())
/// # }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a lock provider",
    note = "if this type comes from a `shedlock-*` provider crate, two versions of `shedlock-runtime` may be in your tree; run `cargo tree -d`"
)]
pub trait LockProvider: fmt::Debug + Send + Sync + 'static {
    /// The provider's name, node, clock and capabilities; the same for all its clones.
    fn info(&self) -> &ProviderInfo;

    /// Takes the lock if it is free, for [`at_most`](AcquireRequest::at_most) from now.
    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError>;

    /// Moves the end of the lease to `at_most` from now, if the lease is live and its owner still has the lock. The new end may be earlier than
    /// the old one.
    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError>;

    /// Ends the lease, and keeps the lock taken for `keep_for` from now. A `keep_for` of zero frees the lock at once.
    ///
    /// `keep_for` is what is left of the lock's `at_least`. The runtime has counted it, by the provider's forward clock, from the answer to the
    /// acquisition.
    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError>;

    /// Deletes records of locks that have been free for `unused_for` and whose names begin with `prefix`, and answers how many: as
    /// [`LockRecords::forget`](crate::LockRecords::forget), which a provider calls here. The runtime calls it for the claims of texts that are
    /// older than [`LockConfiguration::with_claims_kept_for`](crate::LockConfiguration::with_claims_kept_for).
    ///
    /// The default deletes nothing, for a store that forgets by itself. A wrapper passes the call on.
    async fn forget_claims(&self, _prefix: &str, _unused_for: Duration) -> Result<u64, LockError> {
        Ok(0)
    }

    /// The history of runs, if the store keeps one. The default keeps none. A wrapper passes on the history of the provider behind it.
    fn run_history(&self) -> Option<&dyn RunHistory> {
        None
    }
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

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        (**self).forget_claims(prefix, unused_for).await
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        (**self).run_history()
    }
}
