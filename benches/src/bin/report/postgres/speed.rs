//! How fast: our provider against the bare statements, and over a pool against the same statements on that pool.

use anyhow::Context as _;
use shedlock::{Lock, LockProviderExt as _};
use shedlock_benches::rounds::{LEAST, Series, Subject, interleave};
use shedlock_benches::table::{Goal, Table, Unit};
use shedlock_sqlx::PostgresLockProvider;
use shedlock_sqlx::sqlx::PgPool;
use shedlock_sqlx::sqlx::postgres::PgPoolOptions;
use tokio::runtime::Runtime;

use super::bare::{Bare, OnPool, OurStatements};
use crate::clients::{Client, Names, Ours, Work, configuration, own, rate};

/// So many clients use so many connections of the floor and of the pool.
struct Clients {
    /// The locks that they ask for.
    locks: Vec<Lock>,
    bare: Vec<Bare>,
    ours: Vec<OurStatements>,
    connected: Vec<Ours<PostgresLockProvider>>,
    on_pool: Vec<OnPool>,
    over_pool: Vec<Ours<PostgresLockProvider>>,
}

impl Clients {
    /// One client for each of `names`.
    async fn connect(url: &str, names: &[String]) -> anyhow::Result<Self> {
        let provider = PostgresLockProvider::connect(url).await?;
        let size = u32::try_from(names.len())?;
        let pool: PgPool = PgPoolOptions::new()
            .min_connections(size)
            .max_connections(size)
            .connect(url)
            .await?;
        let over_pool = PostgresLockProvider::new(pool.clone());
        let mut clients = Self {
            locks: Vec::new(),
            bare: Vec::new(),
            ours: Vec::new(),
            connected: Vec::new(),
            on_pool: Vec::new(),
            over_pool: Vec::new(),
        };
        for name in names {
            let [bare, ours, connected, on_pool, over_pool_name] =
                ["bare", "ours", "connected", "on_pool", "over_pool"].map(|who| own(who, name));
            for name in [&bare, &ours, &connected, &on_pool, &over_pool_name] {
                let lock = provider.try_lock(configuration(name)).await?;
                clients
                    .locks
                    .push(lock.context("nobody else asks for this lock")?);
            }
            let of = |provider: &PostgresLockProvider, name| {
                Ours::new(provider.clone(), Names::one(name))
            };
            clients.bare.push(Bare::connect(url, &bare).await?);
            clients.ours.push(OurStatements::connect(url, &ours).await?);
            clients.connected.push(of(&provider, &connected));
            clients.on_pool.push(OnPool::new(pool.clone(), &on_pool));
            clients.over_pool.push(of(&over_pool, &over_pool_name));
        }
        Ok(clients)
    }
}

pub(super) fn measure(url: &str) -> anyhow::Result<Table> {
    let mut table = Table::new("PostgreSQL: speed as a share of the named floor");
    let one = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    cycles(&one, url, 1, &mut table)?;
    cycles(&threads, url, 8, &mut table)?;
    refusals(&one, url, &mut table)?;
    Ok(table)
}

fn cycles(runtime: &Runtime, url: &str, count: usize, table: &mut Table) -> anyhow::Result<()> {
    let names: Vec<_> = (0..count).map(|n| format!("cycle-{count}-{n}")).collect();
    let mut clients = runtime.block_on(async {
        let mut clients = Clients::connect(url, &names).await?;
        // The floor's UPDATE needs the rows, and a cycle needs them free.
        for lock in clients.locks.drain(..) {
            lock.unlock().await?;
        }
        anyhow::Ok(clients)
    })?;
    let [bare, ours, connected, on_pool, over_pool] = rounds(runtime, &mut clients, Work::Cycles)?;
    let who = if count == 1 {
        "one client".to_owned()
    } else {
        format!("{count} clients")
    };
    table.row(
        format!("{who}, floor: two bare tokio-postgres statements"),
        Unit::PerSecond,
        bare.median(),
        Goal::None,
    );
    table.row(
        format!("{who}, connect(url), of the floor"),
        Unit::Ratio,
        connected.ratio_to(&bare),
        Goal::AtLeast(0.90),
    );
    table.row(
        format!("{who}, our statements on tokio-postgres, of the floor"),
        Unit::Ratio,
        ours.ratio_to(&bare),
        Goal::None,
    );
    table.row(
        format!("{who}, new(pool), of the same statements on that pool"),
        Unit::Ratio,
        over_pool.ratio_to(&on_pool),
        Goal::AtLeast(0.95),
    );
    table.row(
        format!("{who}, new(pool), of the floor"),
        Unit::Ratio,
        over_pool.ratio_to(&bare),
        Goal::None,
    );
    Ok(())
}

fn refusals(runtime: &Runtime, url: &str, table: &mut Table) -> anyhow::Result<()> {
    let mut clients = runtime.block_on(Clients::connect(url, &["refusal".to_owned()]))?;
    let [bare, ours, connected, on_pool, over_pool] =
        rounds(runtime, &mut clients, Work::Refusals)?;
    table.row(
        "refused, floor: a bare tokio-postgres UPDATE",
        Unit::PerSecond,
        bare.median(),
        Goal::None,
    );
    table.row(
        "refused, connect(url), of the floor",
        Unit::Ratio,
        connected.ratio_to(&bare),
        Goal::AtLeast(0.85),
    );
    table.row(
        "refused, our statement on tokio-postgres, of the floor",
        Unit::Ratio,
        ours.ratio_to(&bare),
        Goal::None,
    );
    table.row(
        "refused, new(pool), of the same statement on that pool",
        Unit::Ratio,
        over_pool.ratio_to(&on_pool),
        Goal::AtLeast(0.95),
    );
    runtime.block_on(async move { drop(clients) });
    Ok(())
}

fn rounds(runtime: &Runtime, clients: &mut Clients, work: Work) -> anyhow::Result<[Series; 5]> {
    interleave(
        LEAST + 2,
        [
            subject("bare", runtime, &mut clients.bare, work),
            subject("our statements", runtime, &mut clients.ours, work),
            subject("connect(url)", runtime, &mut clients.connected, work),
            subject("on pool", runtime, &mut clients.on_pool, work),
            subject("new(pool)", runtime, &mut clients.over_pool, work),
        ],
    )
}

fn subject<'a, C: Client>(
    name: &'static str,
    runtime: &'a Runtime,
    clients: &'a mut Vec<C>,
    work: Work,
) -> Subject<'a> {
    Subject::new(name, move || rate(runtime, clients, work))
}
