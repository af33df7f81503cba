//! One store for several environments, each of which sees its own locks only.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::check_part;
use crate::seam::answer::{Acquisition, Ownership};
use crate::seam::history::RunHistory;
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::seam::request::AcquireRequest;
use crate::values::error::{ErrorKind, LockError};
use crate::values::name::{InvalidName, LockName, MAX_BYTES};

/// Parts a namespace from a name. A namespace cannot contain it, so no two of them have a stored name in common.
const SEPARATOR: char = '/';

/// A wrapper that keeps the lock `job` as `<namespace>/job` in the store, so that several environments or applications can share one table.
///
/// # Notes
///
/// - Guards, asserts, errors and events show the name that the program gave, without the namespace.
/// - The store's limit on names counts for the namespace, the slash and the name together. A name that is too long is refused before any I/O.
/// - A namespace is no protection: a provider without a namespace reaches the lock by its whole name, `staging/job`. So do JVM nodes.
/// - Namespaces can be nested. The outer wrapper's namespace is the inner part of the stored name.
/// - Clones are one provider. Two wrappers that are made by two calls of [`new`](Self::new) are different providers by
///   [`ProviderInfo::is_same`], even with one namespace over one store.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _, NamespacedLockProvider};
///
/// let store = InMemoryLockProvider::new();
/// let staging = NamespacedLockProvider::new(store.clone(), "staging")?;
/// let production = NamespacedLockProvider::new(store, "production")?;
///
/// let config = LockConfiguration::new("nightly_report", "10m")?;
/// let lock = staging.try_lock(config.clone()).await?.expect("free");
/// assert_eq!(lock.name().as_str(), "nightly_report");
/// assert!(production.try_lock(config).await?.is_some(), "another lock");
/// # Ok(())
/// # }
/// ```
///
/// The order of wrappers matters: a wrapper behind the namespace sees the name with the namespace. A router there finds a tenant that does not
/// exist:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::{
///     ErrorKind, InMemoryLockProvider, LockConfiguration, LockProviderExt as _, NamespacedLockProvider, RoutingLockProvider, SystemClock,
/// };
///
/// let (store, config) = (InMemoryLockProvider::with_clock(SystemClock), LockConfiguration::new("acme:sync", "10m")?);
///
/// // Right: the router sees `acme:sync`, and the tenant's store keeps `staging/acme:sync`.
/// let right = RoutingLockProvider::by_prefix(':');
/// right.insert("acme", NamespacedLockProvider::new(store.clone(), "staging")?)?;
/// assert!(right.try_lock(config.clone()).await?.is_some());
///
/// // Wrong: the router sees `staging/acme:sync`, and looks for the tenant `staging/acme`.
/// let router = RoutingLockProvider::by_prefix(':');
/// router.insert("acme", store)?;
/// let wrong = NamespacedLockProvider::new(router, "staging")?;
/// assert_eq!(wrong.try_lock(config).await.unwrap_err().kind(), ErrorKind::NoProvider);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NamespacedLockProvider<P> {
    inner: Arc<P>,
    info: ProviderInfo,
    /// With the separator.
    prefix: Arc<str>,
}

// Derived, it would ask for `P: Clone`.
impl<P> Clone for NamespacedLockProvider<P> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            info: self.info.clone(),
            prefix: Arc::clone(&self.prefix),
        }
    }
}

