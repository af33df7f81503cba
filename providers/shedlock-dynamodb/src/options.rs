//! The options of a provider.

use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
#[cfg(feature = "connect")]
use aws_sdk_dynamodb::config::{ProvideCredentials, SharedCredentialsProvider};
use shedlock_runtime::{
    Capabilities, Clock, Expiry, Fencing, LockError, Operation, ProviderInfo, RecordLockProvider,
};

use crate::connection::Connection;
use crate::error;
use crate::layout::{Ends, Layout, Ttl};
use crate::observe::Observer;
#[cfg(feature = "connect")]
use crate::own::{Own, Target};
use crate::provider::DynamoDbLockProvider;
use crate::store::Items;

const PROVIDER: &str = "dynamodb";
/// The clocks of the nodes and of DynamoDB may differ.
const SHORTEST_TTL: Duration = Duration::from_hours(1);

/// The options of a [`DynamoDbLockProvider`]. Begin with [`DynamoDbLockProvider::builder`] or, for a client of the provider's own, with
/// `DynamoDbLockProvider::builder_from_url`.
///
/// # Examples
///
/// ```no_run
/// # async fn example(client: aws_sdk_dynamodb::Client) -> Result<(), shedlock_runtime::LockError> {
/// use std::time::Duration;
///
/// use shedlock_dynamodb::DynamoDbLockProvider;
///
/// let provider = DynamoDbLockProvider::builder(client)
///     .table("locks")
///     .node_name("web-2")
///     .with_ttl("deleteAfter", Duration::from_secs(90 * 24 * 60 * 60))
///     .build()?;
/// provider.ensure_schema().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` or `connect` is called"]
pub struct DynamoDbLockProviderBuilder {
    origin: Origin,
    table: Option<String>,
    layout: Layout,
    info: ProviderInfo,
    #[cfg(feature = "connect")]
    credentials: Option<SharedCredentialsProvider>,
}

enum Origin {
    Given(Client),
    #[cfg(feature = "connect")]
    Url(String),
}

impl DynamoDbLockProviderBuilder {
    pub(crate) fn from_client(client: Client) -> Self {
        Self::with_defaults(Origin::Given(client))
    }

    #[cfg(feature = "connect")]
    pub(crate) fn from_url(url: &str) -> Self {
        Self::with_defaults(Origin::Url(url.to_owned()))
    }

    fn with_defaults(origin: Origin) -> Self {
        Self {
            origin,
            table: None,
            layout: Layout::of_shedlock(),
            info: ProviderInfo::new(PROVIDER),
            #[cfg(feature = "connect")]
            credentials: None,
        }
    }

    /// Keeps the locks as Dynalock does: in the table `locks`, with the partition key `id`, the end of the lease in `expires` in whole
    /// seconds, and the owner in `lock_owner`. Nodes with Dynalock and with this provider then exclude each other. Call it before the
    /// options that set names.
    ///
    /// A node with Dynalock replaces the whole item, so locks in such a table have no positions: `once_per`, `instant` and `step` are
    /// refused.
    pub fn dynalock(mut self) -> Self {
        self.layout = Layout {
            is_observed: self.layout.is_observed,
            ..Layout::of_dynalock()
        };
        self
    }

