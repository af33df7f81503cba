//! A provider for each tenant, chosen for each call by the lock's name.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::check_part;
use crate::seam::capabilities::Capabilities;
use crate::seam::info::ProviderInfo;
use crate::seam::provider::LockProvider;
use crate::values::claim::lock_of;
use crate::values::error::{ErrorKind, LockError};
use crate::values::name::LockName;

mod requests;
mod tenants;

use tenants::{Tenants, check_clock, quoted};

/// Tenants that are made on demand are named by data, which may be anything.
const MOST_MADE: usize = 10_000;

type Key = dyn for<'a> Fn(&'a str) -> Cow<'a, str> + Send + Sync;
type Make = dyn Fn(&str) -> Result<Arc<dyn LockProvider>, LockError> + Send + Sync;

/// A wrapper that sends each lock to the provider of its tenant, such as one database for each customer.
///
/// The tenant is a part of the lock's name, or follows from the name, as in `#[scheduler_lock(name = "{tenant}:sync")]`. The tenant's store
/// keeps the whole name.
///
/// # Notes
///
/// - The tenant must follow from the name alone, because a task that holds a lock runs a nested call with the same name without asking again.
/// - The text of an [instant](crate::LockConfiguration::with_instant_text) is no part of the name for this: `key` gets a name without its last
///   `@=` and what follows.
/// - Tenants can be added and removed while the program runs. A lease stays with the provider that granted it, also if the tenant has another
///   provider by then, or none. The entry of the run in a [history](crate::RunHistory) goes to the provider that the tenant has when the run ends.
/// - A lock of an unknown tenant fails with [`ErrorKind::NoProvider`]. An annotated function whose return type cannot carry the error panics.
/// - All tenants must use the router's clock, because leases contain readings of that clock. By default it is the system's, as with every
///   provider but [`InMemoryLockProvider`](crate::InMemoryLockProvider); [`with_info`](Self::with_info) sets another.
/// - Clones share the tenants. A task that holds a lock through the router and asks for it through the tenant's own provider is refused: the two
///   are different providers.
/// - Do not put a namespace around a router: see [`NamespacedLockProvider`](crate::NamespacedLockProvider) for the wrong order beside the right
///   one.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::{
///     InMemoryLockProvider, LockConfiguration, LockProviderExt as _, ProviderInfo, RoutingLockProvider, TokioClock,
/// };
///
/// // Locks in memory go by tokio's clock; for databases, `RoutingLockProvider::by_prefix(':')` is enough.
/// let info = ProviderInfo::new("tenants").with_clock(TokioClock);
/// let provider = RoutingLockProvider::with_info(info, |name| {
///     // Names without a tenant go to a store that all share.
///     name.split_once(':').map_or("shared", |(tenant, _)| tenant).into()
/// });
/// provider.insert("shared", InMemoryLockProvider::new())?;
/// provider.insert("acme", InMemoryLockProvider::new())?;
///
/// assert!(provider.try_lock(LockConfiguration::new("acme:sync", "10m")?).await?.is_some());
/// let error = provider.try_lock(LockConfiguration::new("umbrella:sync", "10m")?).await.unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "failed to acquire lock `umbrella:sync` in tenants: no provider for tenant `umbrella`; known are `acme`, `shared`"
/// );
/// # Ok(())
/// # }
/// ```
///
/// # Operators
///
/// A router does not implement [`LockAdmin`](crate::LockAdmin), because its list of locks could be wrong: tenants that only other nodes
/// know would be missing, locks of two tenants in one store would be listed twice, and one store that cannot be reached would make the whole
/// list fail. An operator asks the tenants' own providers, which know the locks by the same names:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
/// use shedlock_runtime::{InMemoryLockProvider, LockAdmin, RoutingLockProvider, SystemClock};
///
/// let store = || Arc::new(InMemoryLockProvider::with_clock(SystemClock)) as Arc<dyn LockAdmin>;
/// let admins = BTreeMap::from([("acme", store()), ("umbrella", store())]);
/// let provider = RoutingLockProvider::by_prefix(':');
/// for (tenant, admin) in &admins {
///     provider.insert(*tenant, Arc::clone(admin))?;
/// }
/// // Later, at a terminal or in a route of a web service:
/// for (tenant, admin) in &admins {
///     match admin.list().await {
///         Ok(locks) => println!("{tenant}: {} locks", locks.len()),
///         Err(error) => println!("{tenant}: {error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RoutingLockProvider {
    info: ProviderInfo,
    key: Arc<Key>,
    make: Option<Arc<Make>>,
    tenants: Arc<Tenants>,
}

impl fmt::Debug for RoutingLockProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoutingLockProvider")
            .field("name", &self.info.name())
            .field("tenants", &self.tenants.len())
            .finish_non_exhaustive()
    }
}

