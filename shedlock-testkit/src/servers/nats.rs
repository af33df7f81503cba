//! NATS with JetStream for tests: a single server, or a cluster of three servers.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use super::cache::cached;
use super::{Kind, Server, Signal, Site, Standalone, Unavailable, ports, tools};

/// A NATS server with JetStream. A client without a user name has all permissions.
pub type Nats = Server<NatsKind>;

/// The [`Kind`] of a [`Nats`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct NatsKind {
    program: PathBuf,
    jetstream: bool,
    /// The last lines of the server's configuration.
    more: String,
}

const INSTALL: &str = "cargo xtask servers install NATS";
/// The time limit for the greeting of a server. A running server sends its greeting at once.
const HELLO_WITHIN: Duration = Duration::from_secs(1);

/// One user has all permissions, with or without this password. The other user may read buckets and change nothing.
const USERS: &str = r#"
no_auth_user: app
authorization {
    users: [
        { user: app, password: "correct-horse" }
        { user: reader, password: "correct-horse", permissions: {
            publish: ["$JS.API.STREAM.MSG.GET.>", "$JS.API.STREAM.INFO.>"]
            subscribe: "_INBOX.>"
        } }
    ]
}
"#;

impl Kind for NatsKind {
    const NAME: &'static str = "NATS";
    /// The server may run as root.
    const ACCOUNT: &'static str = "root";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        let jetstream = if self.jetstream {
            let data = site.directory().join("data");
            format!("jetstream {{ store_dir: \"{}\" }}", data.display())
        } else {
            String::new()
        };
        let text = format!(
            "server_name: \"{}\"\nlisten: \"127.0.0.1:{}\"\n{jetstream}\n{}",
            server_name(site),
            site.port(),
            self.more
        );
        site.write(&configuration_file(site), &text)
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.program.clone().into()];
        command.extend(["-c".into(), configuration_file(site).into()]);
        command.extend(site.arguments().iter().map(OsString::from));
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        let name = format!("\"server_name\":\"{}\"", server_name(site));
        hello(site.port()).is_ok_and(|hello| hello.contains(&name))
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl Standalone for NatsKind {
    fn locate() -> Result<Self, Unavailable> {
        let program = cached("nats-server", "bin/nats-server")
            .or_else(|| tools::find("nats-server", &["/usr/sbin"]));
        let missing = || Self::unavailable("there is no `nats-server`".to_owned());
        Ok(Self {
            program: program.ok_or_else(missing)?,
            jetstream: true,
            more: USERS.to_owned(),
        })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<Nats, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl Server<NatsKind> {
    /// Starts a server without JetStream that only the caller uses.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_without_jetstream() -> Result<Self, Unavailable> {
        let with = |kind: &mut NatsKind| kind.jetstream = false;
        super::blocking(move || start(with)).await
    }

    /// Starts a server that only the caller uses. The lines `more` end its configuration and replace the users.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_configured(more: &str) -> Result<Self, Unavailable> {
        let more = more.to_owned();
        super::blocking(move || start(|kind| kind.more = more)).await
    }

    /// Starts a server that only the caller uses, and that talks to clients with TLS alone.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    #[cfg(feature = "certificates")]
    pub async fn start_with_tls(certificates: &crate::Certificates) -> Result<Self, Unavailable> {
        let (server, key) = (certificates.server(), certificates.key());
        let tls = format!(
            "tls {{ cert_file: \"{}\", key_file: \"{}\" }}\n{USERS}",
            server.display(),
            key.display()
        );
        Self::start_configured(&tls).await
    }

    /// A URL without a user name. The client has all permissions.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address())
    }

    /// A URL with this user and this password. The users `app` and `reader` have the password `correct-horse`.
    #[must_use]
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("nats://{user}:{password}@{}", self.address())
    }

    /// The name that the server reports to clients.
    #[must_use]
    pub fn name(&self) -> String {
        server_name(self.site())
    }
}

fn start(with: impl FnOnce(&mut NatsKind)) -> Result<Nats, Unavailable> {
    let mut kind = NatsKind::locate()?;
    with(&mut kind);
    Nats::start_as(kind, Vec::new(), Vec::new())
}

/// A cluster of three NATS servers that replicate their buckets.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_testkit::Unavailable> {
/// use shedlock_testkit::servers::NatsCluster;
///
/// let cluster = NatsCluster::start().await?;
/// # let _ = cluster;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct NatsCluster {
    servers: Vec<Nats>,
}

impl NatsCluster {
    /// Starts a cluster that only the caller uses. After this call, the cluster needs some seconds to elect a leader before a bucket can be
    /// created.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the program is missing or does not work. The error names the cause and the command that installs the program.
    pub async fn start() -> Result<Self, Unavailable> {
        super::blocking(|| {
            let ports = [0; 3].map(|_| ports::free_port());
            let ports = ports.into_iter().collect::<io::Result<Vec<_>>>();
            let ports = ports.map_err(|error| NatsKind::unavailable(error.to_string()))?;
            let servers = ports.iter().map(|port| {
                let more = cluster(*port, &ports);
                start(|kind| kind.more = more)
            });
            let servers = servers.collect::<Result<_, _>>()?;
            Ok(Self { servers })
        })
        .await
    }

    /// A URL with the addresses of all servers, separated by commas.
    #[must_use]
    pub fn url(&self) -> String {
        let urls: Vec<_> = self.servers.iter().map(Nats::url).collect();
        urls.join(",")
    }

    /// The three servers of the cluster.
    #[must_use]
    pub fn servers(&self) -> &[Nats] {
        &self.servers
    }
}

fn cluster(port: u16, all: &[u16]) -> String {
    let routes: Vec<_> = all
        .iter()
        .map(|port| format!("\"nats://127.0.0.1:{port}\""))
        .collect();
    format!(
        "cluster {{ name: shedlock, listen: \"127.0.0.1:{port}\", routes: [{}] }}\n",
        routes.join(", ")
    )
}

/// The greeting that a server sends to each client that connects.
fn hello(port: u16) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, HELLO_WITHIN)?;
    stream.set_read_timeout(Some(HELLO_WITHIN))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

/// The name of a server's directory is unique.
fn server_name(site: &Site) -> String {
    let name = site.directory().file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn configuration_file(site: &Site) -> PathBuf {
    site.directory().join("nats.conf")
}
