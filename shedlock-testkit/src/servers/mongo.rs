//! A stand-in for MongoDB for tests: mongo-java-server, whose commands are atomic. MongoDB itself has no licence that lets us install it.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::{Kind, Server, Signal, Site, Standalone, Unavailable, tools};

/// A server that speaks MongoDB's protocol and keeps its data in memory. It has no users, no replicas and no sessions.
///
/// [`start`](Server::start) and [`shared`](Server::shared) give a server that decides by its own clock, as MongoDB does: `findAndModify`
/// takes updates that are pipelines.
pub type Mongo = Server<MongoKind>;

/// The [`Kind`] of a [`Mongo`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct MongoKind {
    java: PathBuf,
    jars: PathBuf,
    has_pipelines: bool,
}

const PROGRAM: &str = include_str!("MongoStandIn.java");
const INSTALL: &str = "cargo xtask servers install mongo-java-server";
/// The folder of the server in the cache, without its version.
const CACHED: &str = "mongo-java-server-";
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

impl Kind for MongoKind {
    const NAME: &'static str = "mongo-java-server";
    /// The archives may be in root's cache.
    const ACCOUNT: &'static str = "root";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        site.write(&program_file(site), PROGRAM)
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.java.clone().into()];
        let options = [
            "-Xmx128m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
        ];
        command.extend(options.map(OsString::from));
        command.push(self.jars.join("*").into());
        command.push(program_file(site).into());
        command.extend([site.port().to_string().into(), name(site).into()]);
        let pipelines = if self.has_pipelines {
            "pipelines"
        } else {
            "no-pipelines"
        };
        command.push(pipelines.into());
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        says_name(site).unwrap_or(false)
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl Standalone for MongoKind {
    fn locate() -> Result<Self, Unavailable> {
        let java = tools::find("java", &[]);
        let java = java.ok_or_else(|| Self::unavailable("there is no `java`".to_owned()))?;
        let missing = || Self::unavailable("there is no archive of it".to_owned());
        Ok(Self {
            java,
            jars: jars().ok_or_else(missing)?,
            has_pipelines: true,
        })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<Mongo, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl Server<MongoKind> {
    /// Starts a server that only the caller uses and that has no updates that are pipelines, like other servers with MongoDB's protocol.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_without_pipelines() -> Result<Self, Unavailable> {
        super::blocking(start_without_pipelines).await
    }

    /// The server without pipelines that all tests of this process share.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn shared_without_pipelines() -> Result<&'static Self, Unavailable> {
        static SHARED: OnceLock<Result<Mongo, Unavailable>> = OnceLock::new();
        let started = super::blocking(|| SHARED.get_or_init(start_without_pipelines).as_ref());
        started.await.map_err(Clone::clone)
    }

    /// The URL of the database `database`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!(
            "mongodb://{}/{database}?directConnection=true",
            self.address()
        )
    }
}

fn start_without_pipelines() -> Result<Mongo, Unavailable> {
    let mut kind = MongoKind::locate()?;
    kind.has_pipelines = false;
    Mongo::start_as(kind, Vec::new(), Vec::new())
}

/// The archives of the newest version in the cache.
fn jars() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = [cache, Some(PathBuf::from("/var/cache")), home()];
    caches.into_iter().flatten().find_map(|cache| {
        let servers = std::fs::read_dir(cache.join("shedlock-servers")).ok()?;
        let folders = servers.filter_map(|entry| Some(entry.ok()?.path()));
        let is_ours = |folder: &PathBuf| {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(CACHED) && folder.join("jars").is_dir()
        };
        folders.filter(is_ours).max().map(|it| it.join("jars"))
    })
}

/// Whether the server at the site's port is the one of this site, as the server itself says.
fn says_name(site: &Site) -> io::Result<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, site.port()));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(&question())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let left = u32::from_le_bytes(length).saturating_sub(4).min(1 << 16);
    let mut answer = vec![0; usize::try_from(left).unwrap_or_default()];
    stream.read_exact(&mut answer)?;
    let name = name(site).into_bytes();
    Ok(answer.windows(name.len()).any(|part| part == name))
}

/// `{ standInName: 1, $db: "admin" }` as a message of MongoDB's protocol.
fn question() -> Vec<u8> {
    let mut fields = b"\x10standInName\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0".to_vec();
    let mut document = message_length(fields.len() + 4).to_vec();
    document.append(&mut fields);
    // The id of the message, no answer to another one, the kind OP_MSG (2013), no flags, and one section: a document.
    let mut body = b"\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0".to_vec();
    body.append(&mut document);
    let mut message = message_length(body.len() + 4).to_vec();
    message.append(&mut body);
    message
}

fn message_length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or_default().to_le_bytes()
}

/// The name of a server's directory is unique.
fn name(site: &Site) -> String {
    let name = site.directory().file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn program_file(site: &Site) -> PathBuf {
    let directory: &Path = site.directory();
    directory.join("MongoStandIn.java")
}
