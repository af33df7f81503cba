//! etcd for tests: a single server, or a cluster of three servers.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::cache::cached;
use super::{Kind, Server, Signal, Site, Standalone, Unavailable, ports, tools};

#[cfg(feature = "certificates")]
mod tls;

/// An etcd server without authentication.
pub type Etcd = Server<EtcdKind>;

/// The [`Kind`] of an [`Etcd`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct EtcdKind {
    server: PathBuf,
    client: PathBuf,
    /// The port for the other servers of the cluster.
    peer_port: u16,
    /// Name and peer port of each server of the cluster; empty for a server that stands alone.
    cluster: Vec<(String, u16)>,
    #[cfg(feature = "certificates")]
    tls: Option<tls::Tls>,
}

const INSTALL: &str = "cargo xtask servers install etcd";
/// The time limit for the answer of a server. A running server answers at once, unless it has no leader.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// The time limit for an election, which takes a second or two on a machine that is not busy.
const LED_WITHIN: Duration = Duration::from_secs(60);

impl Kind for EtcdKind {
    const NAME: &'static str = "etcd";
    /// The server may run as root.
    const ACCOUNT: &'static str = "root";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let (clients, peers) = (url(site.port()), url(self.peer_port));
        let alone = [("alone".to_owned(), self.peer_port)];
        let members = if self.cluster.is_empty() {
            &alone[..]
        } else {
            &self.cluster
        };
        let member = |(name, port): &(String, u16)| format!("{name}={}", url(*port));
        let cluster: Vec<_> = members.iter().map(member).collect();
        let own = members.iter().find(|(_, port)| *port == self.peer_port);
        let name = own.map_or("alone", |(name, _)| name);
        let data = site.directory().join("data");
        let mut command: Vec<OsString> = vec![self.server.clone().into()];
        command.extend(["--data-dir".into(), data.into()]);
        let options = [
            ("--name", name),
            ("--listen-client-urls", &clients),
            ("--advertise-client-urls", &clients),
            ("--listen-peer-urls", &peers),
            ("--initial-advertise-peer-urls", &peers),
            ("--initial-cluster", &cluster.join(",")),
            // Two clusters never mix, even if one takes a port that another had.
            ("--initial-cluster-token", &cluster.join(",")),
            ("--logger", "zap"),
        ];
        for (option, value) in options {
            command.extend([option.into(), value.into()]);
        }
        // What was written survives the end of the process, if not that of the machine.
        command.push("--unsafe-no-fsync".into());
        #[cfg(feature = "certificates")]
        if let Some(tls) = &self.tls {
            command.extend(tls.options(&clients));
        }
        command.extend(site.arguments().iter().map(OsString::from));
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        // The first of three servers talks to the others, and to clients only when there is a majority.
        let (port, path) = if self.cluster.is_empty() {
            (site.port(), "/health")
        } else {
            (self.peer_port, "/version")
        };
        is_well(port, path)
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl Standalone for EtcdKind {
    fn locate() -> Result<Self, Unavailable> {
        let missing = |program: &str| Self::unavailable(format!("there is no `{program}`"));
        let find = |program: &str| {
            let found = cached("etcd", &format!("bin/{program}"));
            let found = found.or_else(|| tools::find(program, &[]));
            found.ok_or_else(|| missing(program))
        };
        let (server, client) = (find("etcd")?, find("etcdctl")?);
        let peer_port = ports::free_port().map_err(|error| Self::unavailable(error.to_string()))?;
        Ok(Self {
            server,
            client,
            peer_port,
            cluster: Vec::new(),
            #[cfg(feature = "certificates")]
            tls: None,
        })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<Etcd, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl EtcdKind {
    fn run(&self, port: u16, arguments: &[&str]) -> io::Result<String> {
        let mut client = Command::new(&self.client);
        client.env("ETCDCTL_API", "3");
        client.args(["--endpoints", &format!("http://127.0.0.1:{port}")]);
        tools::run(client.args(arguments), "")
    }
}

impl Server<EtcdKind> {
    /// The URL of the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Runs `etcdctl` with these arguments, and returns what it prints.
    ///
    /// # Errors
    ///
    /// If `etcdctl` fails. The error contains what `etcdctl` prints about it.
    pub async fn try_execute(&self, arguments: &[&str]) -> io::Result<String> {
        let (kind, port) = (self.kind().clone(), self.port());
        let arguments: Vec<String> = arguments.iter().map(|&part| part.to_owned()).collect();
        let done = super::blocking(move || {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            kind.run(port, &arguments)
        });
        let answer = done.await?;
        Ok(answer.strip_suffix('\n').unwrap_or(&answer).to_owned())
    }

    /// Runs `etcdctl` with these arguments, and returns what it prints.
    ///
    /// # Panics
    ///
    /// If `etcdctl` fails.
    pub async fn execute(&self, arguments: &[&str]) -> String {
        let answer = self.try_execute(arguments).await;
        answer.unwrap_or_else(|error| panic!("failed to ask etcd: {error}"))
    }

    /// The numbers of all leases of the cluster, in hexadecimal digits as `etcdctl` prints them.
    ///
    /// # Panics
    ///
    /// If the server cannot be asked.
    pub async fn leases(&self) -> Vec<String> {
        let listed = self.execute(&["lease", "list"]).await;
        // The first line is their number.
        listed.lines().skip(1).map(str::to_owned).collect()
    }
}

/// A cluster of three etcd servers.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_testkit::Unavailable> {
/// use shedlock_testkit::servers::EtcdCluster;
///
/// let cluster = EtcdCluster::start().await?;
/// cluster.leader().await.kill().await.expect("signals can be sent");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct EtcdCluster {
    servers: Vec<Etcd>,
}

impl EtcdCluster {
    /// Starts a cluster that only the caller uses, and waits until it has a leader.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if a program is missing or does not work. The error names the program and the command that installs it.
    pub async fn start() -> Result<Self, Unavailable> {
        super::blocking(|| {
            let kind = EtcdKind::locate()?;
            let ports = [0; 3].map(|_| ports::free_port());
            let ports = ports.into_iter().collect::<io::Result<Vec<_>>>();
            let ports = ports.map_err(|error| EtcdKind::unavailable(error.to_string()))?;
            let name = |port: &u16| (format!("member-{port}"), *port);
            let cluster: Vec<_> = ports.iter().map(name).collect();
            let servers = ports.iter().map(|port| {
                let kind = EtcdKind {
                    peer_port: *port,
                    cluster: cluster.clone(),
                    ..kind.clone()
                };
                Etcd::start_as(kind, Vec::new(), Vec::new())
            });
            let servers = servers.collect::<Result<Vec<Etcd>, _>>()?;
            let deadline = Instant::now() + LED_WITHIN;
            while !servers
                .iter()
                .all(|server| is_well(server.port(), "/health"))
            {
                if Instant::now() > deadline {
                    let log = servers[0].log();
                    return Err(EtcdKind::unavailable(format!("it has no leader: {log}")));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(Self { servers })
        })
        .await
    }

    /// A URL with the addresses of all servers, separated by commas.
    #[must_use]
    pub fn url(&self) -> String {
        let urls: Vec<_> = self.servers.iter().map(Etcd::url).collect();
        urls.join(",")
    }

    /// The three servers of the cluster.
    #[must_use]
    pub fn servers(&self) -> &[Etcd] {
        &self.servers
    }

    /// The server that leads the cluster.
    ///
    /// # Panics
    ///
    /// If there is no leader for a minute.
    pub async fn leader(&self) -> &Etcd {
        let limit = Instant::now() + LED_WITHIN;
        loop {
            for server in &self.servers {
                // The fifth column of a member that runs is whether it leads.
                let status = server.try_execute(&["endpoint", "status"]).await;
                let status = status.unwrap_or_default();
                if status.split(", ").nth(4) == Some("true") {
                    return server;
                }
            }
            assert!(Instant::now() < limit, "the cluster elects no leader");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn is_well(port: u16, path: &str) -> bool {
    get(port, path).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// The answer to an HTTP request without a body.
fn get(port: u16, path: &str) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
