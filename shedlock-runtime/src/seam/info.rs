//! What a provider says about itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::seam::capabilities::Capabilities;
use crate::values::clock::{Clock, SystemClock};
use crate::values::config::LockConfiguration;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::name::LockName;
use crate::values::node::{host_node_name, node_name};

/// What a provider is called, on which node it runs, which clock it uses, and what its store can do.
///
/// All clones of a provider share one `ProviderInfo`, and with it one identity: see [`is_same`](Self::is_same).
///
/// `Display` shows the provider's name with the wrappers around it, the outermost first, as in `timeout(namespace(postgres))`.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{Capabilities, ProviderInfo};
///
/// let info = ProviderInfo::new("redis")
///     .with_node_name("web-2")
///     .with_capabilities(Capabilities::new().with_max_name_bytes(512));
/// assert_eq!(info.name(), "redis");
/// assert_eq!(info.to_string(), "redis");
/// ```
#[derive(Debug, Clone)]
pub struct ProviderInfo {
    id: u64,
    name: &'static str,
    node: Arc<str>,
    clock: Arc<dyn Clock>,
    capabilities: Arc<Capabilities>,
    namespace: Option<Arc<str>>,
    /// The name with the wrappers around it, if there are wrappers.
    stack: Option<Arc<str>>,
}

impl ProviderInfo {
    /// Describes a provider that messages call `name`. The node has the host's name, the clocks are the system's, and the capabilities are
    /// the defaults.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            id: next_id(),
            name,
            node: host_node_name(),
            clock: Arc::new(SystemClock),
            capabilities: Arc::default(),
            namespace: None,
            stack: None,
        }
    }

    /// Declares what the store can do.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = Arc::new(capabilities);
        self
    }

    /// Sets the name of this node in records, cleaned by [`node_name`](crate::node_name).
    #[must_use]
    pub fn with_node_name(mut self, node: &str) -> Self {
        self.node = node_name(node);
        self
    }

    /// Sets the clock by which the holder measures its deadline, and by which records are dated if the store has no clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The provider's name in messages, such as `postgres`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The name of this node in records.
    #[must_use]
    pub fn node_name(&self) -> &Arc<str> {
        &self.node
    }

    /// What the store can do and what it cannot.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The clock by which the holder measures its deadline, and by which records are dated if the store has no clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Checks that `name` can name a lock in this store, before `operation` is sent to the store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) if `name` cannot name a lock in this store. The error names `operation` and
    /// the provider.
    pub fn lock_name(&self, operation: Operation, name: &str) -> Result<LockName, LockError> {
        let checked = LockName::new(name).and_then(|name| {
            self.capabilities.check_name(&name)?;
            Ok(name)
        });
        checked.map_err(|invalid| {
            LockError::of_name(&invalid, name).with_context(operation, self.name, None)
        })
    }

    /// Checks that names of locks in this store can begin with `prefix`, before `operation` is sent to the store. The empty prefix is
    /// accepted: every name begins with it.
    ///
    /// # Errors
    ///
    /// As [`lock_name`](Self::lock_name), for a prefix that is not empty.
    pub fn check_prefix(&self, operation: Operation, prefix: &str) -> Result<(), LockError> {
        match prefix {
            "" => Ok(()),
            prefix => self.lock_name(operation, prefix).map(drop),
        }
    }

    /// Refuses what the store cannot keep: a name, a lease, an `at_least`.
    pub(crate) fn check(&self, config: &LockConfiguration) -> Result<(), LockError> {
        let capabilities = self.capabilities();
        capabilities.check_name(config.name())?;
        capabilities.check_lease(config.at_most())?;
        capabilities.check_keeps(config.at_least())?;
        if config.position_rule().is_some() && !capabilities.keeps_positions() {
            return Err(LockError::new(
                ErrorKind::Unsupported,
                "this store keeps no positions, which `once_per`, `instant` and `step` need",
            )
            .with_remedy("keep this lock in a store that does"));
        }
        Ok(())
    }

    /// Refuses an extension that the store cannot keep.
    pub(crate) fn check_extension(
        &self,
        at_most: Duration,
        at_least: Duration,
    ) -> Result<(), LockError> {
        self.capabilities().check_lease(at_most)?;
        self.capabilities().check_keeps(at_least)?;
        Ok(())
    }

    /// The description of a wrapper called `wrapper` in front of this provider, for a wrapper that changes which lock a name means, as a
    /// namespace does.
    ///
    /// The wrapper gets an identity of its own: [`is_same`](Self::is_same) tells the two apart. A wrapper that leaves the locks the same, as
    /// a time limit does, returns the description of the provider behind it from its own `info`, unchanged.
    ///
    /// # Examples
    ///
    /// ```
    /// use shedlock_runtime::ProviderInfo;
    ///
    /// let store = ProviderInfo::new("postgres");
    /// let wrapper = store.wrapped_by("audited");
    /// assert_eq!(wrapper.to_string(), "audited(postgres)");
    /// assert_eq!(wrapper.name(), "postgres");
    /// assert!(!wrapper.is_same(&store));
    /// ```
    #[must_use]
    pub fn wrapped_by(&self, wrapper: &str) -> Self {
        Self {
            id: next_id(),
            ..self.shown_behind(wrapper)
        }
    }

    /// The same description for a provider of its own.
    pub(crate) fn with_own_identity(self) -> Self {
        Self {
            id: next_id(),
            ..self
        }
    }

    /// The same description with [`Capabilities::with_takeovers`], if the store keeps what tells of a takeover.
    pub(crate) fn with_takeovers(self) -> Self {
        let capabilities = Capabilities::clone(&self.capabilities);
        if capabilities.keeps_free_records() {
            self.with_capabilities(capabilities.with_takeovers())
        } else {
            self
        }
    }

    /// The same provider with the same identity, displayed with `wrapper` around it.
    pub(crate) fn shown_behind(&self, wrapper: &str) -> Self {
        Self {
            stack: Some(format!("{wrapper}({self})").into()),
            ..self.clone()
        }
    }

    /// The namespace before the names in the store, if a wrapper adds one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The same description for locks in `namespace`, which goes behind the namespaces that are there already.
    pub(crate) fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(match &self.namespace {
            Some(outer) => format!("{outer}/{namespace}").into(),
            None => namespace.into(),
        });
        self
    }

    /// What [`is_same`](Self::is_same) compares.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether both describe clones of one provider, so that one name means the same lock for both.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl fmt::Display for ProviderInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.stack.as_deref().unwrap_or(self.name))
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
