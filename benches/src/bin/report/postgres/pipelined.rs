//! How fast: the provider over tokio-postgres, whose tasks share one connection, against the same statements on as many connections, and on
//! one that is shared in the same way.

use std::sync::Arc;

use shedlock::LockProviderExt as _;
use shedlock_benches::rounds::{LEAST, Subject, interleave};
use shedlock_benches::table::{Goal, Table, Unit};
use shedlock_postgres::PostgresLockProvider;
use tokio::runtime::Runtime;

use super::bare::{self, Bare, OurStatements};
use crate::clients::{Names, Ours, Work, configuration, own, rate, runtime_for};

/// As many tasks, and for the floors as many connections.
const TASKS: [usize; 3] = [1, 8, 64];

struct Clients {
    bare: Vec<Bare>,
    floor: Vec<OurStatements>,
    shared: Vec<OurStatements>,
    connected: Vec<Ours<PostgresLockProvider>>,
}

impl Clients {
    async fn connect(url: &str, names: &[String]) -> anyhow::Result<Self> {
        let provider = PostgresLockProvider::connect(url).await?;
        let shared = bare::connect(url).await?;
        let mut clients = Self {
            bare: Vec::new(),
            floor: Vec::new(),
            shared: Vec::new(),
            connected: Vec::new(),
        };
        for name in names {
            let updated = own("bare", name);
            // The UPDATE of the bare client needs a row.
            drop(provider.try_lock(configuration(&updated)).await?);
            clients.bare.push(Bare::connect(url, &updated).await?);
            let alone = OurStatements::connect(url, &own("floor", name)).await?;
            clients.floor.push(alone);
            let on_one = OurStatements::on(Arc::clone(&shared), &own("shared", name)).await?;
            clients.shared.push(on_one);
            let names = Names::one(&own("connected", name));
            clients.connected.push(Ours::new(provider.clone(), names));
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
        Subject::new("shared", || {
            rate(runtime, &mut clients.shared, Work::Cycles)
        }),
        Subject::new("connect(url)", || {
            rate(runtime, &mut clients.connected, Work::Cycles)
        }),
    ];
    let [bare, floor, shared, connected] = interleave(LEAST + 4, subjects)?;
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
        format!("{who}, connect(url), of the same texts on one connection"),
        Unit::Ratio,
        connected.ratio_to(&shared),
        Goal::None,
    );
    table.row(
        format!("{who}, connect(url), of two bare UPDATEs on as many connections"),
        Unit::Ratio,
        connected.ratio_to(&bare),
        Goal::None,
    );
    Ok(())
}
