//! Servers whose disk is full.

use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{MariaDb, Postgres, SmallDisk};

use super::{mariadb, psql};

#[tokio::test]
async fn a_full_disk_is_an_error_and_can_be_freed() {
    let disk = server_or_skip!(SmallDisk::new(128).await);
    let server = server_or_skip!(Postgres::start_on(&disk, &[]).await);
    let url = server.fresh_database().await;
    assert_eq!(
        psql(&url, "CREATE TABLE t AS SELECT generate_series(1, 1000)"),
        Ok(String::new())
    );
    disk.fill().await.unwrap();
    let why = psql(&url, "INSERT INTO t SELECT generate_series(1, 100000)").unwrap_err();
    assert!(why.contains("No space left on device"), "{why}");
    disk.free_up().await.unwrap();
    assert_eq!(
        psql(&url, "INSERT INTO t SELECT generate_series(1, 100000)"),
        Ok(String::new())
    );

    let directory = disk.directory().to_owned();
    let kept = server.clone();
    drop((disk, server));
    assert_eq!(
        psql(&url, "SELECT 1"),
        Ok("1\n".to_owned()),
        "a server keeps its disk"
    );
    drop(kept);
    assert!(!directory.exists());
}

#[tokio::test]
async fn mariadb_runs_on_a_small_disk() {
    let disk = server_or_skip!(SmallDisk::new(256).await);
    let small = &["--innodb-log-file-size=4M"];
    let server = server_or_skip!(MariaDb::start_on(&disk, small).await);
    let url = server.fresh_database().await;
    assert_eq!(
        mariadb(&url, "CREATE TABLE t (text LONGTEXT) ENGINE=InnoDB"),
        (true, String::new())
    );
    disk.fill().await.unwrap();
    // MariaDB says so, or it ends itself.
    let insert = "INSERT INTO t SELECT REPEAT('x', 8000000)";
    let (done, _why) = mariadb(&url, insert);
    assert!(!done);
    disk.free_up().await.unwrap();
    server.kill().await.unwrap();
    server.restart().await.unwrap();
    assert_eq!(mariadb(&url, insert), (true, String::new()));
}
