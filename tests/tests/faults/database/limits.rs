//! D14 and D21: a server that has no room, no connections or no time.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use shedlock::{ErrorKind, LockProviderExt as _, Outcome, lock};
use shedlock_sqlx::SqlDatabase;
use shedlock_testkit::servers::{MariaDb, Postgres, SmallDisk};
use shedlock_testkit::{Unavailable, server_or_skip};
use sqlx::{Connection as _, MySql};

use super::{Crew, LONG, MINUTE, job, kept_job, must_fail, must_run, until_extended, until_free};
use crate::support::{LATENESS, Locks, Place, cases, config, connect, in_time, until};

cases! {
    of crate::database::limits::Small:
    d14_disk_full on sqlite postgres mariadb;
}

cases! {
    of crate::database::limits::Crowded:
    d14_out_of_connections on postgres mariadb;
}

/// A store on a disk of few megabytes.
#[derive(Debug)]
struct Small {
    disk: SmallDisk,
    place: Place,
}

impl Small {
    async fn sqlite() -> Result<Self, Unavailable> {
        let disk = SmallDisk::new(4).await?;
        let place = Place::in_directory(disk.directory()).await;
        Ok(Self { disk, place })
    }

    async fn postgres() -> Result<Self, Unavailable> {
        let disk = SmallDisk::new(128).await?;
        let server = Postgres::start_on(&disk, &["-c", "autovacuum=off"]).await?;
        let place = Place::on_postgres(server).await;
        Ok(Self { disk, place })
    }

    async fn mariadb() -> Result<Self, Unavailable> {
        let disk = SmallDisk::new(256).await?;
        let server = MariaDb::start_on(&disk, &["--innodb-log-file-size=4M"]).await?;
        let place = Place::on_mariadb(server).await;
        Ok(Self { disk, place })
    }
}

/// Takes new names, which want room, until there is none for one: so many, or fewer.
async fn fills_up(locks: &Locks, round: &str) -> Option<shedlock::LockError> {
    for number in 0..20_000 {
        let name = format!("{round}-{number}-{}", "x".repeat(40));
        match locks.try_lock(config(&name, MINUTE)).await {
            // A release would want room as well.
            Ok(Some(lock)) => std::mem::forget(lock),
            Ok(None) => panic!("nobody holds `{name}`"),
            Err(error) => return Some(error),
        }
    }
    None
}

/// What wants room fails as something that may pass. Who holds a lock is not doubted, and with room all goes on.
async fn d14_disk_full(small: Small) {
    let Small { disk, place } = small;
    let crew = Crew::default();
    let (holder, rivals) = (place.connect().await, place.nodes(1).await);
    let filler = place.connect().await;
    let script = async {
        crew.until_skipped().await;
        disk.fill().await.expect("it is ours");
        let error = fills_up(&filler, "full").await;
        match &error {
            Some(error) => {
                println!("{error}: {:?}", error.kind());
                assert!(error.is_transient(), "{error}: {:?}", error.kind());
            }
            None => println!("there was room for all"),
        }
        assert!(lock::is_held());
        disk.free_up().await.expect("it is ours");
        until_extended(&place).await;
        assert_eq!(crew.runs(), 0, "it was held all the time");
    };
    let scenario = async {
        crew.hold(&holder, MINUTE, script).await;
        crew.until_run().await;
    };
    crew.beside(&rivals, scenario).await;
    until_free(&holder).await;
    let more = filler.try_lock(config("after", MINUTE)).await;
    assert!(matches!(more, Ok(Some(_))), "{more:?}");
}

/// A server with few connections, and those who take them all.
#[derive(Debug)]
struct Crowded(Place);

impl Crowded {
    async fn postgres() -> Result<Self, Unavailable> {
        let place = Place::postgres().await?;
        // Of the database, not of the server, which is others' too.
        let database = place.execute("SELECT current_database()").await;
        place
            .execute(&format!("ALTER DATABASE {database} CONNECTION LIMIT 8"))
            .await;
        Ok(Self(place))
    }

    async fn mariadb() -> Result<Self, Unavailable> {
        let server = MariaDb::start_with(&["--max-connections=10"]).await?;
        Ok(Self(Place::on_mariadb(server).await))
    }

    /// Connects until there is no connection left.
    async fn crowd<DB: SqlDatabase>(&self) -> Vec<DB::Connection> {
        let mut crowd = Vec::new();
        while let Ok(one) = DB::Connection::connect(&self.0.url).await {
            crowd.push(one);
            assert!(crowd.len() < 200, "there is no end");
        }
        crowd
    }
}

async fn d14_out_of_connections(crowded: Crowded) {
    if crowded.0.is_mariadb() {
        out_of_connections::<MySql>(&crowded).await;
    } else {
        out_of_connections::<sqlx::Postgres>(&crowded).await;
    }
}

