//! F13, F19, F20, F24 and F25: what errors say, and what URLs may say.

use std::ffi::OsString;
use std::fs::Permissions;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use shedlock_runtime::{ErrorKind, LockError, LockProvider, LockProviderExt as _};
use shedlock_sqlx::{
    MySqlLockProvider, PostgresLockProvider, SqlDatabase, SqliteLockProvider, SqlxLockProvider,
};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{MariaDb, Postgres as PostgresServer};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::pool::PoolOptions;
use sqlx::{MySql, Postgres, Sqlite};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::place::{Place, TestStore as _, Via};
use crate::support::{Night as _, WORKS, config, in_time, once, sqlite, until};

on_databases! {
    urls_of_jdbc_are_refused on sqlite postgres mysql;
    urls_of_mariadb_work on mysql;
    the_first_host_is_dead on postgres;
    row_level_security_is_named on postgres;
}

async fn must_fail<P: LockProvider + Clone>(node: &P) -> LockError {
    let asked = in_time(node.try_lock(config("a"))).await;
    match asked {
        Err(error) => error,
        Ok(asked) => panic!("it cannot work: {asked:?}"),
    }
}

/// A server whose clocks skip an hour, in that hour. Its zone is that of its process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_the_zone_skips() {
    let zone = OsString::from("Europe/Berlin");
    let server = server_or_skip!(MariaDb::start_with_env(vec![("TZ".into(), zone)]).await);
    let url = server.fresh_database().await;
    server
        .execute(&url, "SET GLOBAL time_zone = 'SYSTEM'")
        .await;
    let options: MySqlConnectOptions = url.parse().expect("a valid URL");
    // 2027-03-28 02:30 UTC: from 02:00 on, Berlin's clocks show 03:00 and later.
    let set = "SET time_zone = 'SYSTEM', timestamp = 1806201000";
    let pool = PoolOptions::<MySql>::new()
        .max_connections(1)
        .after_connect(move |connection, _| Box::pin(MySql::on(connection, set)));
    let pool = pool.connect_with(options.timezone(None)).await;
    let pool = pool.expect("it is there");
    MySql::run(&pool, MySql::SHEDLOCKS_TABLE)
        .await
        .expect("made");
    let node = MySqlLockProvider::new(pool);
    let error = must_fail(&node).await;
    let said = error.to_string();
    assert!(said.contains("DATETIME(6)"), "{said}");
    assert!(!said.contains("past what the table"), "{said}");
    assert_ne!(error.kind(), ErrorKind::InvalidDuration, "{said}");
}

/// A replica that runs a logged statement is inside a transaction, where the statement fails, so that nothing is replicated any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_that_logs_statements_is_refused() {
    let logging = [
        "--log-bin=log",
        "--binlog-format=STATEMENT",
        "--server-id=1",
    ];
    let server = server_or_skip!(MariaDb::start_with(&logging).await);
    let url = server.fresh_database().await;
    let pool = sqlx::MySqlPool::connect(&url).await.expect("it is there");
    MySql::run(&pool, MySql::SHEDLOCKS_TABLE)
        .await
        .expect("made");
    let own = MySqlLockProvider::connect(&url).await.expect("there");
    let nodes = [own, MySqlLockProvider::new(pool)];
    for node in &nodes {
        let error = must_fail(node).await;
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        let said = error.to_string();
        assert!(
            said.contains("set `binlog_format` to `MIXED` or `ROW`"),
            "{said}"
        );
    }
    let set = "SET GLOBAL binlog_format = 'MIXED'";
    server.execute(&server.admin_url(), set).await;
    for node in &nodes {
        assert_eq!(once(node, "a").await, WORKS);
    }
}

