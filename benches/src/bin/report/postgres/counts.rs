//! What each operation costs the server, counted: statements, round trips, bytes of WAL.

use shedlock::LockProviderExt as _;
use shedlock_benches::table::{Goal, Table, Unit};
use shedlock_sqlx::PostgresLockProvider;
use shedlock_testkit::Proxy;
use shedlock_testkit::servers::Postgres;

use crate::clients::{Client, Names, Ours, configuration};

/// Over so many operations that a stray record of the server's own shows as a fraction.
const OPERATIONS: u32 = 200;
/// The server writes a record of its own now and then; the least of three counts is without.
const TRIES: usize = 3;

/// Counts per operation.
struct Counts {
    statements: f64,
    round_trips: f64,
    wal_bytes: f64,
}

pub(super) async fn measure(server: &Postgres, url: &str) -> anyhow::Result<Table> {
    let proxy = Proxy::start(server.address()).await?;
    let through = proxy.url(url);
    let holder = PostgresLockProvider::connect(url).await?;
    let held = holder.try_lock(configuration("counted-refusal")).await?;
    let mut table = Table::new("PostgreSQL: counts per operation, connect(url)");

    let provider = PostgresLockProvider::connect(&through).await?;
    let mut client = Ours::new(provider, Names::one("counted-cycle"));
    client.cycle().await?;
    let granted = least(server, &proxy, OPERATIONS, async |n| {
        for _ in 0..n {
            client.cycle().await?;
        }
        Ok(())
    })
    .await?;
    rows(
        &mut table,
        "granted cycle",
        &granted,
        [2.0, 2.0],
        Goal::None,
    );

    let provider = PostgresLockProvider::connect(&through).await?;
    let mut client = Ours::new(provider, Names::one("counted-refusal"));
    client.refusal().await?;
    let refused = least(server, &proxy, OPERATIONS, async |n| {
        for _ in 0..n {
            client.refusal().await?;
        }
        Ok(())
    })
    .await?;
    rows(
        &mut table,
        "refusal",
        &refused,
        [1.0, 1.0],
        Goal::Exactly(0.0),
    );

    let mut fresh = Vec::new();
    for _ in 0..TRIES {
        let provider = PostgresLockProvider::connect(&through).await?;
        fresh.push(Ours::new(provider, Names::one("counted-refusal")));
    }
    let first = least(server, &proxy, 1, async |_| {
        let mut client = fresh.pop().expect("there is one for each try");
        client.refusal().await
    })
    .await?;
    let what = "first refusal of a process";
    let goal = Goal::Exactly(1.0);
    table.row(
        format!("{what}: statements"),
        Unit::Count,
        first.statements,
        goal,
    );
    table.row(
        format!("{what}: bytes of WAL"),
        Unit::Count,
        first.wal_bytes,
        Goal::Exactly(0.0),
    );
    let what = format!("{what}: round trips, preparing the statement included");
    table.row(what, Unit::Count, first.round_trips, Goal::None);
    drop(held);
    Ok(table)
}

fn rows(table: &mut Table, what: &str, counts: &Counts, [statements, trips]: [f64; 2], wal: Goal) {
    let mut row = |unit: &str, figure, goal| {
        table.row(format!("{what}: {unit}"), Unit::Count, figure, goal);
    };
    row("statements", counts.statements, Goal::Exactly(statements));
    row("round trips", counts.round_trips, Goal::Exactly(trips));
    row("bytes of WAL", counts.wal_bytes, wal);
}

async fn least(
    server: &Postgres,
    proxy: &Proxy,
    operations: u32,
    mut run: impl AsyncFnMut(u32) -> anyhow::Result<()>,
) -> anyhow::Result<Counts> {
    let mut counts: Option<Counts> = None;
    for _ in 0..TRIES {
        reset(server).await;
        let (trips, wal) = (proxy.counters().round_trips, wal_position(server).await?);
        run(operations).await?;
        let wal = wal_position(server).await? - wal;
        let trips = u32::try_from(proxy.counters().round_trips - trips)?;
        let per_operation = |n: f64| n / f64::from(operations);
        let now = Counts {
            statements: per_operation(statements(server).await?),
            round_trips: per_operation(trips.into()),
            wal_bytes: per_operation(wal),
        };
        counts = Some(match counts.take() {
            Some(before) if before.wal_bytes <= now.wal_bytes => before,
            _ => now,
        });
    }
    Ok(counts.expect("there was a try"))
}

/// Forgets the statements counted so far.
pub(super) async fn reset(server: &Postgres) {
    let reset = "SELECT pg_stat_statements_reset()";
    server.execute(&server.admin_url(), reset).await;
}

/// How many statements all databases but the one that this asks in have carried out.
pub(super) async fn statements(server: &Postgres) -> anyhow::Result<f64> {
    let count = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements \
         WHERE dbid <> (SELECT oid FROM pg_database WHERE datname = current_database())";
    Ok(server
        .execute(&server.admin_url(), count)
        .await
        .trim()
        .parse()?)
}

async fn wal_position(server: &Postgres) -> anyhow::Result<f64> {
    let position = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')";
    Ok(server
        .execute(&server.admin_url(), position)
        .await
        .trim()
        .parse()?)
}
