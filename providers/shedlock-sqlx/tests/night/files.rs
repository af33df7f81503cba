//! F3 and F5: files of SQLite that are not the ones of that name any more, and databases that nobody else sees.

use std::path::{Path, PathBuf};

use shedlock_runtime::{
    Acquisition, ErrorKind, LockProvider as _, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_sqlx::SqliteLockProvider;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Executor as _, Sqlite, SqlitePool};
use tempfile::TempDir;

use crate::place::{Place, TestStore as _, Via};
use crate::support::{MINUTE, WORKS, ask, config, in_time, keep_for, limited, once, refused, take};

/// A file with the table, and nobody who has it open.
struct File {
    path: PathBuf,
    url: String,
    wal: bool,
    _directory: TempDir,
}

impl File {
    async fn new(wal: bool) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("locks.db");
        let file = Self {
            url: format!("sqlite://{}", path.display()),
            path,
            wal,
            _directory: directory,
        };
        file.make().await;
        file
    }

    /// Makes it as a process does that starts now.
    async fn make(&self) {
        let options: SqliteConnectOptions = self.url.parse().expect("a valid URL");
        let pool = SqlitePool::connect_with(options.create_if_missing(true));
        let pool = pool.await.expect("it can be made");
        if self.wal {
            let set = Sqlite::run(&pool, "PRAGMA journal_mode = WAL").await;
            set.expect("it is a file");
        }
        let maker = SqliteLockProvider::new(pool.clone());
        maker.ensure_schema().await.expect("the table is made");
        pool.close().await;
    }

    fn delete(&self) {
        for end in ["", "-wal", "-shm", "-journal"] {
            drop(std::fs::remove_file(with(&self.path, end)));
        }
    }

    /// Puts another file of that name in its place at once, as who restores a backup does.
    async fn replace(&self) {
        let other = Self::new(self.wal).await;
        for end in ["-wal", "-shm", "-journal"] {
            drop(std::fs::remove_file(with(&self.path, end)));
        }
        std::fs::rename(&other.path, &self.path).expect("on one file system");
    }

    fn node(&self, via: Via) -> SqliteLockProvider {
        let builder = match via {
            Via::Url => SqliteLockProvider::builder_from_url(&self.url),
            Via::Pool => {
                let pool = SqlitePoolOptions::new().max_connections(3);
                SqliteLockProvider::builder(pool.connect_lazy(&self.url).expect("a valid URL"))
            }
        };
        builder.build().expect("legal options")
    }
}

fn with(path: &Path, end: &str) -> String {
    format!("{}{end}", path.display())
}

