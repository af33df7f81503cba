//! The options of a provider.

use std::fmt;
use std::path::PathBuf;

use async_nats::{Client, ServerAddr};
use shedlock_runtime::{
    Capabilities, Clock, ErrorKind, Expiry, Fencing, LockError, Operation, ProviderInfo,
    RecordLockProvider,
};

use crate::connection::Connection;
use crate::error;
use crate::provider::NatsLockProvider;
use crate::store::Bucket;

pub(crate) const PROVIDER: &str = "nats";
/// The name of the bucket in ShedLock for the JVM.
const DEFAULT_BUCKET: &str = "shedlock-locks";

/// The options of a [`NatsLockProvider`]. Begin with [`NatsLockProvider::builder`] or [`NatsLockProvider::builder_from_url`].
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_nats::NatsLockProvider;
///
/// let provider = NatsLockProvider::builder_from_url("nats://localhost")
///     .node_name("web-2")
///     .connect()
///     .await?;
/// # let _ = provider;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` or `connect` is called"]
pub struct NatsLockProviderBuilder {
    origin: Origin,
    bucket: String,
    replicas: usize,
    root_certificates: Option<PathBuf>,
    info: ProviderInfo,
}

enum Origin {
    Client(Client),
    Url(String),
}

impl NatsLockProviderBuilder {
    pub(crate) fn from_client(client: Client) -> Self {
        Self::with_defaults(Origin::Client(client))
    }

    pub(crate) fn from_url(url: &str) -> Self {
        Self::with_defaults(Origin::Url(url.to_owned()))
    }

    fn with_defaults(origin: Origin) -> Self {
        let capabilities = Capabilities::new()
            .with_expiry(Expiry::ByClientClock)
            .with_fencing(Fencing::Always)
            .with_positions();
        Self {
            origin,
            bucket: DEFAULT_BUCKET.to_owned(),
            replicas: 1,
            root_certificates: None,
            info: ProviderInfo::new(PROVIDER).with_capabilities(capabilities),
        }
    }

    /// Sets the bucket that holds the locks. The default is `shedlock-locks`, as on JVM nodes.
    pub fn bucket(mut self, name: impl Into<String>) -> Self {
        self.bucket = name.into();
        self
    }

    /// Sets the number of replicas of a bucket that [`NatsLockProvider::ensure_bucket`] creates. The default is one. Use three in a
    /// cluster.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// Sets the PEM file with the certificates of the authorities that TLS trusts, in place of those of the system. The file is read when the
    /// provider first connects. The default is the file that the environment variable `SSL_CERT_FILE` names, or what the system trusts.
    ///
    /// For a provider from a URL. A client of the program has its own settings of TLS.
    pub fn root_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.root_certificates = Some(file.into());
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

    /// Creates the provider. The provider connects when it is first used.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the URL is not valid, if the bucket's name is not allowed in NATS, or if
    /// [`root_certificates`](Self::root_certificates) are given beside a client.
    pub fn build(self) -> Result<NatsLockProvider, LockError> {
        let built = self.try_build();
        built.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))
    }

    /// Creates the provider and opens its connection.
    ///
    /// # Errors
    ///
    /// As [`NatsLockProvider::connect`].
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(self) -> Result<NatsLockProvider, LockError> {
        let built = self.build()?;
        let connected = built.bucket().connection.client().await;
        connected.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))?;
        Ok(built)
    }

    fn try_build(self) -> Result<NatsLockProvider, LockError> {
        check_bucket_name(&self.bucket)?;
        let connection = match (&self.origin, self.root_certificates.clone()) {
            (Origin::Client(client), None) => Connection::given(client.clone()),
            (Origin::Client(_), Some(_)) => return Err(error::client_has_its_own_tls()),
            (Origin::Url(url), authorities) => Connection::to(servers(url)?, authorities),
        };
        Ok(self.assemble(connection))
    }

    fn assemble(self, connection: Connection) -> NatsLockProvider {
        let bucket = Bucket {
            connection,
            name: self.bucket,
            replicas: self.replicas,
        };
        NatsLockProvider {
            locks: RecordLockProvider::new(self.info, bucket),
        }
    }
}

/// A provider on `client` with the default options.
pub(crate) fn defaults(client: Client) -> NatsLockProvider {
    let connection = Connection::given(client.clone());
    NatsLockProviderBuilder::from_client(client).assemble(connection)
}

fn check_bucket_name(name: &str) -> Result<(), LockError> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(is_legal) {
        return Ok(());
    }
    let illegal = format!("`{name}` is no name of a bucket");
    Err(LockError::new(ErrorKind::Configuration, illegal)
        .with_remedy("use letters, digits, `-` and `_`"))
}

/// The servers of a URL, which may name several servers, separated by commas.
fn servers(url: &str) -> Result<Vec<ServerAddr>, LockError> {
    let servers = url.split(',').map(str::parse);
    servers.collect::<Result<_, _>>().map_err(|_| {
        // The parser's message is left out, because it contains the URL, which may contain a password.
        LockError::new(ErrorKind::Configuration, "the URL is not valid")
            .with_remedy("use `nats://user:password@host:4222`, and commas between several")
    })
}

impl fmt::Debug for NatsLockProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.origin {
            Origin::Client(_) => "a client",
            Origin::Url(_) => "a URL",
        };
        f.debug_struct("NatsLockProviderBuilder")
            .field("origin", &origin)
            .field("bucket", &self.bucket)
            .field("replicas", &self.replicas)
            .field("root_certificates", &self.root_certificates)
            .field("info", &self.info)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_buckets_that_cannot_be_are_refused_without_the_password() {
        let from = NatsLockProvider::builder_from_url;
        let error = from("nats://u:secret@h:port").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        for bucket in ["", "a.b", "a b", "ü"] {
            let error = from("nats://h").bucket(bucket).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{bucket}");
        }
        assert!(from("nats://one:4222,two").bucket("A-b_1").build().is_ok());
    }
}
