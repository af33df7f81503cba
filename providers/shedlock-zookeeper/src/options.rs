//! The options of a provider.

use std::fmt;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use shedlock_runtime::{
    Capabilities, Clock, ErrorKind, Expiry, Fencing, LockError, Operation, ProviderInfo,
    RecordLockProvider,
};
use zookeeper_client::{Acl, Acls, Client, Connector};

use crate::connection::Connection;
use crate::paths::{self, Paths};
use crate::provider::ZooKeeperLockProvider;
use crate::tree::Tree;

pub(crate) const PROVIDER: &str = "zookeeper";
const SCHEME: &str = "zookeeper://";
/// A server that says nothing for this time is given up for another one.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// The options of a [`ZooKeeperLockProvider`]. Begin with [`ZooKeeperLockProvider::builder`],
/// [`ZooKeeperLockProvider::builder_from_url`] or [`ZooKeeperLockProvider::builder_from_connector`].
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_zookeeper::ZooKeeperLockProvider;
///
/// let provider = ZooKeeperLockProvider::builder_from_url("zookeeper://localhost")
///     .path("/app/locks")
///     .node_name("web-2")
///     .connect()
///     .await?;
/// # let _ = provider;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` or `connect` is called"]
pub struct ZooKeeperLockProviderBuilder {
    origin: Origin,
    path: String,
    acl: Vec<Acl>,
    info: ProviderInfo,
}

enum Origin {
    Client(Client),
    Url(String),
    Connector(Box<Connector>, String),
}

impl ZooKeeperLockProviderBuilder {
    pub(crate) fn from_client(client: Client) -> Self {
        Self::with_defaults(Origin::Client(client))
    }

    pub(crate) fn from_url(url: &str) -> Self {
        Self::with_defaults(Origin::Url(url.to_owned()))
    }

    pub(crate) fn from_connector(connector: Connector, servers: &str) -> Self {
        Self::with_defaults(Origin::Connector(Box::new(connector), servers.to_owned()))
    }

    fn with_defaults(origin: Origin) -> Self {
        let capabilities = Capabilities::new()
            .with_expiry(Expiry::ByClientClock)
            .with_fencing(Fencing::Always)
            .with_positions();
        Self {
            origin,
            path: paths::DEFAULT_BASE.to_owned(),
            acl: Acls::anyone_all().iter().cloned().collect(),
            info: ProviderInfo::new(PROVIDER).with_capabilities(capabilities),
        }
    }

    /// Sets the path of the node below which the locks are. The default is `/shedlock`, as on JVM nodes. The node and its parents are
    /// created with the first lock.
    ///
    /// For a JVM node with a namespace of Curator, begin the path with it: `/namespace/shedlock`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Sets the access control list of the nodes that this crate creates. The default gives all rights to everybody, as on JVM nodes.
    /// Existing nodes keep theirs.
    pub fn acl(mut self, acl: impl IntoIterator<Item = Acl>) -> Self {
        self.acl = acl.into_iter().collect();
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
    /// [`ErrorKind::Configuration`] if the URL, the path or the ACL is not valid.
    pub fn build(self) -> Result<ZooKeeperLockProvider, LockError> {
        let built = self.try_build();
        built.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))
    }

    /// Creates the provider and opens its session.
    ///
    /// # Errors
    ///
    /// As [`ZooKeeperLockProvider::connect`].
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(self) -> Result<ZooKeeperLockProvider, LockError> {
        let built = self.build()?;
        let connected = built.locks.store().connection.connect().await;
        connected.map_err(|error| error.with_context(Operation::Connect, PROVIDER, None))?;
        Ok(built)
    }

    fn try_build(self) -> Result<ZooKeeperLockProvider, LockError> {
        let paths = Paths::below(&self.path)?;
        if self.acl.is_empty() {
            let nobody = "an empty ACL gives nobody a right to the locks";
            return Err(LockError::new(ErrorKind::Configuration, nobody));
        }
        let connection = match &self.origin {
            Origin::Client(client) => Connection::given(client.clone()),
            Origin::Url(url) => {
                let (servers, connector) = servers(url)?;
                Connection::to(servers, connector)
            }
            Origin::Connector(connector, servers) => {
                Connection::to(servers.clone(), connector.as_ref().clone())
            }
        };
        Ok(self.assemble(connection, paths))
    }

    fn assemble(self, connection: Connection, paths: Paths) -> ZooKeeperLockProvider {
        let acl = self.acl;
        let tree = Tree {
            connection,
            paths,
            acl,
        };
        ZooKeeperLockProvider {
            locks: RecordLockProvider::new(self.info, tree),
        }
    }
}

/// A provider on `client` with the default options.
pub(crate) fn defaults(client: Client) -> ZooKeeperLockProvider {
    let connection = Connection::given(client.clone());
    ZooKeeperLockProviderBuilder::from_client(client).assemble(connection, Paths::default())
}

/// The connection string of the client for a URL, and a connector with the login of the URL.
fn servers(url: &str) -> Result<(String, Connector), LockError> {
    let invalid = || {
        // The URL is left out, because it may contain a password.
        LockError::new(ErrorKind::Configuration, "the URL is not valid").with_remedy(
            "use `zookeeper://user:password@host:2181/path`, and commas between several hosts",
        )
    };
    let address = url.strip_prefix(SCHEME).unwrap_or(url);
    if address.is_empty() || address.contains("://") {
        return Err(invalid());
    }
    let connector = Client::connector()
        .with_fail_eagerly()
        .with_connection_timeout(CONNECTION_TIMEOUT);
    let Some((login, servers)) = address.rsplit_once('@') else {
        return Ok((address.to_owned(), connector));
    };
    if servers.is_empty() || !login.contains(':') {
        return Err(invalid());
    }
    // ZooKeeper takes user and password as one text with a colon between.
    let login: Vec<u8> = percent_decode_str(login).collect();
    Ok((servers.to_owned(), connector.with_auth("digest", &login)))
}

impl fmt::Debug for ZooKeeperLockProviderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match &self.origin {
            Origin::Client(_) => "a client",
            Origin::Url(_) => "a URL",
            Origin::Connector(..) => "a connector",
        };
        f.debug_struct("ZooKeeperLockProviderBuilder")
            .field("origin", &origin)
            .field("path", &self.path)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_cannot_be_are_refused_without_the_password() {
        let from = ZooKeeperLockProvider::builder_from_url;
        for url in [
            "",
            "zookeeper://",
            "redis://u:secret@h",
            "u:secret@",
            "secret@h",
        ] {
            let error = from(url).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
        assert!(!format!("{:?}", from("zookeeper://u:secret@h")).contains("secret"));
    }

    #[test]
    fn a_url_is_a_connection_string_and_a_login() {
        for (url, expected) in [
            ("zookeeper://one:2181,two/app", "one:2181,two/app"),
            ("zookeeper://u:p%40ss@one,two", "one,two"),
            ("one:2181", "one:2181"),
        ] {
            assert_eq!(servers(url).unwrap().0, expected);
        }
    }

    #[test]
    fn paths_and_acls_that_cannot_be_are_refused() {
        let builder = || ZooKeeperLockProvider::builder_from_url("zookeeper://h");
        for refused in [
            builder().path("/"),
            builder().path("locks"),
            builder().acl([]),
        ] {
            let error = refused.build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration);
        }
        assert!(builder().path("/app/locks").build().is_ok());
    }
}