/// A test for each way to a file, with each kind of journal.
macro_rules! each_way {
    ($($test:ident)+) => {$(
        mod $test {
            use crate::place::Via;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn url_with_rollback_journal() {
                super::in_time(super::$test(Via::Url, false)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn url_with_wal() {
                super::in_time(super::$test(Via::Url, true)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn pool_with_rollback_journal() {
                super::in_time(super::$test(Via::Pool, false)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn pool_with_wal() {
                super::in_time(super::$test(Via::Pool, true)).await;
            }
        }
    )+};
}

each_way! {
    the_file_is_deleted_and_made_anew
    the_file_is_replaced
    the_holders_file_is_deleted
    the_holders_file_is_replaced
    the_new_file_has_no_table
}

async fn the_file_is_deleted_and_made_anew(via: Via, wal: bool) {
    let file = File::new(wal).await;
    exclude_one_another(&file, via, async || {
        file.delete();
        file.make().await;
    })
    .await;
}

async fn the_file_is_replaced(via: Via, wal: bool) {
    let file = File::new(wal).await;
    exclude_one_another(&file, via, async || file.replace().await).await;
}

async fn exclude_one_another(file: &File, via: Via, replace: impl AsyncFn()) {
    let old = file.node(via);
    assert_eq!(once(&old, "a").await, WORKS);
    replace().await;
    let new = file.node(via);
    let lease = take(&new, "a").await;
    assert_eq!(refused(&old, "a").await.reason, SkipReason::Held);
    let released = new.release(&lease, keep_for(&new, &lease)).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
    let _lease = take(&old, "a").await;
    assert_eq!(refused(&new, "a").await.reason, SkipReason::Held);
    // And the other way about: the old node is the first to come after it.
    let holder = take(&old, "b").await;
    replace().await;
    let _lease = take(&old, "b").await;
    assert_eq!(refused(&new, "b").await.reason, SkipReason::Held);
    let lost = limited(old.release(&holder, keep_for(&old, &holder))).await;
    assert_eq!(lost.expect("an answer"), Ownership::Lost);
    assert_eq!(refused(&new, "b").await.reason, SkipReason::Held);
}

async fn the_holders_file_is_deleted(via: Via, wal: bool) {
    let file = File::new(wal).await;
    is_told_that_it_is_lost(&file, via, async || {
        file.delete();
        file.make().await;
    })
    .await;
}

async fn the_holders_file_is_replaced(via: Via, wal: bool) {
    let file = File::new(wal).await;
    is_told_that_it_is_lost(&file, via, async || file.replace().await).await;
}

async fn is_told_that_it_is_lost(file: &File, via: Via, replace: impl AsyncFn()) {
    let old = file.node(via);
    let (extending, releasing) = (take(&old, "a").await, take(&old, "b").await);
    replace().await;
    let extended = limited(old.extend(&extending, MINUTE)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Lost);
    assert_eq!(once(&file.node(Via::Url), "a").await, WORKS);
    replace().await;
    let released = limited(old.release(&releasing, keep_for(&old, &releasing))).await;
    assert_eq!(released.expect("an answer"), Ownership::Lost);
    assert_eq!(once(&old, "b").await, WORKS);
}

async fn the_new_file_has_no_table(via: Via, wal: bool) {
    let file = File::new(wal).await;
    let old = file.node(via);
    assert_eq!(once(&old, "a").await, WORKS);
    file.delete();
    // SQLite takes an empty file for an empty database.
    std::fs::write(&file.path, "").expect("it can be made");
    let asked = in_time(old.try_lock(config("a"))).await;
    let error = asked.expect_err("there is no table");
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    in_time(old.ensure_schema()).await.expect("it is made");
    assert_eq!(once(&old, "a").await, WORKS);
    assert_eq!(once(&file.node(Via::Url), "a").await, WORKS);
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS shedlock (name TEXT PRIMARY KEY, \
     lock_until INTEGER NOT NULL, locked_at INTEGER NOT NULL, locked_by TEXT NOT NULL, \
     fencing_token INTEGER NOT NULL DEFAULT 0)";

/// Each connection makes the table, as programs' migrations do.
async fn with_table(options: SqliteConnectOptions, size: u32) -> SqlitePool {
    let pool = SqlitePoolOptions::new()
        .max_connections(size)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(TABLE).await.map(drop) })
        });
    let pool = pool.connect_with(options.create_if_missing(true)).await;
    pool.expect("it can be opened")
}

/// So many are granted one lock at once, and the errors of the others.
async fn race(node: &SqliteLockProvider) -> (usize, Vec<shedlock_runtime::LockError>) {
    let asking = (0..4).map(|_| {
        let node = node.clone();
        tokio::spawn(async move { ask(&node, "a").await })
    });
    let (mut granted, mut errors) = (0, Vec::new());
    for asked in asking.collect::<Vec<_>>() {
        match asked.await.expect("no panic") {
            Ok(Acquisition::Granted(_)) => granted += 1,
            Ok(Acquisition::Refused(_)) => {}
            Err(error) => errors.push(error),
        }
    }
    (granted, errors)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_each_connections_own_is_refused() {
    let named = |filename| SqliteConnectOptions::new().filename(filename);
    // SQLite shares what is in memory only by a name that begins with `file:`.
    let not_shared = "sqlite://night?mode=memory&cache=shared".parse();
    for options in [
        named(""),
        named(":memory:"),
        not_shared.expect("a valid URL"),
    ] {
        let name = options.get_filename().display().to_string();
        let node = SqliteLockProvider::new(with_table(options, 4).await);
        let first = in_time(node.try_lock(config("first"))).await;
        let error = first.expect_err("nobody else would see it");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{name}: {error}");
        let (granted, errors) = race(&node).await;
        assert_eq!(granted, 0, "{name}: {errors:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_in_memory_works() {
    for filename in ["", ":memory:"] {
        let options = SqliteConnectOptions::new().filename(filename);
        let node = SqliteLockProvider::new(with_table(options, 1).await);
        assert_eq!(once(&node, "a").await, WORKS);
        let (granted, errors) = race(&node).await;
        assert_eq!(granted, 1, "{errors:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_database_in_memory_works() {
    let named = "sqlite://file:night?mode=memory&cache=shared";
    for url in ["sqlite::memory:", named] {
        let options = url.parse().expect("a valid URL");
        let node = SqliteLockProvider::new(with_table(options, 4).await);
        assert_eq!(once(&node, "a").await, WORKS, "{url}");
        let (granted, errors) = race(&node).await;
        assert_eq!((granted, errors.len()), (1, 0), "{url}: {errors:?}");
    }
    let place: Place<Sqlite> = crate::support::sqlite().await.expect("a file");
    let (granted, errors) = race(&place.provider(Via::Pool)).await;
    assert_eq!(granted, 1, "{errors:?}");
}

/// Restored badly, or named by mistake.
#[tokio::test]
async fn a_file_that_is_no_database_is_told() {
    let file = File::new(false).await;
    std::fs::write(
        &file.path,
        "These are the minutes of a meeting.\n".repeat(99),
    )
    .expect("written");
    let pool = SqlitePool::connect_lazy(&file.url).expect("a valid URL");
    let own = SqliteLockProvider::builder_from_url(&file.url).build();
    for node in [SqliteLockProvider::new(pool), own.expect("valid options")] {
        let error = ask(&node, "a").await.expect_err("it keeps no locks");
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        let told = "name the database's file in the connection URL";
        assert!(error.to_string().contains(told), "{error}");
    }
}
