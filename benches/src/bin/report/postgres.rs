//! PostgreSQL: a real server, started for this run.

mod bare;
mod counts;
mod crowd;
mod pipelined;
mod size;
mod speed;

use anyhow::anyhow;
use shedlock_benches::table::Table;
use shedlock_sqlx::PostgresLockProvider;
use shedlock_testkit::servers::Postgres;
use tokio::runtime::Runtime;

/// The code is measured, not the disk; and nothing else writes while bytes are counted.
const SETTINGS: &[&str] = &[
    "-c",
    "shared_preload_libraries=pg_stat_statements",
    "-c",
    "synchronous_commit=off",
    "-c",
    "autovacuum=off",
    "-c",
    "max_wal_size=4GB",
    // The floors of 64 tasks have a connection for each.
    "-c",
    "max_connections=200",
    "-c",
    "checkpoint_timeout=1h",
    // A million rows fit: their number is measured, not the cache.
    "-c",
    "shared_buffers=512MB",
];

/// Everything about PostgreSQL.
pub(crate) fn measure() -> anyhow::Result<Vec<Table>> {
    with_server(|runtime, server, url| {
        Ok(vec![
            runtime.block_on(counts::measure(server, url))?,
            speed::measure(url)?,
            pipelined::measure(url)?,
            runtime.block_on(crowd::measure(server, url))?,
            size::measure(runtime, server, url)?,
        ])
    })
}

/// The provider over tokio-postgres alone.
pub(crate) fn measure_pipelined() -> anyhow::Result<Vec<Table>> {
    with_server(|_runtime, _server, url| Ok(vec![pipelined::measure(url)?]))
}

fn with_server(
    measure: impl FnOnce(&Runtime, &Postgres, &str) -> anyhow::Result<Vec<Table>>,
) -> anyhow::Result<Vec<Table>> {
    // The server's helpers run beside the subjects, on threads of their own.
    let runtime = Runtime::new()?;
    let server = runtime
        .block_on(Postgres::start_with(SETTINGS))
        .map_err(|missing| anyhow!("no PostgreSQL: {missing}"))?;
    let url = runtime.block_on(async {
        let url = server.fresh_database().await;
        server
            .execute(&server.admin_url(), "CREATE EXTENSION pg_stat_statements")
            .await;
        let provider = PostgresLockProvider::connect(&url).await?;
        provider.ensure_schema().await?;
        anyhow::Ok(url)
    })?;
    measure(&runtime, &server, &url)
}
