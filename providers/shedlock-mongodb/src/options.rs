//! The options of a provider.

use std::fmt;
use std::time::Duration;

use mongodb::Database;
use mongodb::options::ConnectionString;
use shedlock_runtime::{
    Capabilities, Clock, Expiry, Fencing, LockError, Operation, ProviderInfo, RecordLockProvider,
};

use crate::connection::Connection;
use crate::error;
use crate::fields::Fields;
use crate::provider::MongoLockProvider;
use crate::store::Documents;

const PROVIDER: &str = "mongodb";
/// The name of the collection in ShedLock for the JVM.
const DEFAULT_COLLECTION: &str = "shedLock";
/// MongoDB compares the end of a lease with its own clock when it deletes, and the nodes' clocks may differ from that.
const SHORTEST_TTL: Duration = Duration::from_secs(60);

/// The options of a [`MongoLockProvider`]. Begin with [`MongoLockProvider::builder`] or [`MongoLockProvider::builder_from_url`].
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use std::time::Duration;
///
/// use shedlock_mongodb::MongoLockProvider;
///
/// let provider = MongoLockProvider::builder_from_url("mongodb://localhost:27017/app")
///     .collection("locks")
///     .node_name("web-2")
///     .with_ttl_index(Duration::from_secs(90 * 24 * 60 * 60))
///     .connect()
///     .await?;
/// provider.ensure_indexes().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` or `connect` is called"]
pub struct MongoLockProviderBuilder {
    origin: Origin,
    database: Option<String>,
    collection: String,
    fields: Fields,
    ttl: Option<Duration>,
    is_server_clock: bool,
    info: ProviderInfo,
}

enum Origin {
    Given(Database),
    Url(String),
}

impl MongoLockProviderBuilder {
    pub(crate) fn from_database(database: Database) -> Self {
        Self::with_defaults(Origin::Given(database))
    }

    pub(crate) fn from_url(url: &str) -> Self {
        Self::with_defaults(Origin::Url(url.to_owned()))
    }

    fn with_defaults(origin: Origin) -> Self {
        Self {
            origin,
            database: None,
            collection: DEFAULT_COLLECTION.to_owned(),
            fields: Fields::default(),
            ttl: None,
            is_server_clock: true,
            info: ProviderInfo::new(PROVIDER),
        }
    }

