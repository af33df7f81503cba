//! PgBouncer pools as it was told to.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{PgBouncer, PgBouncerOptions, PoolMode, Postgres};

use super::{psql, rough_life};

const PID: &str = "SELECT pg_backend_pid()";

#[tokio::test]
async fn pgbouncer_pools_by_session_transaction_and_statement() {
    let postgres = server_or_skip!(Postgres::shared().await);
    let database = postgres.fresh_database().await;
    let modes = [
        PoolMode::Session,
        PoolMode::Transaction,
        PoolMode::Statement,
    ];
    for mode in modes {
        let options = PgBouncerOptions::new(mode).pool_size(1);
        let options = options.setting("query_wait_timeout", "1");
        let bouncer = server_or_skip!(PgBouncer::start_before(postgres, options).await);
        let url = bouncer.url(&database);
        assert_ne!(url, database);
        let (first, second) = (psql(&url, PID), psql(&url, PID));
        assert!(first.is_ok() && first == second, "{first:?} {second:?}");

        // A client that stays has the only connection, or has given it back.
        let mut guest = Guest::enter(bouncer.address(), &database);
        guest.asks("SELECT 1");
        let other = psql(&url, PID);
        assert_eq!(other.is_ok(), mode != PoolMode::Session, "{other:?}");
        drop(guest);
        let transaction = psql(&url, "BEGIN; SELECT 1; COMMIT");
        assert_eq!(
            transaction.is_ok(),
            mode != PoolMode::Statement,
            "{transaction:?}"
        );
    }
}

#[tokio::test]
async fn pgbouncer_takes_every_role_of_the_server() {
    let postgres = server_or_skip!(Postgres::shared().await);
    let options = PgBouncerOptions::new(PoolMode::Transaction);
    let bouncer = server_or_skip!(PgBouncer::start_before(postgres, options).await);
    let database = postgres.fresh_database().await;
    let url = bouncer.url(&database);
    assert_eq!(psql(&url, "CREATE TABLE t (id int)"), Ok(String::new()));
    let with_password = bouncer.url(&postgres.password_url(&database));
    assert_eq!(psql(&with_password, "SELECT * FROM t"), Ok(String::new()));
    let reader = bouncer.url(&postgres.read_only_url(&database).await);
    let why = psql(&reader, "INSERT INTO t VALUES (1)").unwrap_err();
    assert!(why.contains("permission denied"), "{why}");
    let servers = bouncer.console("SHOW SERVERS").await;
    assert_eq!(servers.lines().count(), 3, "one for each role: {servers}");
}

#[tokio::test]
async fn pgbouncer_refuses_startup_parameters_unless_told_to_ignore_them() {
    let postgres = server_or_skip!(Postgres::shared().await);
    for strict in [false, true] {
        let mut options = PgBouncerOptions::new(PoolMode::Transaction);
        if strict {
            options = options.strict();
        }
        let bouncer = server_or_skip!(PgBouncer::start_before(postgres, options).await);
        let (_guest, answer) = Guest::connect(bouncer.address(), &postgres.url());
        assert_eq!(answer, if strict { b'E' } else { b'R' });
    }
}

#[tokio::test]
async fn pgbouncer_is_stopped_killed_paused_and_restarted() {
    let postgres = server_or_skip!(Postgres::start().await);
    let options = PgBouncerOptions::new(PoolMode::Transaction);
    let bouncer = server_or_skip!(PgBouncer::start_before(&postgres, options).await);
    rough_life(&bouncer).await;
    let url = bouncer.url(&postgres.url());
    assert!(psql(&url, PID).is_ok());
    drop(postgres);
    assert!(psql(&url, PID).is_ok(), "it keeps its server");
}

/// A client that speaks as much of the protocol as it takes, and stays.
struct Guest(TcpStream);

impl Guest {
    /// Connects, with the parameter that most drivers send, and gives the first byte of the answer.
    fn connect(address: SocketAddr, url: &str) -> (Self, u8) {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let (_, database) = url.rsplit_once('/').unwrap();
        let parameters =
            format!("user\0shedlock\0database\0{database}\0extra_float_digits\x003\0\0");
        let length = u32::try_from(8 + parameters.len()).unwrap();
        let mut message = length.to_be_bytes().to_vec();
        message.extend(0x0003_0000_u32.to_be_bytes());
        message.extend(parameters.as_bytes());
        stream.write_all(&message).unwrap();
        let mut answer = [0];
        stream.read_exact(&mut answer).unwrap();
        (Self(stream), answer[0])
    }

    fn enter(address: SocketAddr, url: &str) -> Self {
        let (mut guest, answer) = Self::connect(address, url);
        assert_eq!(answer, b'R');
        guest.reads_until_ready();
        guest
    }

    fn asks(&mut self, sql: &str) {
        let length = u32::try_from(5 + sql.len()).unwrap();
        let message = [b"Q", &length.to_be_bytes()[..], sql.as_bytes(), b"\0"].concat();
        self.0.write_all(&message).unwrap();
        self.reads_until_ready();
    }

    /// Both answers end with the message that says that no transaction is open.
    fn reads_until_ready(&mut self) {
        let mut heard = Vec::new();
        while !heard.ends_with(b"Z\0\0\0\x05I") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            heard.extend(byte);
        }
    }
}
