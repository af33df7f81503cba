//! The interface between the conformance suite and a provider with its store.

use std::sync::Arc;

use shedlock_runtime::{ErrorKind, Fencing, LockAdmin, LockProvider, async_trait};

use super::fault::StoreFault;
use crate::{Proxy, Unavailable};

/// One store under test, and how to make providers over the store. Each case of the suite gets a new harness.
///
/// The suite reads what the store supports from the provider's [`Capabilities`](shedlock_runtime::Capabilities). Only [`node`](Self::node)
/// is required. Each other method enables more cases. A case that needs a method that is not implemented prints `NOT APPLICABLE` and
/// passes.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use shedlock_runtime::testing::InMemoryRecordStore;
/// use shedlock_runtime::{LockProvider, ProviderInfo, RecordLockProvider, async_trait};
/// use shedlock_testkit::Harness;
///
/// struct Records(InMemoryRecordStore);
///
/// #[async_trait]
/// impl Harness for Records {
///     async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
///         let info = ProviderInfo::new("records").with_node_name(name);
///         Arc::new(RecordLockProvider::new(info, self.0.clone()))
///     }
///
///     async fn delete(&self, lock: &str) -> bool {
///         self.0.remove(lock);
///         true
///     }
/// }
/// ```
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// Whether every call of the provider ends at its first poll, as in memory. Then no reply can be lost and no request can arrive late.
    fn answers_at_once(&self) -> bool {
        false
    }

    /// How long fencing tokens grow, where the provider cannot know: a table may lack the column. `None`: as the provider declares.
    fn fencing(&self) -> Option<Fencing> {
        None
    }

    /// Whether records keep positions, where the provider cannot know: a table may lack the columns. `None`: as the provider declares.
    fn keeps_positions(&self) -> Option<bool> {
        None
    }

    /// The number of characters that a lock name must be able to have. JVM nodes use up to 64. A wrapper that prefixes names leaves fewer.
    fn name_chars(&self) -> usize {
        64
    }

    /// Makes a provider as another program would: over the store of this harness, with its own connections and caches, and with this node
    /// name. Several nodes may have the same name.
    async fn node(&self, name: &str) -> Arc<dyn LockProvider>;

    /// Makes a node for an operator, in the same way as [`node`](Self::node); `None` if the provider does not implement [`LockAdmin`].
    async fn admin(&self, _name: &str) -> Option<Arc<dyn LockAdmin>> {
        None
    }

    /// What another process needs to make nodes over the same store, such as a URL or a path. The suite calls this method only if
    /// [`conformance!`](crate::conformance!) has the argument `processes`.
    fn address(&self) -> Option<String> {
        None
    }

    /// Makes a node whose clock is one hour ahead or behind. Not used with [`ByClientClock`](shedlock_runtime::Expiry::ByClientClock).
    async fn node_with_wrong_clock(
        &self,
        _name: &str,
        _ahead: bool,
    ) -> Option<Arc<dyn LockProvider>> {
        None
    }

    /// Reads the record of a lock directly from the store, without the provider.
    async fn peek(&self, _lock: &str) -> Peek {
        Peek::Unsupported
    }

    /// Deletes the record of a lock directly in the store, without the provider; returns false if the harness cannot do this.
    async fn delete(&self, _lock: &str) -> bool {
        false
    }

    /// Writes the record of a free lock as another implementation of ShedLock would; returns false if the harness cannot do this.
    async fn insert_foreign(&self, _lock: &str) -> bool {
        false
    }

    /// Removes the table, collection or bucket that the provider needs; returns false if there is none or the harness cannot do this.
    async fn remove_schema(&self) -> bool {
        false
    }

    /// Creates the table, collection or bucket again, as an administrator would, while providers are in use.
    async fn restore_schema(&self) {}

    /// The proxy through which all nodes of this harness connect to the store. The suite starts and ends faults with it.
    fn proxy(&self) -> Option<&Proxy> {
        None
    }

    /// Kills the store's server and starts it again with its data; returns when the server is back. Returns false if the harness cannot do
    /// this, for example because other cases use the server.
    async fn restart(&self) -> bool {
        false
    }

    /// Starts a [`StoreFault`] between all nodes and the store; returns false if the harness cannot do this. The default uses
    /// [`proxy`](Self::proxy) and [`restart`](Self::restart); a store without connections has faults of its own.
    async fn inject(&self, fault: StoreFault) -> bool {
        match self.proxy() {
            _ if fault == StoreFault::Restart => self.restart().await,
            Some(proxy) => fault.start(proxy).await,
            None => false,
        }
    }

    /// Ends every fault. The default uses [`proxy`](Self::proxy).
    async fn end_faults(&self) {
        if let Some(proxy) = self.proxy() {
            StoreFault::end(proxy).await;
        }
    }

    /// Returns providers that cannot work, each with the error that the provider must return.
    async fn broken(&self) -> Vec<Broken> {
        Vec::new()
    }
}