    /// Sets the database. The default is the one that the URL names, or the one that [`MongoLockProvider::builder`] got.
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.database = Some(name.into());
        self
    }

    /// Sets the collection that holds the locks. The default is `shedLock`, as on JVM nodes.
    pub fn collection(mut self, name: impl Into<String>) -> Self {
        self.collection = name.into();
        self
    }

    /// Sets the field with the end of the lease, a date. The default is `lockUntil`, as on JVM nodes.
    pub fn lock_until_field(mut self, name: impl Into<String>) -> Self {
        self.fields.lock_until = name.into();
        self
    }

    /// Sets the field with the time of the acquisition, a date. The default is `lockedAt`, as on JVM nodes.
    pub fn locked_at_field(mut self, name: impl Into<String>) -> Self {
        self.fields.locked_at = name.into();
        self
    }

    /// Sets the field with the owner, a string. The default is `lockedBy`, as on JVM nodes.
    pub fn locked_by_field(mut self, name: impl Into<String>) -> Self {
        self.fields.locked_by = name.into();
        self
    }

    /// Lets [`MongoLockProvider::ensure_indexes`] create an index by which MongoDB deletes the document of a lock that has been free for
    /// `unused_for`, in whole seconds, at least a minute. The default is no such index.
    ///
    /// A deleted document takes the position of `once_per`, `instant` and `step` with it. So `unused_for` must be longer than the longest
    /// `once_per` of the collection's locks, and a collection with steps must have no such index.
    pub fn with_ttl_index(mut self, unused_for: Duration) -> Self {
        self.ttl = Some(unused_for);
        self
    }

    /// Lets the UTC clocks of the nodes decide when a lease ends, as on the JVM, instead of the server's clock. The clocks must agree.
    ///
    /// For servers that speak MongoDB's protocol and have no updates that are pipelines, such as Amazon `DocumentDB`. An acquisition
    /// costs two round trips then, instead of one.
    pub fn client_clock(mut self) -> Self {
        self.is_server_clock = false;
        self
    }

    /// Sets the name of this node. The default is the name of the host.
    pub fn node_name(mut self, name: &str) -> Self {
        self.info = self.info.with_node_name(name);
        self
    }

    /// Sets the clock that measures the holder's deadline and, with [`client_clock`](Self::client_clock), the end of leases. The default is
    /// the clock of this machine.
    pub fn time_source(mut self, time: impl Clock) -> Self {
        self.info = self.info.with_clock(time);
        self
    }

    /// Creates the provider. The provider connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL is not valid, if no database is named, if a
    /// collection or field cannot have its name, or if the time of the TTL index is too short.
    pub fn build(self) -> Result<MongoLockProvider, LockError> {
        let built = self.try_build();
        built.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))
    }

    /// Creates the provider and asks the server whether it is there.
    ///
    /// # Errors
    ///
    /// As [`MongoLockProvider::connect`].
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(self) -> Result<MongoLockProvider, LockError> {
        let built = self.build()?;
        let reached = built.documents().connection.reach().await;
        reached.map_err(|error| built.in_context(Operation::Connect, error))?;
        Ok(built)
    }

    fn try_build(self) -> Result<MongoLockProvider, LockError> {
        self.fields.check()?;
        check_collection(&self.collection)?;
        if self.ttl.is_some_and(|unused_for| unused_for < SHORTEST_TTL) {
            return Err(error::ttl_too_short(SHORTEST_TTL));
        }
        let collection = self.collection.clone();
        let connection = match &self.origin {
            Origin::Given(database) => Connection::given(
                match &self.database {
                    Some(name) => database.client().database(name),
                    None => database.clone(),
                },
                collection,
            ),
            Origin::Url(url) => {
                // The driver's message is left out, because it may quote the URL with its password.
                let url = ConnectionString::parse(url).map_err(|_quotes| error::not_a_url())?;
                let named = self
                    .database
                    .clone()
                    .or_else(|| url.default_database.clone());
                Connection::to(url, named.ok_or_else(error::no_database)?, collection)
            }
        };
        Ok(self.assemble(connection))
    }

    fn assemble(self, connection: Connection) -> MongoLockProvider {
        let capabilities = Capabilities::new().with_positions();
        let capabilities = if self.is_server_clock {
            capabilities
                .with_expiry(Expiry::ByStoreClock)
                .with_fencing(Fencing::Always)
        } else {
            capabilities
                .with_expiry(Expiry::ByClientClock)
                .with_fencing(Fencing::UntilDeletion)
        };
        let documents = Documents {
            connection,
            fields: self.fields,
            asks_time: self.is_server_clock,
        };
        let info = self.info.with_capabilities(capabilities);
        MongoLockProvider {
            records: RecordLockProvider::new(info, documents),
            ttl: self.ttl,
        }
    }
}

/// A provider in `database` with the default options.
pub(crate) fn defaults(database: Database) -> MongoLockProvider {
    let connection = Connection::given(database.clone(), DEFAULT_COLLECTION.to_owned());
    MongoLockProviderBuilder::from_database(database).assemble(connection)
}

fn check_collection(name: &str) -> Result<(), LockError> {
    if name.is_empty() || name.contains(['$', '\0']) || name.starts_with("system.") {
        return Err(error::not_a_collection(name));
    }
    Ok(())
}

impl fmt::Debug for MongoLockProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.origin {
            Origin::Given(_) => "a client",
            Origin::Url(_) => "a URL",
        };
        f.debug_struct("MongoLockProviderBuilder")
            .field("origin", &origin)
            .field("database", &self.database)
            .field("collection", &self.collection)
            .field("fields", &self.fields)
            .field("is_server_clock", &self.is_server_clock)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use shedlock_runtime::ErrorKind;

    use super::*;

    #[test]
    fn urls_and_names_that_cannot_be_are_refused_without_the_password() {
        let from = MongoLockProvider::builder_from_url;
        for url in [
            "mongodb://u:secret@",
            "redis://u:secret@h/a",
            "mongodb://u:secret@h",
            "secret",
        ] {
            let error = from(url).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
        assert!(from("mongodb://u:secret@h").database("app").build().is_ok());
        let with = || from("mongodb://h/app");
        assert!(with().build().is_ok());
        for collection in ["", "a$b", "system.locks"] {
            let error = with().collection(collection).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{collection}");
        }
        let error = with().with_ttl_index(Duration::from_secs(59)).build();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Configuration);
        assert!(
            with()
                .with_ttl_index(Duration::from_secs(60))
                .build()
                .is_ok()
        );
        let error = with().lock_until_field("lockedBy").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}
