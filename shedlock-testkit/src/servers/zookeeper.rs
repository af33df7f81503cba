//! ZooKeeper for tests: a single server, or an ensemble of three servers.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::{Kind, Server, Signal, Site, Standalone, Unavailable, ports, tools};

/// A ZooKeeper server without users, on which a client without credentials may do everything that the ACLs of the nodes allow.
pub type ZooKeeper = Server<ZooKeeperKind>;

/// The [`Kind`] of a [`ZooKeeper`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct ZooKeeperKind {
    java: PathBuf,
    member: Option<Member>,
}

/// The place of a server in an ensemble.
#[derive(Debug, Clone)]
struct Member {
    id: usize,
    /// The lines of the configuration that name all members.
    servers: String,
}

/// Debian's archive, whose manifest names the archives that it needs.
const ARCHIVE: &str = "/usr/share/java/zookeeper.jar";
/// What the server logs with. Debian's package of the server depends on it.
const LOGGER: &str = "/usr/share/java/slf4j-simple.jar";
const MAIN: &str = "org.apache.zookeeper.server.quorum.QuorumPeerMain";
const INSTALL: &str = "cargo xtask servers install ZooKeeper";
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

impl Kind for ZooKeeperKind {
    const NAME: &'static str = "ZooKeeper";
    /// The server may run as root.
    const ACCOUNT: &'static str = "root";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        let data = data(site);
        std::fs::create_dir(&data)?;
        let mut text = format!(
            "tickTime=500\ninitLimit=40\nsyncLimit=20\nmaxClientCnxns=0\nadmin.enableServer=false\n\
             4lw.commands.whitelist=*\ndataDir={}\nclientPort={}\nclientPortAddress=127.0.0.1\n",
            data.display(),
            site.port(),
        );
        if let Some(member) = &self.member {
            site.write(&data.join("myid"), &member.id.to_string())?;
            text.push_str(&member.servers);
        }
        site.write(&configuration_file(site), &text)
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.java.clone().into()];
        command.extend(
            [
                "-Xmx128m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                // The tests kill processes, and not the machine.
                "-Dzookeeper.forceSync=no",
                "-Dzookeeper.preAllocSize=1024",
                // A server that looks for others asks after ever longer pauses, by default of up to a minute.
                "-Dzookeeper.fastleader.maxNotificationInterval=1000",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            ]
            .map(OsString::from),
        );
        command.extend(site.arguments().iter().map(OsString::from));
        let class_path = format!("{ARCHIVE}:{LOGGER}");
        command.extend(["-cp".into(), class_path.into(), MAIN.into()]);
        command.push(configuration_file(site).into());
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        match (&self.member, ask(site.port(), "conf")) {
            // A member of an ensemble serves nobody until a second one has started.
            (Some(_), Ok(answer)) => !answer.is_empty(),
            (None, Ok(answer)) => answer.contains(&data(site).display().to_string()),
            (_, Err(_)) => false,
        }
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl Standalone for ZooKeeperKind {
    fn locate() -> Result<Self, Unavailable> {
        let java = tools::find("java", &[]);
        let java = java.ok_or_else(|| Self::unavailable("there is no `java`".to_owned()))?;
        if !Path::new(ARCHIVE).is_file() {
            return Err(Self::unavailable(format!("there is no `{ARCHIVE}`")));
        }
        Ok(Self { java, member: None })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<ZooKeeper, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl Server<ZooKeeperKind> {
    /// The URL of the server, without a user.
    #[must_use]
    pub fn url(&self) -> String {
        format!("zookeeper://{}", self.address())
    }

    /// Whether the server leads an ensemble.
    pub async fn is_leader(&self) -> bool {
        let port = self.port();
        let answer = super::blocking(move || ask(port, "srvr")).await;
        answer.is_ok_and(|answer| answer.contains("Mode: leader"))
    }
}

/// An ensemble of three ZooKeeper servers.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_testkit::Unavailable> {
/// use shedlock_testkit::servers::ZooKeeperEnsemble;
///
/// let ensemble = ZooKeeperEnsemble::start().await?;
/// # let _ = ensemble;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ZooKeeperEnsemble {
    servers: Vec<ZooKeeper>,
}

impl ZooKeeperEnsemble {
    /// Starts an ensemble that only the caller uses. After this call, the ensemble needs some seconds to elect a leader.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the program is missing or does not work. The error names the cause and the command that installs the program.
    pub async fn start() -> Result<Self, Unavailable> {
        super::blocking(|| {
            let lines = (1..=3).map(|id| {
                let (peers, election) = (ports::free_port()?, ports::free_port()?);
                Ok(format!("server.{id}=127.0.0.1:{peers}:{election}\n"))
            });
            let lines = lines.collect::<io::Result<String>>();
            let lines = lines.map_err(|error| ZooKeeperKind::unavailable(error.to_string()))?;
            let servers = (1..=3).map(|id| {
                let servers = lines.clone();
                let mut kind = ZooKeeperKind::locate()?;
                kind.member = Some(Member { id, servers });
                ZooKeeper::start_as(kind, Vec::new(), Vec::new())
            });
            let servers = servers.collect::<Result<_, _>>()?;
            Ok(Self { servers })
        })
        .await
    }

    /// A URL with the addresses of all servers.
    #[must_use]
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self
            .servers
            .iter()
            .map(|it| it.address().to_string())
            .collect();
        format!("zookeeper://{}", addresses.join(","))
    }

    /// The three servers of the ensemble.
    #[must_use]
    pub fn servers(&self) -> &[ZooKeeper] {
        &self.servers
    }
}

/// The answer to one of ZooKeeper's commands of four letters.
fn ask(port: u16, command: &str) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(command.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn data(site: &Site) -> PathBuf {
    site.directory().join("data")
}

fn configuration_file(site: &Site) -> PathBuf {
    site.directory().join("zoo.cfg")
}
