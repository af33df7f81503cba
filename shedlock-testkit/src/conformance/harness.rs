//! What the conformance suite must know about a provider and its store.

use std::sync::Arc;

use shedlock_runtime::{ErrorKind, Fencing, LockAdmin, LockProvider, async_trait};

use crate::Unavailable;

/// One store under test, and how to make providers over it. Each case of the suite gets a harness of its own.
///
/// The suite reads what the store can do from the provider's [`Capabilities`](shedlock_runtime::Capabilities). Only [`node`](Self::node) is
/// required. Each other method lets the suite test more. A case that needs a method which the harness lacks reports that, and passes.
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
    /// Whether every call ends at its first poll, as in memory. No reply can be lost then, and nothing arrives late.
    fn answers_at_once(&self) -> bool {
        false
    }

    /// How long fencing tokens grow in this store, where the provider cannot know: a table may lack the column. By default what the
    /// provider declares.
    fn fencing(&self) -> Option<Fencing> {
        None
    }

    /// How many characters a name must be able to have. JVM nodes use up to 64; a wrapper that adds to names leaves fewer.
    fn name_chars(&self) -> usize {
        64
    }

    /// A provider as another program would make it: over the same store as all nodes of this harness, with connections and
    /// caches of its own, and with this node name, which other nodes may have too.
    async fn node(&self, name: &str) -> Arc<dyn LockProvider>;

    /// A node for an operator, as [`node`](Self::node) makes one; `None` if the provider is no [`LockAdmin`].
    async fn admin(&self, _name: &str) -> Option<Arc<dyn LockAdmin>> {
        None
    }

    /// What another process needs to make nodes over the same store: a URL, a path. Only asked for when
    /// [`conformance!`](crate::conformance!) is called with `processes`.
    fn address(&self) -> Option<String> {
        None
    }

    /// A node whose time of day is wrong by an hour, ahead or behind; where the store's clock decides: see [`Expiry`](shedlock_runtime::Expiry).
    async fn node_with_wrong_clock(
        &self,
        _name: &str,
        _ahead: bool,
    ) -> Option<Arc<dyn LockProvider>> {
        None
    }

    /// What the store itself says of a lock, read past the provider.
    async fn peek(&self, _lock: &str) -> Peek {
        Peek::Unsupported
    }

    /// Deletes the record of a lock past the provider; false if the harness cannot.
    async fn delete(&self, _lock: &str) -> bool {
        false
    }

    /// Writes the record of a free lock as a program of another make would; false if the harness cannot.
    async fn insert_foreign(&self, _lock: &str) -> bool {
        false
    }

    /// Removes the table, collection or bucket that the provider needs; false if there is none or the harness cannot.
    async fn remove_schema(&self) -> bool {
        false
    }

    /// Makes it again, as an administrator would, while providers are in use.
    async fn restore_schema(&self) {}

    /// Begins a disturbance of everything between the nodes and the store; false if the harness cannot.
    ///
    /// [`Proxy::set`](crate::Proxy::set) and a server of the test's own do most of them.
    async fn disturb(&self, _disturbance: Disturbance) -> bool {
        false
    }

    /// Ends every disturbance.
    async fn calm(&self) {}

    /// Providers that cannot work, and what they must say.
    async fn broken(&self) -> Vec<Broken> {
        Vec::new()
    }
}

/// What the store itself has under a lock's name, in the answer of [`Harness::peek`].
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

/// The record of a lock as the store keeps it.
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

/// Something that goes wrong between a node and its store; see [`Harness::disturb`].
///
/// # Examples
///
/// ```
/// use shedlock_testkit::Proxy;
/// use shedlock_testkit::conformance::Disturbance;
/// use shedlock_testkit::proxy::{Direction, Ending, Rule};
///
/// /// A harness whose nodes connect through a proxy can do three of them.
/// async fn disturb(proxy: &Proxy, disturbance: Disturbance) -> bool {
///     match disturbance {
///         Disturbance::Stall => proxy.set(Rule::Hold(Direction::Both)),
///         Disturbance::LoseReplies => proxy.set(Rule::Discard(Direction::ToClient)),
///         Disturbance::EndConnections => proxy.end_connections(Ending::Reset),
///         _ => return false,
///     }
///     true
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disturbance {
    /// Connections stay open and nothing passes. What was sent meanwhile arrives after the disturbance.
    Stall,
    /// Requests arrive, and no reply does.
    LoseReplies,
    /// All connections are ended once. New connections work.
    EndConnections,
    /// The store is killed and started again with its data. The call returns when the store is back.
    Restart,
    /// The store refuses connections during the disturbance.
    Away,
}

/// A provider that cannot work, and the error that it must answer; see [`Harness::broken`].
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
    /// What is wrong with the provider, for messages of the suite.
    pub what: &'static str,
    /// The provider that cannot work.
    pub provider: Arc<dyn LockProvider>,
    /// The kind of the error that the provider must answer.
    pub kind: ErrorKind,
    /// What the error's message must contain, such as the definition of the missing table or the missing privilege.
    pub mentions: Vec<String>,
    /// What no message may contain, such as the password.
    pub secrets: Vec<String>,
}

impl Broken {
    /// A provider that must fail with an error of this kind.
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

    /// Demands that the message contains `text`.
    #[must_use]
    pub fn mentioning(mut self, text: impl Into<String>) -> Self {
        self.mentions.push(text.into());
        self
    }

    /// Demands that nothing prints `text`.
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

    /// The harness, or the reason why the store is not available on this machine.
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
