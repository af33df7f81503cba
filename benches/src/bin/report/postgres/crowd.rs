//! A thousand contenders for one fresh name, through ten connections.

use std::sync::Arc;
use std::time::Instant;

use shedlock::{Lock, LockProviderExt as _};
use shedlock_benches::table::{Goal, Table, Unit};
use shedlock_sqlx::PostgresLockProvider;
use shedlock_sqlx::sqlx::postgres::PgPoolOptions;
use shedlock_testkit::servers::Postgres;
use tokio::sync::Barrier;

use super::counts;
use crate::clients::configuration;

const CONTENDERS: usize = 1_000;
const ROUNDS: usize = 5;

pub(super) async fn measure(server: &Postgres, url: &str) -> anyhow::Result<Table> {
    let mut table = Table::new("PostgreSQL: 1,000 contenders for one fresh name");
    let pool = PgPoolOptions::new()
        .min_connections(10)
        .max_connections(10)
        .connect(url)
        .await?;
    let ten = PostgresLockProvider::new(pool);
    let own = PostgresLockProvider::connect(url).await?;
    for (what, provider) in [("new(pool of 10)", ten), ("connect(url)", own)] {
        let mut bursts = Vec::new();
        for round in 0..=ROUNDS {
            counts::reset(server).await;
            let (burst, held) = burst(&provider, &format!("{what} {round}")).await?;
            let asked = counts::statements(server).await?;
            for lock in held {
                lock.unlock().await?;
            }
            // The first one prepares the statements.
            if round > 0 {
                bursts.push((asked, burst));
            }
        }
        let most = |figure: fn(&(f64, Burst)) -> f64| bursts.iter().map(figure).fold(0.0, f64::max);
        let row = |table: &mut Table, unit: &str, kind, figure, goal| {
            table.row(format!("{what}: {unit}"), kind, figure, goal);
        };
        let grants = bursts.iter().map(|(_, burst)| burst.grants).sum::<u32>();
        let per_round = f64::from(grants) / f64::from(u32::try_from(ROUNDS)?);
        row(
            &mut table,
            "grants",
            Unit::Count,
            per_round,
            Goal::Exactly(1.0),
        );
        let goal = Goal::AtMost(1_000.0);
        row(
            &mut table,
            "statements, at most",
            Unit::Count,
            most(|(n, _)| *n),
            goal,
        );
        let longest = most(|(_, burst)| burst.millis);
        row(
            &mut table,
            "until all had their answer, at most",
            Unit::Millis,
            longest,
            Goal::None,
        );
    }
    Ok(table)
}

struct Burst {
    grants: u32,
    millis: f64,
}

/// All ask at once; whoever gets the lock keeps it until all have their answer.
async fn burst(provider: &PostgresLockProvider, name: &str) -> anyhow::Result<(Burst, Vec<Lock>)> {
    let start = Arc::new(Barrier::new(CONTENDERS + 1));
    let contenders: Vec<_> = (0..CONTENDERS)
        .map(|_| {
            let (provider, start) = (provider.clone(), Arc::clone(&start));
            let configuration = configuration(name);
            tokio::spawn(async move {
                start.wait().await;
                provider.try_lock(configuration).await
            })
        })
        .collect();
    start.wait().await;
    let started = Instant::now();
    let mut held = Vec::new();
    for contender in contenders {
        held.extend(contender.await??);
    }
    let millis = started.elapsed().as_secs_f64() * 1e3;
    let grants = u32::try_from(held.len())?;
    Ok((Burst { grants, millis }, held))
}
