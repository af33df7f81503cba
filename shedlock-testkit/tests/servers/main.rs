//! Real servers do what the handle says.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

mod backends;
mod dynamodb;
mod galera;
mod late;
mod nats;
mod pgbouncer;
mod redis;
mod replica;
mod small_disk;

use std::io::Read as _;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{Kind, MariaDb, Postgres, Server};

#[tokio::test]
async fn postgres_starts_and_its_roles_have_their_rights() {
    let server = server_or_skip!(Postgres::shared().await);
    let (one, two) = (server.fresh_database().await, server.fresh_database().await);
    assert_ne!(one, two);
    server
        .execute(
            &one,
            "CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2)",
        )
        .await;
    assert_eq!(
        server
            .execute(&one, "SELECT id, id + 1 FROM t ORDER BY id")
            .await,
        "1|2\n2|3\n"
    );
    assert_eq!(
        server
            .execute(
                &two,
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
            )
            .await,
        "0\n"
    );

    let as_role = |url: String, sql: &'static str| {
        let output = Command::new("psql")
            .args(["-XAtc", sql, &url])
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let reader = server.read_only_url(&one).await;
    assert!(as_role(reader.clone(), "SELECT * FROM t").0);
    let (written, why) = as_role(reader, "INSERT INTO t VALUES (3)");
    assert!(!written && why.contains("permission denied"), "{why}");
    assert!(
        as_role(
            server.password_url(&two),
            "CREATE TABLE IF NOT EXISTS u (id int)"
        )
        .1
        .is_empty()
    );
    let (entered, why) = as_role(
        server.password_url(&two).replace("s3cret", "wrong"),
        "SELECT 1",
    );
    assert!(
        !entered && why.contains("password authentication failed"),
        "{why}"
    );
    assert!(as_role(server.url(), "CREATE TABLE IF NOT EXISTS v (id int)").0);
    assert!(as_role(server.admin_url(), "CHECKPOINT").0);
}

#[tokio::test]
async fn mariadb_starts_and_its_users_have_their_rights() {
    let server = server_or_skip!(MariaDb::shared().await);
    let (one, two) = (server.fresh_database().await, server.fresh_database().await);
    assert_ne!(one, two);
    server
        .execute(
            &one,
            "CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2)",
        )
        .await;
    assert_eq!(
        server
            .execute(&one, "SELECT id, id + 1 FROM t ORDER BY id")
            .await,
        "1\t2\n2\t3\n"
    );
    assert_eq!(server.execute(&two, "SHOW TABLES").await, "");

    let reader = server.read_only_url(&one).await;
    assert!(mariadb(&reader, "SELECT * FROM t").0);
    let (written, why) = mariadb(&reader, "INSERT INTO t VALUES (3)");
    assert!(!written && why.contains("command denied"), "{why}");
    assert_eq!(
        mariadb(&two, "CREATE TABLE u (id int)"),
        (true, String::new())
    );
    assert_eq!(
        mariadb(&server.password_url(&two), "INSERT INTO u VALUES (1)"),
        (true, String::new())
    );
    let (entered, why) = mariadb(
        &server.password_url(&two).replace("s3cret", "wrong"),
        "SELECT 1",
    );
    assert!(!entered && why.contains("Access denied"), "{why}");
    assert!(mariadb(&server.url(), "SELECT 1").0);
    assert!(mariadb(&server.admin_url(), "SELECT 1").0);
}

#[tokio::test]
async fn postgres_is_stopped_killed_paused_and_restarted() {
    let server = server_or_skip!(Postgres::start_with(&["-c", "max_connections=17"]).await);
    let url = server.fresh_database().await;
    assert_eq!(server.execute(&url, "SHOW max_connections").await, "17\n");
    server
        .execute(&url, "CREATE TABLE t (id int); INSERT INTO t VALUES (7)")
        .await;
    rough_life(&server).await;
    assert_eq!(server.execute(&url, "SELECT id FROM t").await, "7\n");
}

#[tokio::test]
async fn mariadb_is_stopped_killed_paused_and_restarted() {
    let server = server_or_skip!(MariaDb::start_with(&["--max-connections=17"]).await);
    let url = server.fresh_database().await;
    assert_eq!(
        server.execute(&url, "SELECT @@max_connections").await,
        "17\n"
    );
    server
        .execute(&url, "CREATE TABLE t (id int); INSERT INTO t VALUES (7)")
        .await;
    rough_life(&server).await;
    assert_eq!(server.execute(&url, "SELECT id FROM t").await, "7\n");
}

