//! One process or thread of a server, among those that serve the others.

use std::time::{Duration, Instant};

use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{MariaDb, Postgres, Signal};
use tokio::time::timeout;

use super::{mariadb, psql};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn one_postgres_backend_is_paused_while_others_run() {
    let server = server_or_skip!(Postgres::start().await);
    let url = server.fresh_database().await;
    assert_eq!(server.backends(&url).await, [0_u32; 0]);
    let asked = url.clone();
    // Long enough to be found in, on a machine with much else to do.
    let begun = Instant::now();
    let slow = tokio::task::spawn_blocking(move || {
        psql(&asked, "SELECT pg_sleep(3); SELECT pg_backend_pid()")
    });
    let backend = timeout(SOON, async {
        loop {
            if let [backend] = server.backends(&url).await[..] {
                break backend;
            }
        }
    });
    let backend = backend.await.unwrap();
    server.pause_backend(backend).await.unwrap();
    tokio::time::sleep_until((begun + Duration::from_secs(5)).into()).await;
    assert!(!slow.is_finished());
    assert_eq!(server.execute(&url, "SELECT 1").await, "1\n");
    server.resume_backend(backend).await.unwrap();
    let ended = timeout(SOON, slow).await.unwrap().unwrap();
    assert_eq!(ended, Ok(format!("\n{backend}\n")));

    let stranger = server.pause_backend(std::process::id()).await;
    let why = stranger.unwrap_err().to_string();
    assert!(why.contains("no process of this server"), "{why}");
    // A paused one does not keep the server from stopping.
    let asked = url.clone();
    let stuck = tokio::task::spawn_blocking(move || psql(&asked, "SELECT pg_sleep(60)"));
    let backend = timeout(SOON, async {
        loop {
            if let [backend] = server.backends(&url).await[..] {
                break backend;
            }
        }
    });
    server.pause_backend(backend.await.unwrap()).await.unwrap();
    timeout(SOON, server.stop_by(Signal::QUIT))
        .await
        .unwrap()
        .unwrap();
    assert!(timeout(SOON, stuck).await.unwrap().unwrap().is_err());
    server.restart().await.unwrap();
}

#[tokio::test]
async fn mariadb_names_its_connections() {
    let server = server_or_skip!(MariaDb::shared().await);
    let url = server.fresh_database().await;
    assert_eq!(server.connections(&url).await, [0_u32; 0]);
    let asked = url.clone();
    let guest = tokio::task::spawn_blocking(move || mariadb(&asked, "SELECT SLEEP(60)"));
    let connection = timeout(SOON, async {
        loop {
            if let [connection] = server.connections(&url).await[..] {
                break connection;
            }
        }
    });
    let kill = format!("KILL {}", connection.await.unwrap());
    server.execute(&server.admin_url(), &kill).await;
    let (done, why) = timeout(SOON, guest).await.unwrap().unwrap();
    assert!(!done, "{why}");
}