impl RoutingLockProvider {
    /// A router whose tenant is the part of a lock's name before the first `separator`.
    #[must_use]
    pub fn by_prefix(separator: char) -> Self {
        Self::new(move |name| {
            name.split_once(separator)
                .map_or("", |(tenant, _)| tenant)
                .into()
        })
    }

    /// A router whose tenant is what `key` returns for a lock's name. An empty text means that the name has no tenant.
    #[must_use]
    pub fn new(key: impl for<'a> Fn(&'a str) -> Cow<'a, str> + Send + Sync + 'static) -> Self {
        // What a tenant's store cannot do, it refuses itself.
        let capabilities = Capabilities::new().with_positions();
        let info = ProviderInfo::new("routing").with_capabilities(capabilities);
        Self::with_info(info, key)
    }

    /// A router as [`new`](Self::new) makes it, with a name, a clock and capabilities of its own: those of `info`.
    #[must_use]
    pub fn with_info(
        info: ProviderInfo,
        key: impl for<'a> Fn(&'a str) -> Cow<'a, str> + Send + Sync + 'static,
    ) -> Self {
        Self {
            info: info.with_own_identity(),
            key: Arc::new(key),
            make: None,
            tenants: Arc::default(),
        }
    }

    /// Sets a function that makes the provider of an unknown tenant when the first lock of that tenant is asked for.
    ///
    /// `make` should not connect, but return a provider that connects when it is used. Two calls at the same moment may make two providers for
    /// one tenant; one of them is kept. If `make` returns an error, the acquisition fails with it, and the next acquisition calls `make` again.
    /// A provider that was made stays until its tenant is [removed](Self::remove). When the router has 10,000 tenants, `make` is not called any
    /// more, and acquisitions for further tenants fail.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::{ErrorKind, InMemoryLockProvider, LockError, RoutingLockProvider, SystemClock};
    ///
    /// let provider = RoutingLockProvider::by_prefix(':').with_factory(|tenant| match tenant {
    ///     "acme" | "umbrella" => Ok(InMemoryLockProvider::with_clock(SystemClock)),
    ///     other => Err(LockError::new(ErrorKind::NoProvider, format!("`{other}` is no customer"))),
    /// });
    /// # let _ = provider;
    /// ```
    #[must_use]
    pub fn with_factory<P: LockProvider>(
        mut self,
        make: impl Fn(&str) -> Result<P, LockError> + Send + Sync + 'static,
    ) -> Self {
        self.make = Some(Arc::new(move |tenant| {
            make(tenant).map(|made| Arc::new(made) as Arc<dyn LockProvider>)
        }));
        self
    }

    /// Sends the locks of `tenant` to `provider` from now on. If the tenant had a provider, the new one replaces it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if `tenant` is empty or has control characters, or if `provider` uses another clock than the router.
    pub fn insert(
        &self,
        tenant: impl Into<String>,
        provider: impl LockProvider,
    ) -> Result<(), LockError> {
        let tenant = tenant.into();
        check_part("a tenant's name", &tenant)?;
        check_clock(self.info.clock(), &tenant, &provider)?;
        self.tenants.insert(tenant, Arc::new(provider));
        Ok(())
    }

    /// Removes `tenant`, and returns whether it was known. Leases of its locks can still be extended and released.
    #[expect(clippy::must_use_candidate, reason = "most callers know that it was")]
    pub fn remove(&self, tenant: &str) -> bool {
        self.tenants.remove(tenant)
    }

    /// The names of the known tenants, sorted.
    #[must_use]
    pub fn tenants(&self) -> Vec<String> {
        self.tenants.names()
    }

    /// The provider of the lock `name`'s tenant.
    pub(super) fn choose(&self, name: &LockName) -> Result<Arc<dyn LockProvider>, LockError> {
        // A claim belongs to its lock: a text, which may come from anywhere, names no tenant.
        let lock = lock_of(name.as_str()).unwrap_or(name.as_str());
        let tenant = (self.key)(lock);
        let tenant = tenant.as_ref();
        if tenant.is_empty() {
            return Err(LockError::new(
                ErrorKind::NoProvider,
                "the lock's name has no tenant in it",
            ));
        }
        if let Some(provider) = self.tenants.get(tenant) {
            return Ok(provider);
        }
        let Some(make) = &self.make else {
            return Err(self.tenants.unknown(tenant));
        };
        check_part("a tenant's name", tenant)?;
        if self.tenants.len() >= MOST_MADE {
            let problem = format!(
                "tenant {} is one too many: there are {MOST_MADE}",
                quoted(tenant)
            );
            return Err(LockError::new(ErrorKind::Configuration, problem)
                .with_remedy("remove tenants that are gone"));
        }
        let provider = make(tenant)?;
        check_clock(self.info.clock(), tenant, &provider)?;
        Ok(self.tenants.get_or_insert(tenant, &provider))
    }
}

/// The provider's name with the wrappers around it, as [`ProviderInfo`] shows it.
impl fmt::Display for RoutingLockProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}
