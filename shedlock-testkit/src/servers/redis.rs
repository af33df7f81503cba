//! Redis, as a server for tests.

use std::env;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::{Kind, Server, Signal, Site, Standalone, Unavailable, tools};

mod cluster;
mod sentinel;

pub use self::cluster::RedisCluster;
pub use self::sentinel::{RedisSentinels, Sentinel, SentinelKind};

/// A Redis server. Unless the arguments say otherwise, the server writes each command to an append-only file.
pub type Redis = Server<RedisKind>;

/// The [`Kind`] of a [`Redis`] server.
///
/// See [`Standalone`] for an example.
#[derive(Debug, Clone)]
pub struct RedisKind {
    server: PathBuf,
    client: PathBuf,
}

/// The variable with the path of another program that serves in place of `redis-server`, such as `valkey-server`.
const PROGRAM: &str = "SHEDLOCK_TEST_REDIS_SERVER";
const INSTALL: &str = "apt-get install -y redis-server";

impl Kind for RedisKind {
    const NAME: &'static str = "Redis";
    const ACCOUNT: &'static str = "redis";
    const STOP_SIGNAL: Signal = Signal::TERM;

    fn unavailable(reason: String) -> Unavailable {
        Unavailable::installable(Self::NAME, reason, INSTALL)
    }

    fn initialize(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }

    fn command(&self, site: &Site) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![self.server.clone().into()];
        command.extend(["--port".into(), site.port().to_string().into()]);
        command.extend(["--dir".into(), site.directory().into()]);
        let settings = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"];
        command.extend(settings.map(OsString::from));
        command.extend(["--appendfsync", "no"].map(OsString::from));
        command.extend(site.arguments().iter().map(OsString::from));
        command
    }

    fn is_ready(&self, site: &Site) -> bool {
        let answers = |command: &[&str], line: &str| {
            let answer = self.run(site.port(), command);
            answer.is_ok_and(|answer| answer.lines().any(|each| each == line))
        };
        // While Redis loads its data, Redis answers CONFIG but refuses PING.
        answers(&["PING"], "PONG")
            && answers(
                &["CONFIG", "GET", "dir"],
                &site.directory().to_string_lossy(),
            )
    }

    fn provision(&self, _site: &Site) -> io::Result<()> {
        Ok(())
    }
}

impl Standalone for RedisKind {
    fn locate() -> Result<Self, Unavailable> {
        let find = |program: &str| {
            tools::find(program, &[])
                .ok_or_else(|| Self::unavailable(format!("there is no `{program}`")))
        };
        let server = match env::var_os(PROGRAM) {
            Some(program) => program.into(),
            None => find("redis-server")?,
        };
        Ok(Self {
            server,
            client: find("redis-cli")?,
        })
    }

    fn shared_slot() -> &'static OnceLock<Result<Server<Self>, Unavailable>> {
        static SHARED: OnceLock<Result<Redis, Unavailable>> = OnceLock::new();
        &SHARED
    }
}

impl RedisKind {
    /// Runs one command. `redis-cli` fails if the server cannot be reached, and prints an error that the server returns.
    fn run(&self, port: u16, command: &[&str]) -> io::Result<String> {
        let mut client = Command::new(&self.client);
        client.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        client.env_remove("REDISCLI_AUTH");
        tools::run(client.args(command), "")
    }
}

impl Server<RedisKind> {
    /// The URL of the server. Every client may run all commands.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Runs one command and returns the answer, one line for each part. An error that the server returns is an answer too.
    ///
    /// # Panics
    ///
    /// If the server cannot be reached.
    pub async fn execute(&self, command: &[&str]) -> String {
        let (kind, port) = (self.kind().clone(), self.port());
        let command: Vec<String> = command.iter().map(|&part| part.to_owned()).collect();
        let done = super::blocking(move || {
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            kind.run(port, &command)
        });
        let answer = done.await;
        let answer = answer.unwrap_or_else(|error| panic!("failed to ask Redis: {error}"));
        answer.strip_suffix('\n').unwrap_or(&answer).to_owned()
    }

    /// Makes this server a replica of the server at the address `primary`.
    ///
    /// # Panics
    ///
    /// If the command fails.
    pub async fn replicate_from(&self, primary: SocketAddr) {
        let (host, port) = (primary.ip().to_string(), primary.port().to_string());
        assert_eq!(self.execute(&["REPLICAOF", &host, &port]).await, "OK");
    }
}
