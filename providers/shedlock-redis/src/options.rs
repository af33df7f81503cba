//! The options of a provider.

use std::fmt;

use redis::Client;
use shedlock_runtime::{Clock, LockError, Operation, ProviderInfo};

use crate::error;
use crate::keys::Keys;
use crate::provider::RedisLockProvider;
use crate::url::{self, Origin};

const PROVIDER: &str = "redis";
const PREFIX: &str = "job-lock";
const ENVIRONMENT: &str = "default";

/// The options of a [`RedisLockProvider`]. Begin with [`RedisLockProvider::builder`] or [`RedisLockProvider::builder_from_url`].
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_redis::RedisLockProvider;
///
/// let provider = RedisLockProvider::builder_from_url("redis://localhost")
///     // As the JVM nodes' `environment`.
///     .environment("production")
///     .node_name("web-2")
///     .connect()
///     .await?;
/// # let _ = provider;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` or `connect` is called"]
pub struct RedisLockProviderBuilder {
    origin: Result<Origin, LockError>,
    prefix: String,
    environment: String,
    info: ProviderInfo,
}

impl RedisLockProviderBuilder {
    pub(crate) fn from_client(client: Client) -> Self {
        Self::with_defaults(Ok(Origin::Server(client)))
    }

    pub(crate) fn from_url(url: &str) -> Self {
        Self::with_defaults(url::parse(url).ok_or_else(error::not_as_configured))
    }

    fn with_defaults(origin: Result<Origin, LockError>) -> Self {
        Self {
            origin,
            prefix: PREFIX.to_owned(),
            environment: ENVIRONMENT.to_owned(),
            info: ProviderInfo::new(PROVIDER),
        }
    }

    /// Sets the prefix with which every lock's key begins. The default is `job-lock`, as on JVM nodes.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the part of each key between the prefix and the lock's name. The default is `default`, as on JVM nodes.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = environment.into();
        self
    }

    /// Sets the name of this node. The default is the name of the host.
    pub fn node_name(mut self, name: &str) -> Self {
        self.info = self.info.with_node_name(name);
        self
    }

    /// Sets the clock that measures the holder's deadline and dates the records. The default is the clock of this machine. The end of a
    /// lease in the store is measured by the server.
    pub fn time_source(mut self, time: impl Clock) -> Self {
        self.info = self.info.with_clock(time);
        self
    }

    /// Creates the provider. The provider connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a URL that is not valid.
    pub fn build(self) -> Result<RedisLockProvider, LockError> {
        let origin = self
            .origin
            .map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))?;
        let keys = Keys::new(&self.prefix, &self.environment);
        Ok(RedisLockProvider::assemble(self.info, keys, origin))
    }

    /// Creates the provider and opens its connection.
    ///
    /// # Errors
    ///
    /// As [`RedisLockProvider::connect`].
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(self) -> Result<RedisLockProvider, LockError> {
        let built = self.build()?;
        let connected = built.warm_up().await;
        connected.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))?;
        Ok(built)
    }
}

/// A provider with the default options for the server of `client`.
pub(crate) fn defaults(client: Client) -> RedisLockProvider {
    RedisLockProvider::assemble(
        ProviderInfo::new(PROVIDER),
        Keys::new(PREFIX, ENVIRONMENT),
        Origin::Server(client),
    )
}

impl fmt::Debug for RedisLockProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLockProviderBuilder")
            .field("prefix", &self.prefix)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}