/// SQLite has no primary: the words are about the file, and who may write it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_be_written() {
    let place: Place<Sqlite> = sqlite().await.expect("a file");
    let read_only = format!("{}?mode=ro", place.url);
    let pool = sqlx::SqlitePool::connect(&read_only).await.expect("there");
    for node in [
        SqliteLockProvider::connect(&read_only)
            .await
            .expect("there"),
        SqliteLockProvider::new(pool),
    ] {
        let error = must_fail(&node).await;
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        speaks_of_the_file(&error);
    }
}

/// Root may write it all the same, so there the lock is to be had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_or_folder_without_permission() {
    let place: Place<Sqlite> = sqlite().await.expect("a file");
    let path = Path::new(place.url.trim_start_matches("sqlite://"));
    let folder = path.parent().expect("it is in a folder");
    for (path, without, with) in [(path, 0o444, 0o644), (folder, 0o555, 0o755)] {
        let set = |mode| std::fs::set_permissions(path, Permissions::from_mode(mode));
        set(without).expect("it is ours");
        let said = in_time(place.provider(Via::Url).try_lock(config("a"))).await;
        set(with).expect("it is ours");
        match said {
            Ok(Some(lock)) => drop(lock.unlock().await),
            Ok(None) => panic!("nobody holds it"),
            Err(error) => speaks_of_the_file(&error),
        }
    }
}

fn speaks_of_the_file(error: &LockError) {
    let said = error.to_string();
    assert!(
        said.contains("file") && said.contains("permission"),
        "{said}"
    );
    assert!(!said.contains("primary"), "{said}");
}

/// Either the error says so, or the page that is read before.
#[tokio::test]
async fn paused_time() {
    let place: Place<Sqlite> = sqlite().await.expect("a file");
    tokio::time::pause();
    let asked = place.provider(Via::Url).try_lock(config("a")).await;
    let said = asked.err().map(|error| error.to_string());
    let page = include_str!("../../README.md");
    assert!(
        page.contains("start_paused") || said.is_none_or(|said| said.contains("paused")),
        "nothing says that a database needs time that runs"
    );
}

async fn urls_of_jdbc_are_refused<DB: SqlDatabase>(_place: Place<DB>) {
    for (url, form) in match DB::NAME {
        "SQLite" => vec![("jdbc:sqlite:locks.db", "sqlite://")],
        "PostgreSQL" => vec![("jdbc:postgresql://localhost:5432/app", "postgres://")],
        _ => vec![
            ("jdbc:mysql://localhost:3306/app", "mysql://"),
            ("jdbc:mariadb://localhost:3306/app", "mysql://"),
        ],
    } {
        let built = SqlxLockProvider::<DB>::builder_from_url(url).build();
        let error = built.expect_err("it is for Java");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        let said = error.to_string();
        assert!(said.contains(form), "{url}: {said}");
    }
}

async fn urls_of_mariadb_work(place: Place<MySql>) {
    let url = place.direct.replacen("mysql://", "mariadb://", 1);
    let node = MySqlLockProvider::connect(&url).await.expect("there");
    assert_eq!(once(&node, "a").await, WORKS);
}

/// What a client says first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_that_poolers_refuse() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let url = format!("postgres://app@127.0.0.1:{port}/app?sslmode=disable");
    let connecting = tokio::spawn(async move { PostgresLockProvider::connect(&url).await });
    let (mut client, _) = in_time(listener.accept()).await.expect("it connects");
    let mut first = [0; 4_096];
    let length = in_time(client.read(&mut first)).await.expect("it speaks");
    let first = String::from_utf8_lossy(&first[..length]);
    connecting.abort();
    assert!(first.contains("shedlock"), "{first:?}");
    assert!(!first.contains("extra_float_digits"), "{first:?}");
}

/// A port on which nobody listens.
async fn dead() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let address = listener.expect("a free port").local_addr();
    address.expect("it is bound").to_string()
}

