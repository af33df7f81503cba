//! Servers with DynamoDB's protocol for tests. Both decide conditional updates atomically; DynamoDB itself runs in AWS alone.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use super::cache::cached;
use super::{Kind, Server, Signal, Site, Standalone, Unavailable};

/// A Dynoxide server, which keeps its tables over a restart. A refused update tells the item that stood in the way, as in DynamoDB.
pub type Dynoxide = Server<DynoxideKind>;

/// A dynalite server, which keeps its tables over a restart. A refused update does not tell the item that stood in the way.
pub type Dynalite = Server<DynaliteKind>;

/// The [`Kind`] of a [`Dynoxide`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct DynoxideKind {
    program: PathBuf,
}

/// The [`Kind`] of a [`Dynalite`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct DynaliteKind {
    program: PathBuf,
}

const INSTALL_DYNALITE: &str = "cargo xtask servers install dynalite";
const INSTALL_DYNOXIDE: &str =
    "`cargo xtask servers install dynoxide` builds it, which takes minutes";
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

impl Kind for DynoxideKind {
    const NAME: &'static str = "dynoxide";
    /// The program may be in root's cache.
    const ACCOUNT: &'static str = "root";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::manual(Self::NAME, reason, INSTALL_DYNOXIDE)
    }

    fn initialize(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let database = site.directory().join("tables.db");
        vec![
            self.program.clone().into(),
            "serve".into(),
            "--port".into(),
            site.port().to_string().into(),
            "--db-path".into(),
            database.into(),
        ]
    }

    fn is_ready(&self, site: &Site) -> bool {
        lists_tables(site).unwrap_or(false)
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl Standalone for DynoxideKind {
    fn locate() -> Result<Self, Unavailable> {
        let program = cached("dynoxide", "bin/dynoxide");
        let missing = || Self::unavailable("there is no `dynoxide`".to_owned());
        program.map(|program| Self { program }).ok_or_else(missing)
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<Dynoxide, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl Kind for DynaliteKind {
    const NAME: &'static str = "dynalite";
    /// The program may be in root's cache.
    const ACCOUNT: &'static str = "root";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL_DYNALITE)
    }

    fn initialize(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.program.clone().into()];
        // Without a host it listens on every address.
        command.extend(["--host", "127.0.0.1", "--port"].map(OsString::from));
        command.push(site.port().to_string().into());
        // Without a path it keeps the tables in memory.
        command.extend(["--path".into(), site.directory().join("tables").into()]);
        for state in ["--createTableMs", "--deleteTableMs", "--updateTableMs"] {
            command.extend([state, "0"].map(OsString::from));
        }
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        lists_tables(site).unwrap_or(false)
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl Standalone for DynaliteKind {
    fn locate() -> Result<Self, Unavailable> {
        let program = cached("dynalite", "bin/dynalite");
        let missing = || Self::unavailable("there is no `dynalite`".to_owned());
        program.map(|program| Self { program }).ok_or_else(missing)
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<Dynalite, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl Server<DynoxideKind> {
    /// The URL at which clients find the server. Any credentials are accepted.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }
}

impl Server<DynaliteKind> {
    /// The URL at which clients find the server. Any credentials are accepted.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }
}

/// Whether the server at the site's port answers as DynamoDB does.
fn lists_tables(site: &Site) -> io::Result<bool> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, site.port()));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 2\r\n\
         Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n\
         X-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=0\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.contains("TableNames"))
}
