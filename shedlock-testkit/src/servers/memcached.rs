//! Memcached, as a server for tests.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use super::{Kind, Server, Signal, Site, Standalone, Unavailable, tools};

/// A Memcached server with 64 MiB of memory, unless the arguments say otherwise.
pub type Memcached = Server<MemcachedKind>;

/// The [`Kind`] of a [`Memcached`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct MemcachedKind {
    program: PathBuf,
    /// The user and the password of the server, if the server asks for them.
    login: Option<(String, String)>,
}

const INSTALL: &str = "apt-get install -y memcached";
/// The time limit for one answer. A running server answers at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The answer to the command that ends each request of a test.
const END: &[u8] = b"MN\r\n";

impl Kind for MemcachedKind {
    const NAME: &'static str = "Memcached";
    const ACCOUNT: &'static str = "nobody";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, site: &Site) -> io::Result<()> {
        match &self.login {
            Some((user, password)) => {
                site.write(&users_file(site), &format!("{user}:{password}\n"))
            }
            None => Ok(()),
        }
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.program.clone().into()];
        command.extend(["-l", "127.0.0.1", "-t", "2", "-p"].map(OsString::from));
        command.push(site.port().to_string().into());
        command.extend(["-P".into(), pid_file(site).into()]);
        if self.login.is_some() {
            command.extend(["-Y".into(), users_file(site).into()]);
        }
        command.extend(site.arguments().iter().map(OsString::from));
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        let Ok(pid) = fs::read_to_string(pid_file(site)) else {
            return false;
        };
        let answer = self.ask(site.port(), "stats\r\n");
        answer.is_ok_and(|answer| answer.contains(&format!("STAT pid {}\r\n", pid.trim())))
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl Standalone for MemcachedKind {
    fn locate() -> Result<Self, Unavailable> {
        let program = tools::find("memcached", &["/usr/bin"]);
        let missing = || Self::unavailable("there is no `memcached`".to_owned());
        Ok(Self {
            program: program.ok_or_else(missing)?,
            login: None,
        })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<Memcached, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl MemcachedKind {
    /// Sends `request`, which may be several commands, over a connection of its own, and returns all that the server answers.
    fn ask(&self, port: u16, request: &str) -> io::Result<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        if let Some((user, password)) = &self.login {
            let login = format!("{user} {password}");
            stream.write_all(format!("set login 0 0 {}\r\n{login}\r\n", login.len()).as_bytes())?;
            let mut stored = [0; "STORED\r\n".len()];
            stream.read_exact(&mut stored)?;
        }
        stream.write_all(format!("{request}mn\r\n").as_bytes())?;
        let mut answer = Vec::new();
        while !answer.ends_with(END) {
            let mut piece = [0; 4096];
            match stream.read(&mut piece)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => answer.extend_from_slice(&piece[..length]),
            }
        }
        answer.truncate(answer.len() - END.len());
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Server<MemcachedKind> {
    /// Starts a server that only the caller uses, and that asks each client for this user and this password.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with_login(user: &str, password: &str) -> Result<Self, Unavailable> {
        let login = Some((user.to_owned(), password.to_owned()));
        super::blocking(move || {
            let kind = MemcachedKind {
                login,
                ..MemcachedKind::locate()?
            };
            Self::start_as(kind, Vec::new(), Vec::new())
        })
        .await
    }

    /// The URL of the server, without a login.
    #[must_use]
    pub fn url(&self) -> String {
        format!("memcached://{}", self.address())
    }

    /// Sends `request`, which is one command or several, each with its `\r\n`, and returns all that the server answers. An error that the
    /// server returns is an answer too.
    ///
    /// # Panics
    ///
    /// If the server cannot be reached.
    pub async fn execute(&self, request: &str) -> String {
        let (kind, port, request) = (self.kind().clone(), self.port(), request.to_owned());
        let answer = super::blocking(move || kind.ask(port, &request)).await;
        answer.unwrap_or_else(|error| panic!("failed to ask Memcached: {error}"))
    }
}

fn pid_file(site: &Site) -> PathBuf {
    site.directory().join("memcached.pid")
}

fn users_file(site: &Site) -> PathBuf {
    site.directory().join("users")
}
