//! What a proxy delivers late is carried out by real servers, though its sender has been killed.

use std::process::Command;
use std::time::Duration;

use shedlock_testkit::proxy::Trigger;
use shedlock_testkit::servers::{MariaDb, Postgres};
use shedlock_testkit::{Proxy, server_or_skip};
use tokio::time::timeout;

use super::mariadb_client;

const SOON: Duration = Duration::from_secs(30);
const INSERT: &str = "INSERT INTO t VALUES (7)";

/// Has the client send its statement, kills it, and delivers the statement.
async fn deliver_without_sender(proxy: &Proxy, client: &mut Command) {
    let late = proxy.hold_back(Trigger::containing(INSERT));
    let mut sender = client.spawn().unwrap();
    timeout(SOON, late.sent()).await.unwrap();
    sender.kill().unwrap();
    sender.wait().unwrap();
    assert!(timeout(SOON, late.deliver()).await.unwrap());
}

#[tokio::test]
async fn postgres_executes_a_late_request_of_a_closed_client() {
    let server = server_or_skip!(Postgres::shared().await);
    let url = server.fresh_database().await;
    let table = "CREATE TABLE t (id int); GRANT ALL ON t TO shedlock";
    server.execute(&url, table).await;
    let proxy = Proxy::start(server.address()).await.unwrap();
    let mut psql = Command::new("psql");
    psql.args(["-Xc", INSERT, &proxy.url(&url)]);
    deliver_without_sender(&proxy, &mut psql).await;
    assert_eq!(server.execute(&url, "SELECT id FROM t").await, "7\n");
}

#[tokio::test]
async fn mariadb_executes_a_late_request_of_a_closed_client() {
    let server = server_or_skip!(MariaDb::shared().await);
    let url = server.fresh_database().await;
    server.execute(&url, "CREATE TABLE t (id int)").await;
    let proxy = Proxy::start(server.address()).await.unwrap();
    let mut mariadb = mariadb_client(&proxy.url(&url), INSERT);
    deliver_without_sender(&proxy, &mut mariadb).await;
    assert_eq!(server.execute(&url, "SELECT id FROM t").await, "7\n");
}
