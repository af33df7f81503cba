//! The single process or thread of a server that serves one connection.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::mariadb::MariaDbKind;
use super::postgres::PostgresKind;
use super::{Server, database_of, process_tree as tree};

/// A process that has not stopped this long after SIGSTOP is assumed never to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

impl Server<PostgresKind> {
    /// The process ids of the server processes that serve connections to the database of `url`, the oldest connection first.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn backends(&self, url: &str) -> Vec<u32> {
        let database = database_of(url);
        let listed = self
            .execute(
                &self.admin_url(),
                &format!(
                    "SELECT pid FROM pg_stat_activity WHERE datname = '{database}' \
                     AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY backend_start, pid"
                ),
            )
            .await;
        numbers(&listed)
    }

    /// Pauses one process of the server (SIGSTOP), and returns when the process has stopped: its connection does not answer while other
    /// connections do. `pg_backend_pid()`, `pg_stat_activity` and `pg_stat_replication` give the process ids.
    ///
    /// # Errors
    ///
    /// If the process is not a process of this server.
    pub async fn pause_backend(&self, pid: u32) -> io::Result<()> {
        self.signal_backend(pid, Signal::STOP).await?;
        self.blocking(move |server| {
            let pid = server.backend(pid)?;
            let deadline = Instant::now() + STOP_TIMEOUT;
            while !tree::stand_still(&[pid])? {
                if Instant::now() > deadline {
                    return Err(io::Error::other("the backend does not stand still"));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        })
        .await
    }

    /// Resumes a paused process of the server (SIGCONT).
    ///
    /// # Errors
    ///
    /// If the process is not a process of this server.
    pub async fn resume_backend(&self, pid: u32) -> io::Result<()> {
        self.signal_backend(pid, Signal::CONT).await
    }

    /// Sends a signal to one process of the server. After SIGKILL, the server ends all its other processes and recovers, as after a crash.
    ///
    /// # Errors
    ///
    /// If the process is not a process of this server.
    pub async fn signal_backend(&self, pid: u32, signal: Signal) -> io::Result<()> {
        self.blocking(move |server| tree::signal(server.backend(pid)?, signal))
            .await
    }

    /// Returns the process if it is a child of the server: no other process with this id may receive a signal.
    fn backend(&self, pid: u32) -> io::Result<Pid> {
        let server = self.keeper().pid();
        let server = server.ok_or_else(|| io::Error::other("the server does not run"))?;
        let backend = i32::try_from(pid).ok().and_then(Pid::from_raw);
        match backend {
            Some(backend) if tree::is_child(backend, server)? => Ok(backend),
            _ => Err(io::Error::other(format!(
                "{pid} is no process of this server"
            ))),
        }
    }
}

impl Server<MariaDbKind> {
    /// The ids of the connections to the database of `url`, the oldest first, for the statement `KILL`. A thread serves each connection,
    /// and a single thread cannot be paused: [`pause`](Server::pause) pauses the whole server.
    ///
    /// # Panics
    ///
    /// If the server does not answer.
    pub async fn connections(&self, url: &str) -> Vec<u32> {
        let database = database_of(url);
        let listed = self
            .execute(
                &self.admin_url(),
                &format!(
                    "SELECT id FROM information_schema.processlist WHERE db = '{database}' ORDER BY id"
                ),
            )
            .await;
        numbers(&listed)
    }
}

fn numbers(lines: &str) -> Vec<u32> {
    lines.lines().filter_map(|line| line.parse().ok()).collect()
}