/// What the store contains under a lock's name, as returned by [`Harness::peek`].
///
/// See [`Stored`] for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peek {
    /// The harness cannot read records.
    Unsupported,
    /// The store has no record of the lock.
    Absent,
    /// The store has this record of the lock.
    Found(Stored),
}

/// The record of a lock as it is in the store.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::testing::InMemoryRecordStore;
/// use shedlock_testkit::conformance::{Peek, Stored};
///
/// fn peek(store: &InMemoryRecordStore, lock: &str) -> Peek {
///     match store.get(lock) {
///         None => Peek::Absent,
///         Some(record) => Peek::Found(Stored { record: format!("{record:?}"), owner: Some(record.locked_by) }),
///     }
/// }
/// assert_eq!(peek(&InMemoryRecordStore::new(), "mail"), Peek::Absent);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The owner as stored, if the record has one.
    pub owner: Option<String>,
    /// The whole record as text. Two records with the same text count as unchanged.
    pub record: String,
}

/// A provider that cannot work, and the error that the provider must return; see [`Harness::broken`].
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use shedlock_runtime::testing::FaultyProvider;
/// use shedlock_runtime::{ErrorKind, InMemoryLockProvider};
/// use shedlock_testkit::conformance::Broken;
///
/// # fn provider_with_wrong_password() -> FaultyProvider<InMemoryLockProvider> { FaultyProvider::new(InMemoryLockProvider::new()) }
/// let broken = Broken::new("a wrong password", Arc::new(provider_with_wrong_password()), ErrorKind::Configuration)
///     .mentioning("password")
///     .hiding("s3cret");
/// # let _ = broken;
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Broken {
    /// What is wrong with the provider, for messages of the suite, such as `a missing table`.
    pub what: &'static str,
    /// The provider that cannot work.
    pub provider: Arc<dyn LockProvider>,
    /// The kind of the error that the provider must return.
    pub kind: ErrorKind,
    /// Texts that the error message must contain, such as the definition of the missing table or the missing privilege.
    pub mentions: Vec<String>,
    /// Texts that no message may contain, such as the password.
    pub secrets: Vec<String>,
}

impl Broken {
    /// Describes a provider that must fail with an error of this kind.
    #[must_use]
    pub fn new(what: &'static str, provider: Arc<dyn LockProvider>, kind: ErrorKind) -> Self {
        Self {
            what,
            provider,
            kind,
            mentions: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// Requires that the error message contains `text`.
    #[must_use]
    pub fn mentioning(mut self, text: impl Into<String>) -> Self {
        self.mentions.push(text.into());
        self
    }

    /// Requires that no message and no debug output contains `text`.
    #[must_use]
    pub fn hiding(mut self, text: impl Into<String>) -> Self {
        self.secrets.push(text.into());
        self
    }
}

/// What [`conformance!`](crate::conformance!) takes: a [`Harness`], or the reason why the store is not available on this machine.
///
/// # Examples
///
/// ```
/// use shedlock_testkit::conformance::IntoHarness;
/// use shedlock_testkit::{Harness, Unavailable};
///
/// /// Both `H` and `Result<H, Unavailable>` are accepted.
/// fn accepts<H: Harness>(harness: H) -> Result<H, Unavailable> {
///     let result: Result<H, Unavailable> = harness.into_harness();
///     result.into_harness()
/// }
/// ```
pub trait IntoHarness {
    /// The harness's type.
    type Harness: Harness;

    /// Returns the harness, or the reason why the store is not available on this machine.
    ///
    /// # Errors
    ///
    /// If the store is not available on this machine. The cases are then skipped.
    fn into_harness(self) -> Result<Self::Harness, Unavailable>;
}

impl<H: Harness> IntoHarness for H {
    type Harness = H;

    fn into_harness(self) -> Result<H, Unavailable> {
        Ok(self)
    }
}

impl<H: Harness> IntoHarness for Result<H, Unavailable> {
    type Harness = H;

    fn into_harness(self) -> Self {
        self
    }
}
