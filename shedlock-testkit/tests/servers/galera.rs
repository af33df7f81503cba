//! Three MariaDB servers are one database.

use std::time::Duration;

use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Galera;
use tokio::time::timeout;

use super::mariadb;

const SOON: Duration = Duration::from_secs(60);
const DONE: (bool, String) = (true, String::new());

#[tokio::test]
async fn galera_runs_with_two_of_three_nodes() {
    let cluster = server_or_skip!(Galera::start().await);
    let url = cluster.fresh_database().await;
    let at = |number| cluster.url(number, &url);
    let count = async |number: usize| {
        cluster.wait_until_synced().await;
        let counted = cluster.node(number).execute(&url, "SELECT COUNT(*) FROM t");
        counted.await.trim().to_owned()
    };
    assert_eq!(mariadb(&at(0), "CREATE TABLE t (id int PRIMARY KEY)"), DONE);
    for number in 0..3 {
        let insert = format!("INSERT INTO t VALUES ({number})");
        assert_eq!(mariadb(&at(number), &insert), DONE);
    }
    for number in 0..3 {
        assert_eq!(count(number).await, "3", "{number}");
    }

    timeout(SOON, cluster.isolate(2)).await.unwrap();
    for statement in ["INSERT INTO t VALUES (3)", "SELECT * FROM t"] {
        let (done, why) = mariadb(&at(2), statement);
        assert!(!done && why.contains("ERROR 1047"), "{why}");
    }
    assert_eq!(mariadb(&at(0), "INSERT INTO t VALUES (3)"), DONE);
    let rejoined = timeout(SOON, cluster.rejoin(2)).await;
    assert!(rejoined.is_ok(), "{}", cluster.node(2).log());
    assert_eq!(count(2).await, "4");

    cluster.node(1).kill().await.unwrap();
    let insert = async {
        while !mariadb(&at(0), "INSERT INTO t VALUES (4)").0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(SOON, insert).await.unwrap();
    cluster.node(1).restart().await.unwrap();
    assert_eq!(count(1).await, "5");
    assert_eq!(mariadb(&at(1), "INSERT INTO t VALUES (5)"), DONE);
}
