//! The options of a provider.

use std::time::Duration;

use shedlock_runtime::{
    Capabilities, Clock, Expiry, Fencing, LockError, Operation, ProviderInfo, RecordLockProvider,
};

use crate::connect;
use crate::keys::{Keys, MAX_NAME_BYTES};
use crate::probe;
use crate::protocol::Bucket;
use crate::provider::ObjectStoreLockProvider;
use crate::store::Objects;

pub(crate) const PROVIDER: &str = "object_store";
/// JVM nodes read times in milliseconds.
const GRAIN: Duration = Duration::from_millis(1);

/// The options of an [`ObjectStoreLockProvider`]. Begin with [`ObjectStoreLockProvider::builder`] or
/// [`ObjectStoreLockProvider::builder_from_url`].
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_object_store::ObjectStoreLockProvider;
///
/// let provider = ObjectStoreLockProvider::builder_from_url("s3://app-locks")
///     .prefix("jobs/")
///     .node_name("web-2")
///     .connect()
///     .await?;
/// # let _ = provider;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` or `connect` is called"]
pub struct ObjectStoreLockProviderBuilder {
    /// The bucket, and the prefix of the keys in the URL that names the bucket.
    origin: Result<(Bucket, Option<String>), LockError>,
    prefix: Option<String>,
    info: ProviderInfo,
}

impl ObjectStoreLockProviderBuilder {
    pub(crate) fn from_bucket(bucket: Bucket) -> Self {
        Self::with_defaults(Ok((bucket, None)))
    }

    pub(crate) fn from_url(url: &str) -> Self {
        Self::with_defaults(connect::bucket(url))
    }

    fn with_defaults(origin: Result<(Bucket, Option<String>), LockError>) -> Self {
        Self {
            origin,
            prefix: None,
            info: info(),
        }
    }

    /// Sets what the keys of the locks begin with, instead of the path in the URL. The default is `shedlock/`, in Google Cloud Storage
    /// nothing, as on JVM nodes.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Sets the name of this node. The default is the name of the host.
    pub fn node_name(mut self, name: &str) -> Self {
        self.info = self.info.with_node_name(name);
        self
    }

    /// Sets the clock that measures leases. The default is the clock of this machine.
    pub fn time_source(mut self, time: impl Clock) -> Self {
        self.info = self.info.with_clock(time);
        self
    }

    /// Creates the provider, without a request to the store. Call [`check_store`](ObjectStoreLockProvider::check_store) before the first
    /// lock: in a store that ignores conditions, every node is granted every lock.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL is not valid, or if it and the environment make no
    /// client, or if the prefix makes no key.
    pub fn build(self) -> Result<ObjectStoreLockProvider, LockError> {
        let built = self.try_build();
        built.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))
    }

    /// Creates the provider and checks the store. What [`check_store`](ObjectStoreLockProvider::check_store) would report is logged, with the
    /// level WARN.
    ///
    /// # Errors
    ///
    /// As [`ObjectStoreLockProvider::connect`].
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, the object of the check may stay in the bucket.
    pub async fn connect(self) -> Result<ObjectStoreLockProvider, LockError> {
        let built = self.build()?;
        let checked = built.check().await;
        let report =
            checked.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))?;
        probe::warn_of(&report);
        Ok(built)
    }

    fn try_build(self) -> Result<ObjectStoreLockProvider, LockError> {
        let (bucket, path) = self.origin?;
        let default = || bucket.protocol.default_prefix().to_owned();
        let keys = Keys::new(self.prefix.or(path).unwrap_or_else(default))?;
        Ok(assemble(self.info, bucket, keys))
    }
}

/// A provider in `bucket` with the default options.
pub(crate) fn defaults(bucket: Bucket) -> ObjectStoreLockProvider {
    let keys = Keys::by_default(bucket.protocol);
    assemble(info(), bucket, keys)
}

fn info() -> ProviderInfo {
    let capabilities = Capabilities::new()
        .with_expiry(Expiry::ByClientClock)
        .with_grain(GRAIN)
        .with_fencing(Fencing::Always)
        .with_max_name_bytes(MAX_NAME_BYTES)
        .with_positions();
    ProviderInfo::new(PROVIDER).with_capabilities(capabilities)
}

fn assemble(info: ProviderInfo, bucket: Bucket, keys: Keys) -> ObjectStoreLockProvider {
    let objects = Objects::new(bucket, keys);
    ObjectStoreLockProvider {
        locks: RecordLockProvider::new(info, objects),
    }
}
