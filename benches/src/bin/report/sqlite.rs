//! SQLite: our provider against the same statements on the same handle of sqlx.

use std::path::Path;

use shedlock::LockProviderExt as _;
use shedlock_benches::rounds::{LEAST, Subject, interleave};
use shedlock_benches::table::{Goal, Table, Unit};
use shedlock_sql::Dialect;
use shedlock_sqlx::SqliteLockProvider;
use shedlock_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use shedlock_sqlx::sqlx::{self, Connection as _, Sqlite, SqliteConnection, SqlitePool};

use crate::clients::{Names, Ours, Work, configuration, rate, same_statements};

const DIALECT: Dialect = Dialect::Sqlite;

same_statements!(OnPool, Sqlite, SqlitePool, |pool| &*pool, i64::from);
same_statements!(
    OnConnection,
    Sqlite,
    SqliteConnection,
    |connection| &mut *connection,
    i64::from
);

pub(crate) fn measure() -> anyhow::Result<Vec<Table>> {
    let memory = Path::new("/dev/shm");
    // The code is measured, not the disk.
    let directory = if memory.is_dir() {
        tempfile::tempdir_in(memory)?
    } else {
        tempfile::tempdir()?
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let file = directory.path().join("shedlock.db");
    let url = format!("sqlite://{}", file.display());
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);

    let (holder, mut connected, mut on_connection, mut over_pool, mut on_pool) =
        runtime.block_on(async {
            let connection = SqliteConnection::connect_with(&options).await?;
            let provider = SqliteLockProvider::connect(&url).await?;
            provider.ensure_schema().await?;
            let held = provider.try_lock(configuration("refusal")).await?;
            let pool = SqlitePoolOptions::new()
                .min_connections(1)
                .max_connections(1)
                .connect_with(options)
                .await?;
            let pooled = SqliteLockProvider::new(pool.clone());
            anyhow::Ok((
                (provider.clone(), held),
                vec![Ours::new(provider, Names::one("cycle"))],
                vec![OnConnection::new(connection, "cycle")],
                vec![Ours::new(pooled, Names::one("cycle"))],
                vec![OnPool::new(pool, "cycle")],
            ))
        })?;
    let mut table = Table::new("SQLite (WAL, in memory files where there are such): cycles");
    let [bare, ours, bare_pool, ours_pool] = interleave(
        LEAST + 2,
        [
            Subject::new("bare", || rate(&runtime, &mut on_connection, Work::Cycles)),
            Subject::new("connect(url)", || {
                rate(&runtime, &mut connected, Work::Cycles)
            }),
            Subject::new("on pool", || rate(&runtime, &mut on_pool, Work::Cycles)),
            Subject::new("new(pool)", || rate(&runtime, &mut over_pool, Work::Cycles)),
        ],
    )?;
    table.row(
        "floor: the same statements on a kept connection",
        Unit::PerSecond,
        bare.median(),
        Goal::None,
    );
    let goal = Goal::AtLeast(0.95);
    table.row(
        "connect(url), of the floor",
        Unit::Ratio,
        ours.ratio_to(&bare),
        goal,
    );
    let what = "new(pool), of the same statements on that pool";
    table.row(what, Unit::Ratio, ours_pool.ratio_to(&bare_pool), goal);
    let (provider, held) = holder;
    let mut refused = vec![Ours::new(provider, Names::one("refusal"))];
    let [refused] = interleave(
        LEAST,
        [Subject::new("refused", || {
            rate(&runtime, &mut refused, Work::Refusals)
        })],
    )?;
    table.row(
        "refused, connect(url)",
        Unit::PerSecond,
        refused.median(),
        Goal::None,
    );
    runtime.block_on(async move { drop(held) });
    Ok(vec![table])
}