async fn the_first_host_is_dead(place: Place<Postgres>) {
    let (user, rest) = place.direct.split_once('@').expect("a user");
    let (address, database) = rest.split_once('/').expect("a database");
    let dead = dead().await;
    for hosts in [
        format!("{dead},{address}"),
        format!("{address},{dead}"),
        format!("{dead},{dead},{address}"),
    ] {
        for query in ["", "?target_session_attrs=read-write"] {
            let url = format!("{user}@{hosts}/{database}{query}");
            let node = PostgresLockProvider::connect(&url).await;
            let node = node.unwrap_or_else(|error| panic!("{hosts}{query}: {error}"));
            assert_eq!(once(&node, "a").await, WORKS, "{hosts}{query}");
        }
    }
    let url = format!("{user}@{dead},{dead}/{database}");
    let error = PostgresLockProvider::connect(&url).await;
    let error = error.expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_host_is_read_only() {
    let standby = server_or_skip!(PostgresServer::start().await);
    let watch = sqlx::PgPool::connect(&standby.url()).await.expect("there");
    for statement in [
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "SELECT pg_reload_conf()",
    ] {
        standby.execute(&standby.url(), statement).await;
    }
    let heard = async || {
        let show = "SHOW default_transaction_read_only";
        Postgres::texts(&watch, show).await == ["on"]
    };
    until("sessions have heard of it", heard).await;
    let primary = server_or_skip!(PostgresServer::shared().await);
    let maker = PostgresLockProvider::connect(&primary.url()).await;
    let maker = maker.expect("it is there");
    maker.ensure_schema().await.expect("made");
    let hosts = format!("{},{}", standby.address(), primary.address());
    let url = primary.url();
    let url = url.replacen(&primary.address().to_string(), &hosts, 1);
    let url = format!("{url}?target_session_attrs=read-write");
    let node = in_time(PostgresLockProvider::connect(&url)).await;
    let node = node.expect("one of them takes writes");
    let lock = in_time(node.try_lock(config("of-two-hosts"))).await;
    let lock = lock.expect("an answer").expect("it is free");
    assert_eq!(once(&maker, "of-two-hosts").await, "refused");
    lock.unlock().await.expect("an answer");
}

/// A remedy that says what to look at, and a warning before it is needed.
async fn row_level_security_is_named(place: Place<Postgres>) {
    let server = PostgresServer::shared().await.expect("it is started");
    let other = server.read_only_url(&place.direct).await;
    let execute = async |statement: &str| {
        server.execute(&place.direct, statement).await;
    };
    execute("GRANT SELECT, INSERT, UPDATE ON shedlock TO shedlock_read_only").await;
    execute("ALTER TABLE shedlock ENABLE ROW LEVEL SECURITY").await;
    execute("CREATE POLICY mine ON shedlock USING (name LIKE 'mine%')").await;
    let node = PostgresLockProvider::connect(&other).await.expect("there");
    let error = must_fail(&node).await;
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    let remedy = error.remedy().unwrap_or_default().to_owned();
    assert!(
        remedy.contains("policy") || remedy.contains("policies"),
        "{error}"
    );
    execute("DROP POLICY mine ON shedlock").await;
    execute("CREATE POLICY reads ON shedlock FOR SELECT USING (true)").await;
    execute("CREATE POLICY makes ON shedlock FOR INSERT WITH CHECK (true)").await;
    let checked = in_time(node.check_schema()).await;
    let said = match checked {
        Ok(report) => report.warnings().join("; "),
        Err(error) => error.to_string(),
    };
    assert!(said.contains("row-level security"), "{said}");
}

/// A database that stands still is no reason to wait for longer than the call may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_hosts_cost_no_more_than_the_limit() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let url = format!("postgres://app@{address},{address}/app");
    let node = PostgresLockProvider::builder_from_url(&url).build();
    let limited = config("a").with_timeout("1s").expect("legal");
    let began = std::time::Instant::now();
    let asked = in_time(node.expect("legal").try_lock(limited)).await;
    let error = asked.expect_err("nobody answers");
    assert!(error.is_transient(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(3), "{error}");
}
