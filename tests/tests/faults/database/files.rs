//! D20: SQLite, whose server is the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use shedlock::{ErrorKind, Outcome};
use shedlock_sqlx::SqliteLockProvider;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{AssertSqlSafe, Connection as _};

use super::{Crew, LONG, must_fail, must_lose, must_run};
use crate::support::{Child, Locks, Place, Scenario, connect, in_time, nanos, take};

/// Each with the journal of its own.
async fn journals(test: impl AsyncFn(Place)) {
    for journal in ["wal", "delete"] {
        let place = Place::sqlite().await.expect("a file");
        place
            .execute(&format!("PRAGMA journal_mode = {journal}"))
            .await;
        in_time(test(place)).await;
    }
}

/// A holder in another process, and then none: what is waited for is its end, and not its lease's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_two_processes() {
    journals(async |place| {
        let mut child = Child::start(Scenario::KeepAlive, &place.url, Duration::from_secs(2));
        child.until_at_work().await;
        let (crew, rivals) = (Crew::default(), place.nodes(2).await);
        let scenario = async {
            // The rivals begin.
            crew.work("beginning".to_owned(), async {}).await;
            for _ in 0..5 {
                crew.until_skipped().await;
            }
            assert_eq!(crew.runs(), 0, "it is the child's");
            child.tell_to_stop();
            crew.until_run().await;
        };
        crew.beside(&rivals, scenario).await;
        child.ended().await;
        assert_eq!(child.count("executed"), 1, "{:?}", child.notes());
    })
    .await;
}

/// A holder in another process is killed: its lease is waited for, and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_a_killed_process() {
    journals(async |place| {
        // A file of its own: what rivals that were dropped had on their way would keep the child from its lock.
        let rival = place.connect().await;
        let mut child = Child::start(Scenario::KeepAlive, &place.url, Duration::from_secs(1));
        child.until_at_work().await;
        let dead = child.kill().await;
        let (lock, granted) = take(&rival, "job", LONG).await;
        assert!(child.last_step() <= granted);
        assert!(
            granted < dead + nanos(Duration::from_secs(4)),
            "blocked too long"
        );
        lock.unlock().await.expect("the file is there");
    })
    .await;
}

/// A backup that is restored over the file that is open: the holder is told, and nobody goes on in the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_file_replaced_while_held() {
    journals(async |place| {
        let (holder, heir) = (place.connect().await, place.connect().await);
        must_run(&heir).await;
        must_lose(&holder, async |_| {
            replace(&path_of(&place)).await;
            must_run(&heir).await;
        })
        .await;
        // Both are in the new file.
        let held = Box::pin(super::job(&holder, LONG, async {
            super::run(&heir).await.expect("no error").was_executed()
        }));
        assert!(matches!(held.await, Ok(Outcome::Executed(false))));
    })
    .await;
}

fn path_of(place: &Place) -> PathBuf {
    Path::new(place.url.trim_start_matches("sqlite://")).to_owned()
}

/// Puts another file with an empty table in the place of this one.
async fn replace(path: &Path) {
    let other = path.with_extension("other");
    let url = format!("sqlite://{}", other.display());
    drop(connect(&url).await);
    // One file, whatever its journal.
    let mut connection = sqlx::SqliteConnection::connect(&url).await.expect("there");
    let whole = sqlx::raw_sql(AssertSqlSafe("PRAGMA journal_mode = delete".to_owned()));
    whole.execute(&mut connection).await.expect("it is ours");
    connection.close().await.expect("it is ours");
    for journal in ["-wal", "-shm", "-journal"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(journal);
        // Not each of them is there.
        let _gone = std::fs::remove_file(beside);
    }
    std::fs::rename(other, path).expect("the folder is ours");
}

/// A writer who stays for a while is waited for, and one who stays is told of, in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_a_writer_in_another_program() {
    journals(async |place| {
        let locks = place.connect().await;
        must_run(&locks).await;
        let writer = sqlx::SqliteConnection::connect(&place.url).await;
        let mut writer = writer.expect("the file is there");
        let write = writer.begin_with("BEGIN IMMEDIATE").await.expect("free");
        let patient = tokio::join!(Box::pin(super::run(&locks)), async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            write.rollback().await.expect("it is ours");
        });
        assert!(
            matches!(patient.0, Ok(Outcome::Executed(()))),
            "{patient:?}"
        );
        let write = writer.begin_with("BEGIN IMMEDIATE").await.expect("free");
        let asked = std::time::Instant::now();
        let lease = Duration::from_millis(500);
        let body = async { panic!("it cannot be written") };
        let answer: Result<Outcome<()>, _> = Box::pin(super::job(&locks, lease, body)).await;
        println!("{answer:?} after {:?}", asked.elapsed());
        assert!(asked.elapsed() < lease + Duration::from_secs(1));
        write.rollback().await.expect("it is ours");
        must_run(&locks).await;
    })
    .await;
}

/// A database that nobody else sees locks nobody out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d20_in_memory_of_each_connection() {
    let pool = SqlitePoolOptions::new().max_connections(3);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(":memory:");
    let pool = pool.connect_with(options).await.expect("in memory");
    let provider = SqliteLockProvider::new(pool);
    provider.ensure_schema().await.ok();
    let locks: Locks = std::sync::Arc::new(provider);
    let error = must_fail(&locks).await;
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
}
