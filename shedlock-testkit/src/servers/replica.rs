//! A PostgreSQL server that is a streaming replica of another one.

use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use super::postgres::{self, PostgresKind};
use super::{Server, Site, Unavailable, tools};

impl Server<PostgresKind> {
    /// Starts a streaming replica of this server, with further arguments on the replica's command line. The replica is read-only and has
    /// the same roles and databases as this server.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn replica(&self, arguments: &[&str]) -> Result<Self, Unavailable> {
        self.replica_through(self.address(), arguments).await
    }

    /// Starts a streaming replica that reaches this server at `address`, for example through a [`Proxy`](crate::Proxy) that delays the
    /// stream.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn replica_through(
        &self,
        primary: SocketAddr,
        arguments: &[&str],
    ) -> Result<Self, Unavailable> {
        let mut kind = self.kind().clone();
        kind.primary = Some(primary);
        let arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        super::blocking(move || Self::start_as(kind, arguments, Vec::new())).await
    }

    /// Waits until this replica has replayed everything that `primary` had written when called. Limit the call with a timeout.
    ///
    /// # Panics
    ///
    /// If one of the two servers does not answer.
    pub async fn catch_up_with(&self, primary: &Self) {
        let written = primary
            .execute(&primary.admin_url(), "SELECT pg_current_wal_lsn()")
            .await;
        let caught_up = format!("SELECT pg_last_wal_replay_lsn() >= '{}'", written.trim());
        while self.execute(&self.admin_url(), &caught_up).await != "t\n" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Promotes this replica to a primary, which accepts writes. Changes that the replica has not received are lost on the new primary.
    ///
    /// # Panics
    ///
    /// If this server is not a replica, or if the promotion fails.
    pub async fn promote(&self) {
        let promoted = self
            .execute(&self.admin_url(), "SELECT pg_promote(true, 60)")
            .await;
        assert_eq!(promoted, "t\n", "the replica was not promoted");
    }
}

/// Copies the server at `primary`, and configures the copy as a replica.
pub(super) fn copy(site: &Site, primary: SocketAddr) -> io::Result<()> {
    let program = tools::find("pg_basebackup", postgres::DIRECTORIES)
        .ok_or_else(|| io::Error::other("there is no `pg_basebackup`"))?;
    let mut copy = Command::new(program);
    copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
    copy.arg(format!("--host={}", primary.ip()));
    copy.arg(format!("--port={}", primary.port()));
    copy.arg(format!("--username={}", postgres::ADMIN));
    copy.arg("--pgdata").arg(site.directory().join("data"));
    tools::run_in(site, &mut copy).map(drop)
}
