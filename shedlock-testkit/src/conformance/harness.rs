//! What the suite must know about a provider and its store.

use std::sync::Arc;

use shedlock_runtime::{ErrorKind, Fencing, LockAdmin, LockProvider, async_trait};

use crate::Unavailable;

/// One store and the way to its providers. Each case gets a harness of its own.
///
/// What the store can do is read from the provider's [`Capabilities`](shedlock_runtime::Capabilities). Only [`node`](Self::node) is required. The more of the rest a harness can do, the more the suite can show; a case that
/// needs what it cannot do says so and passes.
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

/// What the store says of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peek {
    /// The harness cannot look.
    Unsupported,
    /// There is no record.
    Absent,
    /// There is one.
    Found(Stored),
}

/// The record of a lock as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The owner, if the store has one.
    pub owner: Option<String>,
    /// The whole record in any form that changes with it.
    pub record: String,
}

/// Something that goes wrong between a node and its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disturbance {
    /// Connections stay open and nothing passes; what was sent arrives when it is over.
    Stall,
    /// Requests pass and no reply does.
    LoseReplies,
    /// All connections are ended, once; new ones work.
    EndConnections,
    /// The store is killed and started again on what it had kept; done when it is back.
    Restart,
    /// The store refuses connections until it is over.
    Away,
}

/// A provider that cannot work, and what it must say.
#[derive(Debug)]
#[non_exhaustive]
pub struct Broken {
    /// What is wrong, for messages.
    pub what: &'static str,
    /// The provider.
    pub provider: Arc<dyn LockProvider>,
    /// The kind of the error.
    pub kind: ErrorKind,
    /// What the message must contain: the missing table's DDL, the missing right.
    pub mentions: Vec<String>,
    /// What nothing may print: the password.
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

/// What [`conformance!`](crate::conformance!) takes: a harness, or why there is none here.
pub trait IntoHarness {
    /// The harness's type.
    type Harness: Harness;

    /// The harness, or why there is none here.
    ///
    /// # Errors
    ///
    /// When the store cannot be had; the cases are then skipped.
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
