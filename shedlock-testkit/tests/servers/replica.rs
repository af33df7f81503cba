//! A PostgreSQL server follows another one, and takes its place.

use std::time::Duration;

use shedlock_testkit::proxy::{Direction, Rule};
use shedlock_testkit::servers::Postgres;
use shedlock_testkit::{Proxy, server_or_skip};
use tokio::time::timeout;

use super::psql;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_postgres_replica_follows_refuses_writes_and_is_promoted() {
    let primary = server_or_skip!(Postgres::start().await);
    let proxy = Proxy::start(primary.address()).await.unwrap();
    let url = primary.fresh_database().await;
    primary
        .execute(&url, "CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
        .await;
    let replica = primary.replica_through(proxy.address(), &["-c", "max_connections=110"]);
    let replica = server_or_skip!(replica.await);
    primary.execute(&url, "INSERT INTO t VALUES (2)").await;
    timeout(SOON, replica.catch_up_with(&primary))
        .await
        .unwrap();
    assert_eq!(replica.execute(&url, "SELECT id FROM t").await, "1\n2\n");
    let there = url.replace(&primary.port().to_string(), &replica.port().to_string());
    let why = psql(&there, "INSERT INTO t VALUES (3)").unwrap_err();
    assert!(why.contains("read-only transaction"), "{why}");

    // What is on its way when the primary dies is lost.
    proxy.set(Rule::Hold(Direction::ToClient));
    primary.execute(&url, "INSERT INTO t VALUES (4)").await;
    primary.kill().await.unwrap();
    timeout(SOON, replica.promote()).await.unwrap();
    replica.execute(&url, "INSERT INTO t VALUES (5)").await;
    assert_eq!(replica.execute(&url, "SELECT id FROM t").await, "1\n2\n5\n");
    replica.restart().await.unwrap();
    assert_eq!(replica.execute(&url, "SELECT id FROM t").await, "1\n2\n5\n");
}
