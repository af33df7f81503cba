//! How fast: the provider over tokio-postgres, whose tasks share one connection, against the same statements on as many connections.

use shedlock::LockProviderExt as _;
use shedlock_benches::rounds::{LEAST, Subject, interleave};
use shedlock_benches::table::{Goal, Table, Unit};
use shedlock_postgres::PostgresLockProvider;
use tokio::runtime::Runtime;

use super::bare::{Bare, OurStatements};
use crate::clients::{Names, Ours, Work, configuration, rate, runtime_for};

/// As many tasks, and for the floors as many connections.
const TASKS: [usize; 3] = [1, 8, 64];

struct Clients {
    bare: Vec<Bare>,
    floor: Vec<OurStatements>,
    connected: Vec<Ours<PostgresLockProvider>>,
}

impl Clients {
    async fn connect(url: &str, names: &[String]) -> anyhow::Result<Self> {
        let provider = PostgresLockProvider::connect(url).await?;
        let mut clients = Self {
            bare: Vec::new(),
            floor: Vec::new(),
            connected: Vec::new(),
        };
        for name in names {
            // The UPDATE of the bare client needs a row.
            drop(provider.try_lock(configuration(name)).await?);
            clients.bare.push(Bare::connect(url, name).await?);
            clients.floor.push(OurStatements::connect(url, name).await?);
            let ours = Ours::new(provider.clone(), Names::one(name));
            clients.connected.push(ours);
        }
        Ok(clients)
    }
}

pub(super) fn measure(url: &str) -> anyhow::Result<Table> {
    let mut table = Table::new("PostgreSQL over tokio-postgres: tasks on one connection");
    for tasks in TASKS {
        let runtime = runtime_for(tasks)?;
        cycles(&runtime, url, tasks, &mut table)?;
    }
    Ok(table)
}

fn cycles(runtime: &Runtime, url: &str, tasks: usize, table: &mut Table) -> anyhow::Result<()> {
    let names: Vec<_> = (0..tasks).map(|n| format!("piped-{tasks}-{n}")).collect();
    let mut clients = runtime.block_on(Clients::connect(url, &names))?;
    let subjects = [
        Subject::new("bare", || rate(runtime, &mut clients.bare, Work::Cycles)),
        Subject::new("floor", || rate(runtime, &mut clients.floor, Work::Cycles)),
        Subject::new("connect(url)", || {
            rate(runtime, &mut clients.connected, Work::Cycles)
        }),
    ];
    let [bare, floor, connected] = interleave(LEAST + 4, subjects)?;
    let (who, goal) = match tasks {
        1 => ("one task".to_owned(), 0.90),
        _ => (format!("{tasks} tasks"), 1.0),
    };
    table.row(
        format!("{who}, floor: the same texts on as many connections"),
        Unit::PerSecond,
        floor.median(),
        Goal::None,
    );
    table.row(
        format!("{who}, connect(url), of the floor"),
        Unit::Ratio,
        connected.ratio_to(&floor),
        Goal::AtLeast(goal),
    );
    table.row(
        format!("{who}, connect(url), of two bare UPDATEs on as many connections"),
        Unit::Ratio,
        connected.ratio_to(&bare),
        Goal::None,
    );
    Ok(())
}
