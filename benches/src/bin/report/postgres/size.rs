//! What the table's size and its updates do: a million rows, and updates that touch no index.

use std::time::Duration;

use shedlock_benches::rounds::{LEAST, Subject, interleave};
use shedlock_benches::table::{Goal, Table, Unit};
use shedlock_sqlx::PostgresLockProvider;
use shedlock_testkit::servers::Postgres;
use tokio::runtime::Runtime;

use crate::clients::{Client as _, Names, Ours, Work, rate};

const MILLION: u32 = 1_000_000;
const NAMES: u32 = 10_000;
const CYCLES: u32 = 10_000;

pub(super) fn measure(runtime: &Runtime, server: &Postgres, url: &str) -> anyhow::Result<Table> {
    let mut table = Table::new("PostgreSQL: the table that ensure_schema makes");
    many_rows(runtime, server, url, &mut table)?;
    for names in [1, NAMES] {
        let share = runtime.block_on(hot_updates(server, url, names))?;
        table.row(
            format!("HOT updates, {names} names"),
            Unit::Percent,
            share,
            Goal::AtLeast(98.0),
        );
    }
    Ok(table)
}

fn many_rows(
    runtime: &Runtime,
    server: &Postgres,
    url: &str,
    table: &mut Table,
) -> anyhow::Result<()> {
    // On this thread, as everywhere with one client.
    let one = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(fill(server, url, "one_row", 1))?;
    runtime.block_on(fill(server, url, "million_rows", MILLION))?;
    let client = |table: &str, rows| -> anyhow::Result<_> {
        let builder = PostgresLockProvider::builder_from_url(url).table_name(table);
        let provider = one.block_on(builder.connect())?;
        Ok(vec![Ours::new(provider, Names::Many(rows))])
    };
    let (mut few, mut many) = (client("one_row", 1)?, client("million_rows", MILLION)?);
    let [few, many] = interleave(
        LEAST + 2,
        [
            Subject::new("one row", || rate(&one, &mut few, Work::Cycles)),
            Subject::new("a million rows", || rate(&one, &mut many, Work::Cycles)),
        ],
    )?;
    table.row("cycles, one row", Unit::PerSecond, few.median(), Goal::None);
    let goal = Goal::AtLeast(0.65);
    table.row(
        "cycles on any of a million rows, of those on one",
        Unit::Ratio,
        many.ratio_to(&few),
        goal,
    );
    Ok(())
}

/// Makes a table as a program would, with `rows` free locks in it.
async fn fill(server: &Postgres, url: &str, table: &str, rows: u32) -> anyhow::Result<()> {
    let builder = PostgresLockProvider::builder_from_url(url).table_name(table);
    builder.connect().await?.ensure_schema().await?;
    let insert = format!(
        "INSERT INTO {table} (name, lock_until, locked_at, locked_by) \
         SELECT 'name-' || n, timezone('utc', now()), timezone('utc', now()), 'nobody' \
         FROM generate_series(0, {rows} - 1) AS n;
         VACUUM ANALYZE {table};"
    );
    server.execute(url, &insert).await;
    Ok(())
}

/// The percentage of updates that touched no index.
async fn hot_updates(server: &Postgres, url: &str, names: u32) -> anyhow::Result<f64> {
    let table = format!("hot_{names}");
    fill(server, url, &table, names).await?;
    let builder = PostgresLockProvider::builder_from_url(url).table_name(&table);
    let mut client = Ours::new(builder.connect().await?, Names::Many(names));
    for _ in 0..CYCLES {
        client.cycle().await?;
    }
    // A session reports its counts when it ends, at the latest.
    drop(client);
    let counted = async {
        loop {
            let updates = format!(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '{table}'"
            );
            let answer = server.execute(url, &updates).await;
            let figures: Option<Vec<f64>> = answer
                .trim()
                .split('|')
                .map(|figure| figure.parse().ok())
                .collect();
            if let Some([all, hot]) = figures.as_deref()
                && *all >= f64::from(2 * CYCLES)
            {
                return hot / all * 100.0;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    Ok(tokio::time::timeout(Duration::from_secs(30), counted).await?)
}
