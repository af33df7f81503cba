//! Opens the provider's own connection.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use shedlock_sql::{Fault, NoConnection, Row as _};
use tokio::sync::oneshot;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, Socket};

use super::own::{OwnConnection, ROW_WAIT, Session};
use crate::error::Error;
use crate::servers::Server;
use crate::session;
use crate::tls::Connector;

/// How long the driving task of a dropped connection tries to take leave of the server.
const FAREWELL: Duration = Duration::from_secs(1);
/// Asks whether the session received the [`settings`], and whether it accepts writes.
const LOOK: &str =
    "SELECT current_setting('shedlock.session', TRUE), current_setting('transaction_read_only')";
const ON: &str = "on";

/// The settings of the provider's own session, which a pooler, whose sessions are shared, rejects or ignores. The time zone is for times
/// with one, which other nodes write in UTC.
fn settings() -> String {
    let wait = ROW_WAIT.as_millis();
    format!("-c lock_timeout={wait} -c TimeZone=UTC -c shedlock.session={ON}")
}

impl OwnConnection {
    /// Opens a connection to the first server that accepts writes; each server gets an equal part of the remaining time.
    pub(super) async fn open(&self, limit: Duration) -> Result<Session, NoConnection<Error>> {
        let began = Instant::now();
        let mut failed = NoConnection::Slow(limit);
        let mut read_only = None;
        for (at, server) in self.servers.iter().enumerate() {
            let others = self.servers.len() - at;
            let left = limit.saturating_sub(began.elapsed());
            let part = left / u32::try_from(others).unwrap_or(u32::MAX);
            match tokio::time::timeout(part, self.open_to(server)).await {
                Ok(Ok(opened)) if opened.accepts_writes || self.servers.len() == 1 => {
                    return Ok(opened.session);
                }
                Ok(Ok(opened)) => read_only = Some(opened.session),
                Ok(Err(error)) => failed = NoConnection::Failed(error),
                Err(_elapsed) => failed = NoConnection::Slow(limit),
            }
        }
        // A read-only connection is better than none: its error says what is wrong.
        read_only.ok_or(failed)
    }

    async fn open_to(&self, server: &Server) -> Result<Opened, Error> {
        let connector = server.tls.connector().await?;
        if !self.behind_pooler.load(Ordering::Relaxed) {
            match connect(&with_settings(&server.config), &connector).await {
                Err(error) if is_refused_option(&error) => self.note_pooler(),
                opened => return self.look(opened?).await,
            }
        }
        self.look(connect(&server.config, &connector).await?).await
    }

    /// Looks at what was opened: a pooler may have dropped the settings.
    async fn look(&self, (client, ends): Driven) -> Result<Opened, Error> {
        let (rows, _count) = session::query(&client, LOOK.to_owned()).await?;
        let row = rows.first();
        let text = |column| row.map(|row| row.text(column)).transpose();
        let is_direct = text(0)?.flatten() == Some(ON);
        let accepts_writes = text(1)?.flatten() == Some("off");
        if !is_direct {
            self.note_pooler();
        }
        Ok(Opened {
            session: Session::new(client, ends, is_direct),
            accepts_writes,
        })
    }
}

/// A new connection.
struct Opened {
    session: Session,
    accepts_writes: bool,
}

/// A client, and what tells the task that drives its connection to end when it is dropped.
type Driven = (Client, oneshot::Sender<()>);

fn with_settings(config: &Config) -> Config {
    let mut config = config.clone();
    let options = match config.get_options() {
        Some(options) => format!("{options} {}", settings()),
        None => settings(),
    };
    config.options(options);
    config
}

async fn connect(config: &Config, connector: &Connector) -> Result<Driven, Error> {
    match connector {
        Connector::Off => connect_over(config, NoTls).await,
        #[cfg(feature = "rustls")]
        Connector::Rustls(tls) => connect_over(config, tls.clone()).await,
    }
}

async fn connect_over<T>(config: &Config, tls: T) -> Result<Driven, Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await.map_err(Error::Driver)?;
    let (ends, dropped) = oneshot::channel();
    // Detached: the task ends with its connection, or soon after the client is dropped.
    let _driving = tokio::spawn(async move {
        if let Either::Right((_dropped, connection)) = select(connection, dropped).await {
            // Statements without an answer would otherwise keep a dead connection.
            drop(tokio::time::timeout(FAREWELL, connection).await);
        }
    });
    Ok((client, ends))
}

/// Whether the server may accept the connection without the settings.
fn is_refused_option(error: &Error) -> bool {
    error.code().is_some_and(Fault::may_be_a_setting)
}