/// What `psql` prints, or what it complains of. Each statement is a message of its own.
fn psql(url: &str, sql: &str) -> Result<String, String> {
    let mut psql = Command::new("psql");
    psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1"]);
    for statement in sql.split("; ") {
        psql.args(["-c", statement]);
    }
    let output = psql.arg(url).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

/// Whether `mariadb` did it, and what it complains of.
fn mariadb(url: &str, sql: &str) -> (bool, String) {
    let output = mariadb_client(url, sql).output().unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn mariadb_client(url: &str, sql: &str) -> Command {
    let (login, place) = url
        .strip_prefix("mysql://")
        .unwrap()
        .split_once('@')
        .unwrap();
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (address, database) = place.split_once('/').unwrap();
    let (_, port) = address.split_once(':').unwrap();
    let mut mariadb = Command::new("mariadb");
    mariadb
        .args(["--no-defaults", "--protocol=tcp", "-h127.0.0.1"])
        .args(["-u", user, "-P", port, database, "-e", sql])
        .arg(format!("--password={password}"));
    mariadb
}

async fn rough_life<K: Kind>(server: &Server<K>) {
    let connects = || TcpStream::connect(server.address()).is_ok();
    let first = server.pid().unwrap();
    server.stop().await.unwrap();
    assert!(!connects());
    assert_eq!(server.pid(), None);
    server.restart().await.unwrap();
    assert_ne!(server.pid().unwrap(), first);

    server.kill().await.unwrap();
    assert!(!connects());
    assert!(server.pause().await.is_err(), "there is nothing to pause");
    server.restart().await.unwrap();

    server.pause().await.unwrap();
    // The kernel still takes the connection; nobody speaks. Both servers end a connection that sends nonsense.
    let mut silent = TcpStream::connect(server.address()).unwrap();
    std::io::Write::write_all(&mut silent, &[0; 64]).unwrap();
    silent
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let silence = silent.read(&mut [0; 64]).unwrap_err();
    assert!(
        matches!(
            silence.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        ),
        "{silence}"
    );
    server.resume().await.unwrap();
    silent
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let answered = silent.read(&mut [0; 64]);
    let timed_out =
        matches!(&answered, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(
        !timed_out,
        "the server speaks or closes after it went on: {answered:?}"
    );

    // Stopping a paused server must not wait for ever.
    server.pause().await.unwrap();
    server.stop().await.unwrap();
    server.restart().await.unwrap();
}

/// The processes that serve connections to `server`, which die on their own.
#[cfg(target_os = "linux")]
fn children(server: u32) -> Vec<std::path::PathBuf> {
    let children = format!("/proc/{server}/task/{server}/children");
    let children = std::fs::read_to_string(children).unwrap();
    children
        .split_whitespace()
        .map(|pid| format!("/proc/{pid}/stat").into())
        .collect()
}

/// A child that outlived it would keep its successor from starting.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_killed_postgres_ends_with_its_child_processes() {
    let server = server_or_skip!(Postgres::start().await);
    for _ in 0..5 {
        let connections: Vec<_> = (0..40)
            .map(|_| TcpStream::connect(server.address()).unwrap())
            .collect();
        let children = loop {
            let children = children(server.pid().unwrap());
            if children.len() > connections.len() {
                break children;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        server.kill().await.unwrap();
        for child in children {
            let stat = std::fs::read_to_string(&child).unwrap_or_default();
            let state = stat.rsplit_once(") ").map_or("Z", |(_, state)| state);
            assert!(state.starts_with('Z') || state.starts_with('X'), "{stat}");
        }
        server.restart().await.unwrap();
    }
}

/// The states of all threads of a process, a letter each.
#[cfg(target_os = "linux")]
fn states(pid: u32) -> String {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("stat")).ok())
        .filter_map(|stat| stat.rsplit_once(") ")?.1.chars().next())
        .collect()
}

/// A thread that ran on for a moment would answer what is asked after the pause.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn all_threads_of_a_paused_server_are_paused() {
    let server = server_or_skip!(MariaDb::start().await);
    let address = server.address();
    // Keeps its threads at work: it greets each connection.
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let guests = std::thread::spawn(move || {
        while is_done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            let mut guest = TcpStream::connect(address).unwrap();
            guest
                .set_read_timeout(Some(Duration::from_millis(10)))
                .unwrap();
            // Silence is the point of a pause.
            guest.read_exact(&mut [0]).ok();
        }
    });
    for _ in 0..50 {
        server.pause().await.unwrap();
        let states = states(server.pid().unwrap());
        assert!(states.chars().all(|state| state == 'T'), "{states}");
        server.resume().await.unwrap();
    }
    drop(done);
    guests.join().unwrap();
}

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
#[ignore = "runs as the child of `a_killed_test_process_leaves_no_server`"]
async fn child_that_starts_a_server_and_waits() {
    let server = Postgres::start().await.unwrap();
    // Paused is the hardest case: the kernel sends SIGHUP to the stopped server and to its keeper.
    server.pause().await.unwrap();
    println!(
        "\nSERVER {} {}",
        server.pid().unwrap(),
        server.site().directory().display()
    );
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_test_process_leaves_no_server() {
    drop(server_or_skip!(Postgres::start().await));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "child_that_starts_a_server_and_waits",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let line = lines
        .map_while(Result::ok)
        .find(|line| line.starts_with("SERVER "))
        .unwrap();
    let [_, pid, directory] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else {
        panic!("{line}")
    };
    assert!(std::path::Path::new(directory).exists());
    let alive = || {
        Command::new("kill")
            .args(["-0", pid])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    assert!(alive());

    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while alive() || std::path::Path::new(directory).exists() {
        assert!(
            Instant::now() < deadline,
            "server {pid} or its directory {directory} is still there"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_dropped_server_is_killed() {
    let server = server_or_skip!(MariaDb::start().await);
    let (pid, directory) = (
        server.pid().unwrap().to_string(),
        server.site().directory().to_owned(),
    );
    // Dropped while paused, the hardest case.
    server.pause().await.unwrap();
    drop(server);
    assert!(!directory.exists());
    assert!(
        !Command::new("kill")
            .args(["-0", &pid])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
}