    /// Sets the table that holds the locks, by its name or ARN. The default is `Shedlock`, the name in the documentation of JVM nodes.
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = Some(name.into());
        self
    }

    /// Sets the table's partition key, a string. The default is `_id`, as on JVM nodes.
    pub fn partition_key(mut self, name: impl Into<String>) -> Self {
        self.layout.key = name.into();
        self
    }

    /// Sets the table's sort key, a string, whose value is the name of the lock with `_SortKey` behind it, as on JVM nodes. The default is
    /// none.
    pub fn sort_key(mut self, name: impl Into<String>) -> Self {
        self.layout.sort_key = Some(name.into());
        self
    }

    /// Sets the attribute with the end of the lease. The default is `lockUntil`, as on JVM nodes.
    pub fn lock_until_attribute(mut self, name: impl Into<String>) -> Self {
        self.layout.lock_until = name.into();
        self
    }

    /// Sets the attribute with the time of the acquisition, a string. The default is `lockedAt`, as on JVM nodes.
    pub fn locked_at_attribute(mut self, name: impl Into<String>) -> Self {
        self.layout.locked_at = name.into();
        self
    }

    /// Sets the attribute with the owner, a string. The default is `lockedBy`, as on JVM nodes.
    pub fn locked_by_attribute(mut self, name: impl Into<String>) -> Self {
        self.layout.locked_by = name.into();
        self
    }

    /// Writes into `attribute`, as a number of seconds since 1970, when DynamoDB may delete the item: `unused_for` after the end of the lease,
    /// at least an hour. [`ensure_schema`](DynamoDbLockProvider::ensure_schema) lets the table delete by it. The default is that items stay.
    ///
    /// No lock is free for being deleted, nor held for not being deleted. The item of a lock with `once_per`, `instant` or `step` never gets
    /// the attribute, because its position would be deleted with it. JVM nodes do not write it either.
    pub fn with_ttl(mut self, attribute: impl Into<String>, unused_for: Duration) -> Self {
        self.layout.ttl = Some(Ttl {
            attribute: attribute.into(),
            unused_for,
        });
        self
    }

    /// Ends leases by observation instead of by comparing the nodes' times of day: a node takes a lock over after it has seen one state of
    /// the lock's item for as long as the lease lasts, on its own forward clock, and only if the item is still in that state. A time of day
    /// that is wrong, by whatever length, then lets no two nodes hold one lock. The default is to compare times of day, as JVM nodes do.
    ///
    /// All nodes should have the option. A lock whose holder died is free later: one length of its lease after another node has asked for it
    /// the first time, and at that node's next request. The README of this crate tells what else differs. In a URL, the option is
    /// `?expiry=observation`.
    pub fn expiry_by_observation(mut self) -> Self {
        self.layout.is_observed = true;
        self
    }

    /// Sets where the credentials come from, for a client of the provider's own. The default is where the AWS CLI finds them: environment,
    /// profile, web identity, the container's or the machine's role. The client of [`DynamoDbLockProvider::builder`] keeps its own.
    #[cfg(feature = "connect")]
    pub fn credentials_provider(mut self, provider: impl ProvideCredentials + 'static) -> Self {
        self.credentials = Some(SharedCredentialsProvider::new(provider));
        self
    }

    /// Sets the name of this node. The default is the name of the host.
    pub fn node_name(mut self, name: &str) -> Self {
        self.info = self.info.with_node_name(name);
        self
    }

    /// Sets the clock that measures the holder's deadline and dates the leases. The default is the clock of this machine.
    pub fn time_source(mut self, time: impl Clock) -> Self {
        self.info = self.info.with_clock(time);
        self
    }

    /// Creates the provider. The provider connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL is not valid, if the table or an attribute cannot
    /// have its name, or if items would be deleted too soon.
    pub fn build(self) -> Result<DynamoDbLockProvider, LockError> {
        let built = self.try_build();
        built.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))
    }

    /// Creates the provider and reads the table once.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) also if there are no credentials;
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) if there is no such table, or if it has another key;
    /// [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if DynamoDB cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(self) -> Result<DynamoDbLockProvider, LockError> {
        let built = self.build()?;
        let reached = built.items().find("shedlock").await;
        reached.map_err(|error| built.in_context(Operation::Connect, error))?;
        Ok(built)
    }

    fn try_build(mut self) -> Result<DynamoDbLockProvider, LockError> {
        #[cfg(feature = "connect")]
        if let Origin::Url(url) = &self.origin {
            let target = Target::parse(url)?;
            self.layout.is_observed |= target.is_observed;
            let table = self.table.take().or_else(|| target.table.clone());
            let own = Own::new(target, self.credentials.take());
            return self.checked(table, Connection::own(own));
        }
        let table = self.table.take();
        match &self.origin {
            Origin::Given(client) => {
                let connection = Connection::given(client);
                self.checked(table, connection)
            }
            #[cfg(feature = "connect")]
            Origin::Url(_) => Err(error::not_a_url()),
        }
    }

    fn checked(
        mut self,
        table: Option<String>,
        connection: Connection,
    ) -> Result<DynamoDbLockProvider, LockError> {
        if let Some(table) = table {
            self.layout.table = table;
        }
        self.layout.check()?;
        if self.layout.is_observed && self.layout.ends == Ends::Seconds {
            return Err(error::dynalock_compares_clocks());
        }
        let ttl = self.layout.ttl.as_ref();
        if ttl.is_some_and(|ttl| ttl.unused_for < SHORTEST_TTL) {
            return Err(error::ttl_too_short(SHORTEST_TTL));
        }
        Ok(self.assemble(connection))
    }

    fn assemble(self, connection: Connection) -> DynamoDbLockProvider {
        // The first token of an item is the time of day, which is greater than any token of a deleted item if the clocks agree.
        let (expiry, fencing) = if self.layout.is_observed {
            (Expiry::ByObservation, Fencing::UntilDeletion)
        } else {
            (Expiry::ByClientClock, Fencing::Always)
        };
        let capabilities = Capabilities::new()
            .with_expiry(expiry)
            .with_fencing(fencing)
            .with_grain(self.layout.ends.grain())
            .with_max_name_bytes(self.layout.longest_name());
        let capabilities = match self.layout.ends {
            Ends::Text => capabilities.with_positions(),
            Ends::Seconds => capabilities,
        };
        let observer = self.layout.is_observed.then(|| Observer::new(&self.info));
        let items = Items {
            connection,
            layout: self.layout,
            observer,
        };
        let info = self.info.with_capabilities(capabilities);
        DynamoDbLockProvider {
            records: RecordLockProvider::new(info, items),
        }
    }
}

/// A provider on `client` with the default options.
pub(crate) fn defaults(client: Client) -> DynamoDbLockProvider {
    let connection = Connection::given(&client);
    DynamoDbLockProviderBuilder::from_client(client).assemble(connection)
}

// Written by hand, because a client has credentials.
impl fmt::Debug for DynamoDbLockProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbLockProviderBuilder")
            .field("table", &self.table)
            .field("layout", &self.layout)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}