impl<P: LockProvider> NamespacedLockProvider<P> {
    /// Wraps `inner`. The stored names of the wrapper's locks begin with `namespace` and a slash.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if `namespace` is empty, contains a slash or control characters, or leaves no room for
    /// names in this store.
    pub fn new(inner: P, namespace: impl AsRef<str>) -> Result<Self, LockError> {
        let namespace = namespace.as_ref();
        check_part("a namespace", namespace)?;
        if namespace.contains(SEPARATOR) {
            let problem = format!("namespace `{namespace}` contains `{SEPARATOR}`");
            return Err(LockError::new(ErrorKind::Configuration, problem)
                .with_remedy("put one namespace into the other instead"));
        }
        let prefix = format!("{namespace}{SEPARATOR}");
        let capabilities = inner.info().capabilities();
        let max = capabilities.max_name_chars();
        let left = match max {
            usize::MAX => usize::MAX,
            max => max.saturating_sub(prefix.chars().count()),
        };
        let bytes_left = capabilities
            .max_name_bytes()
            .min(MAX_BYTES)
            .saturating_sub(prefix.len());
        if left == 0 || bytes_left == 0 {
            let problem = format!(
                "the namespace leaves no room for names in {}",
                inner.info().name()
            );
            return Err(LockError::new(ErrorKind::Configuration, problem)
                .with_remedy("choose a shorter one"));
        }
        capabilities.check_alphabet(&prefix).map_err(|invalid| {
            let problem = format!("namespace `{namespace}` cannot begin names here: {invalid}");
            LockError::new(ErrorKind::Configuration, problem)
        })?;
        let capabilities = capabilities
            .clone()
            .with_max_name_chars(left)
            .with_max_name_bytes(bytes_left);
        Ok(Self {
            info: inner
                .info()
                .wrapped_by("namespace")
                .with_capabilities(capabilities)
                .in_namespace(namespace),
            inner: Arc::new(inner),
            prefix: prefix.into(),
        })
    }

    /// The namespace, as it was given.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.prefix.trim_end_matches(SEPARATOR)
    }

    /// The provider behind this wrapper, which sees the locks of all namespaces.
    #[must_use]
    pub fn inner(&self) -> &P {
        &self.inner
    }

    /// What the names of all our locks begin with in the store.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name under which the store keeps `name`.
    pub(super) fn stored(&self, name: &LockName) -> Result<LockName, InvalidName> {
        let name = name.as_str();
        let max = MAX_BYTES - self.prefix.len();
        if name.len() > max {
            // Said of the name that the caller knows.
            return Err(InvalidName::TooLong {
                len: name.len(),
                max,
                unit: "bytes",
            });
        }
        let mut stored = String::with_capacity(self.prefix.len() + name.len());
        stored.push_str(&self.prefix);
        stored.push_str(name);
        LockName::new(stored)
    }

    /// The name in here of what the store keeps as `stored`, if it is one of ours.
    pub(super) fn own<'a>(&self, stored: &'a str) -> Option<&'a str> {
        stored.strip_prefix(&*self.prefix)
    }

    fn stored_lease(&self, lease: &Lease) -> Result<Lease, LockError> {
        Ok(lease.renamed(self.stored(lease.name())?))
    }
}

/// The provider's name with the wrappers around it, as [`ProviderInfo`] shows it.
impl<P: LockProvider> fmt::Display for NamespacedLockProvider<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockProvider> LockProvider for NamespacedLockProvider<P> {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let name = request.name();
        // Both attempts have one owner: a lost answer is given back through this provider, under this name.
        let stored = request.renamed(self.stored(name)?);
        match self.inner.acquire(&stored).await {
            Ok(Acquisition::Granted(lease)) => {
                Ok(Acquisition::Granted(lease.renamed(name.clone())))
            }
            Ok(refused @ Acquisition::Refused(_)) => Ok(refused),
            Err(error) => Err(error.renamed(name)),
        }
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let answer = self.inner.extend(&self.stored_lease(lease)?, at_most).await;
        answer.map_err(|error| error.renamed(lease.name()))
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let answer = self
            .inner
            .release(&self.stored_lease(lease)?, keep_for)
            .await;
        answer.map_err(|error| error.renamed(lease.name()))
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let stored = format!("{}{prefix}", self.prefix);
        self.inner.forget_claims(&stored, unused_for).await
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        self.inner.run_history().map(|_| self as _)
    }
}