/// Who has connections goes on; who has none is told, and works once there is one.
async fn out_of_connections<DB: SqlDatabase>(crowded: &Crowded) {
    let place = &crowded.0;
    let (holder, late) = (place.connect().await, place.connect_lazily());
    let body = async {
        let crowd = crowded.crowd::<DB>().await;
        println!("{} more connections", crowd.len());
        let error = must_fail(&late).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        for _ in 0..3 {
            until_longer().await;
        }
        assert!(lock::is_held());
        // At the end of each it is told.
        let closed = try_join_all(crowd.into_iter().map(sqlx::Connection::close)).await;
        closed.expect("they are ours");
        let skipped = until(async || super::run(&late).await.ok()).await;
        assert!(!skipped.was_executed());
    };
    let answer = in_time(Box::pin(kept_job(&holder, LONG, body))).await;
    assert!(matches!(answer, Ok(Outcome::Executed(()))), "{answer:?}");
    must_run(&late).await;
}

/// Waits for an extension as its holder sees it: to look at the row takes a connection.
async fn until_longer() {
    let end = || Instant::now() + lock::remaining().expect("it is held");
    let before = end() + Duration::from_millis(50);
    until(async || (end() > before).then_some(())).await;
}

/// The process that serves the node's connection is stopped for ten seconds. Calls end by their limits and go on with other
/// connections; what it grants when it goes on is taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d21_one_backend_stopped() {
    let server = server_or_skip!(Postgres::shared().await);
    let place = Place::on_postgres(server.clone()).await;
    in_time(Box::pin(async {
        let node = place.connect().await;
        must_run(&node).await;
        let stopped = server.backends(&place.url).await;
        for pid in &stopped {
            server.pause_backend(*pid).await.expect("it is ours");
        }
        let since = Instant::now();
        // Its limit is its lease's.
        let lease = Duration::from_secs(1);
        let answer = Box::pin(job(&node, lease, async {})).await;
        let took = since.elapsed();
        println!("{answer:?} after {took:?}");
        assert!(took < lease * 2 + LATENESS, "{took:?}");
        if let Err(error) = &answer {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        }
        let (crew, rivals) = (Crew::default(), place.nodes(2).await);
        let script = async {
            crew.until_skipped().await;
            while since.elapsed() < Duration::from_secs(10) {
                until_extended(&place).await;
            }
            for pid in &stopped {
                server.resume_backend(*pid).await.expect("it is ours");
            }
            crew.until_skipped().await;
            until_extended(&place).await;
            assert!(lock::is_held());
            assert_eq!(crew.runs(), 0, "it was held all the time");
        };
        let holder = until(async || {
            let fresh = place.connect().await;
            crate::support::is_free(&fresh, "job")
                .await
                .then_some(fresh)
        })
        .await;
        let scenario = async {
            crew.hold(&holder, LONG, script).await;
            crew.until_run().await;
        };
        crew.beside(&rivals, scenario).await;
        until_free(&node).await;
    }))
    .await;
}

/// The process that serves the holder's connection is stopped while it holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d21_the_holders_backend_stopped() {
    let server = server_or_skip!(Postgres::shared().await);
    let place = Place::on_postgres(server.clone()).await;
    in_time(Box::pin(async {
        let holder = place.connect().await;
        must_run(&holder).await;
        let crew = Crew::default();
        let rivals = [connect(&place.url).await];
        let script = async {
            crew.until_skipped().await;
            let all = server.backends(&place.url).await;
            // The oldest are the holder's.
            let pid = *all.first().expect("it is connected");
            server.pause_backend(pid).await.expect("it is ours");
            for _ in 0..3 {
                until_extended(&place).await;
            }
            server.resume_backend(pid).await.expect("it is ours");
            until_extended(&place).await;
            assert!(lock::is_held());
            assert_eq!(crew.runs(), 0, "it was held all the time");
        };
        let scenario = async {
            crew.hold(&holder, Duration::from_secs(6), script).await;
            crew.until_run().await;
        };
        crew.beside(&rivals, scenario).await;
    }))
    .await;
}

/// Threads cannot be stopped one by one: all of the server stands still, for less than the lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d21_all_of_mariadb_stopped() {
    let server = server_or_skip!(MariaDb::start().await);
    let place = Place::on_mariadb(server.clone()).await;
    in_time(Box::pin(async {
        let (holder, rivals) = (place.connect().await, place.nodes(2).await);
        let crew = Crew::default();
        let script = async {
            crew.until_skipped().await;
            server.pause().await.expect("it runs");
            crew.until_failed().await;
            server.resume().await.expect("it is paused");
            until_extended(&place).await;
            crew.until_skipped().await;
            assert!(lock::is_held());
            assert_eq!(crew.runs(), 0, "it was held all the time");
            let failures = crew.failures();
            assert!(failures.contains(&ErrorKind::Timeout), "{failures:?}");
        };
        let scenario = async {
            crew.hold(&holder, LONG, script).await;
            crew.until_run().await;
        };
        crew.beside(&rivals, scenario).await;
    }))
    .await;
}
