//! Redis: a real server, started for this run. How fast a cycle and a refusal are, against the bare commands over the same client.

use anyhow::{Context as _, anyhow, ensure};
use shedlock::{Lock, LockProviderExt as _};
use shedlock_benches::rounds::{LEAST, Subject, interleave};
use shedlock_benches::table::{Goal, Table, Unit};
use shedlock_redis::RedisLockProvider;
use shedlock_redis::redis::aio::MultiplexedConnection;
use shedlock_redis::redis::{Client as Driver, Script, cmd};
use shedlock_testkit::servers::Redis;
use tokio::runtime::Runtime;

use crate::clients::{Client, Names, Ours, Work, configuration, own, owner, rate, runtime_for};

/// As many tasks, which share a connection of the provider; for the floor as many connections.
const TASKS: [usize; 3] = [1, 8, 64];
const LEASE_MILLIS: u32 = 600_000;
const FENCE_STAYS_MILLIS: u32 = 86_400_000;

const ACQUIRE: &str = include_str!("../../../../providers/shedlock-redis/src/scripts/acquire.lua");
const CHANGE: &str = include_str!("../../../../providers/shedlock-redis/src/scripts/change.lua");

/// What the script answers that acquires a lock; the state comes first.
type Answer = (u32, String, u64, u64, Vec<u64>, Vec<u64>);

/// The least that a lock can be: a key unless it is there, and its deletion if it is still ours.
const COMPARE_AND_DELETE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

struct Bare {
    connection: MultiplexedConnection,
    give_back: Script,
    name: String,
}

impl Bare {
    async fn connect(url: &str, name: &str) -> anyhow::Result<Self> {
        let connection = Driver::open(url)?.get_multiplexed_async_connection().await;
        Ok(Self {
            connection: connection?,
            give_back: Script::new(COMPARE_AND_DELETE),
            name: format!("job-lock:default:{name}"),
        })
    }

    async fn take(&mut self, owner: &str) -> anyhow::Result<bool> {
        let mut take = cmd("SET");
        take.arg(&self.name).arg(owner);
        take.arg("NX").arg("PX").arg(LEASE_MILLIS);
        let taken: Option<String> = take.query_async(&mut self.connection).await?;
        Ok(taken.is_some())
    }
}

impl Client for Bare {
    async fn cycle(&mut self) -> anyhow::Result<()> {
        let [owner, _] = owner();
        ensure!(self.take(&owner).await?, "nobody else asks for this lock");
        let mut run = self.give_back.key(&self.name);
        let deleted: u32 = run.arg(&owner).invoke_async(&mut self.connection).await?;
        ensure!(deleted == 1, "the lock is ours");
        Ok(())
    }

    async fn refusal(&mut self) -> anyhow::Result<()> {
        let [owner, _] = owner();
        ensure!(!self.take(&owner).await?, "somebody else holds this lock");
        Ok(())
    }
}

/// The provider's own scripts, with nothing around them: what is lost here is lost in the server.
struct OurScripts {
    connection: MultiplexedConnection,
    acquire: Script,
    change: Script,
    key: String,
    fence_key: String,
}

impl OurScripts {
    async fn connect(url: &str, name: &str) -> anyhow::Result<Self> {
        let connection = Driver::open(url)?.get_multiplexed_async_connection().await;
        let key = format!("job-lock:default:{name}");
        Ok(Self {
            connection: connection?,
            acquire: Script::new(ACQUIRE),
            change: Script::new(CHANGE),
            fence_key: format!("{{{key}}}:fence"),
            key,
        })
    }

    /// Asks for the lock, and says whether it was granted.
    async fn take(&mut self, owner: &str) -> anyhow::Result<bool> {
        let mut run = self.acquire.key(&self.key);
        run.key(&self.fence_key)
            .arg(format!("ADDED:2026-01-01T00:00:00.000Z@{owner}"));
        run.arg(LEASE_MILLIS).arg(FENCE_STAYS_MILLIS);
        let (state, ..): Answer = run.invoke_async(&mut self.connection).await?;
        Ok(state == 1)
    }
}

impl Client for OurScripts {
    async fn cycle(&mut self) -> anyhow::Result<()> {
        let [first, next] = owner();
        ensure!(self.take(&first).await?, "nobody else asks for this lock");
        let mut run = self.change.key(&self.key);
        run.key(&self.fence_key).arg(&first).arg(&next);
        run.arg(0).arg("release");
        let released: u32 = run.invoke_async(&mut self.connection).await?;
        ensure!(released == 1, "the lock is ours");
        Ok(())
    }

    async fn refusal(&mut self) -> anyhow::Result<()> {
        let [first, _] = owner();
        ensure!(!self.take(&first).await?, "somebody else holds this lock");
        Ok(())
    }
}

struct Clients {
    /// The locks that they ask for.
    locks: Vec<Lock>,
    bare: Vec<Bare>,
    scripts: Vec<OurScripts>,
    connected: Vec<Ours<RedisLockProvider>>,
}

impl Clients {
    async fn connect(url: &str, names: &[String]) -> anyhow::Result<Self> {
        let provider = RedisLockProvider::connect(url).await?;
        let mut clients = Self {
            locks: Vec::new(),
            bare: Vec::new(),
            scripts: Vec::new(),
            connected: Vec::new(),
        };
        for name in names {
            let [bare, scripts, connected] =
                ["bare", "scripts", "connected"].map(|who| own(who, name));
            for name in [&bare, &scripts, &connected] {
                let lock = provider.try_lock(configuration(name)).await?;
                let lock = lock.context("nobody else asks for this lock")?;
                clients.locks.push(lock);
            }
            clients.bare.push(Bare::connect(url, &bare).await?);
            let scripts = OurScripts::connect(url, &scripts).await?;
            clients.scripts.push(scripts);
            let ours = Ours::new(provider.clone(), Names::one(&connected));
            clients.connected.push(ours);
        }
        Ok(clients)
    }
}

pub(crate) fn measure() -> anyhow::Result<Vec<Table>> {
    // The server's helpers run beside the subjects, on threads of their own.
    let helpers = Runtime::new()?;
    let server = helpers
        .block_on(Redis::start_with(&["--appendonly", "no"]))
        .map_err(|missing| anyhow!("no Redis: {missing}"))?;
    let mut table = Table::new("Redis: speed as a share of the bare commands");
    for tasks in TASKS {
        let names: Vec<_> = (0..tasks).map(|n| format!("cycle-{tasks}-{n}")).collect();
        let goal = match tasks {
            1 => Goal::AtLeast(0.95),
            _ => Goal::None,
        };
        share(&server.url(), &names, Work::Cycles, goal, &mut table)?;
    }
    let names = ["refusal".to_owned()];
    share(
        &server.url(),
        &names,
        Work::Refusals,
        Goal::None,
        &mut table,
    )?;
    Ok(vec![table])
}

fn share(
    url: &str,
    names: &[String],
    work: Work,
    goal: Goal,
    table: &mut Table,
) -> anyhow::Result<()> {
    let runtime = runtime_for(names.len())?;
    let mut clients = runtime.block_on(Clients::connect(url, names))?;
    if work == Work::Cycles {
        let locks = std::mem::take(&mut clients.locks);
        runtime.block_on(async {
            for lock in locks {
                lock.unlock().await?;
            }
            anyhow::Ok(())
        })?;
    }
    let subjects = [
        Subject::new("bare", || rate(&runtime, &mut clients.bare, work)),
        Subject::new("our scripts", || rate(&runtime, &mut clients.scripts, work)),
        Subject::new("connect(url)", || {
            rate(&runtime, &mut clients.connected, work)
        }),
    ];
    let [bare, scripts, connected] = interleave(LEAST + 4, subjects)?;
    let (floor, what) = match work {
        Work::Cycles => (
            "SET NX PX and a script that compares and deletes",
            "a cycle",
        ),
        Work::Refusals => ("SET NX PX", "a refusal"),
    };
    let who = match names.len() {
        1 => "one task".to_owned(),
        tasks => format!("{tasks} tasks"),
    };
    table.row(
        format!("{who}, floor: {floor}, a connection each"),
        Unit::PerSecond,
        bare.median(),
        Goal::None,
    );
    table.row(
        format!("{who}, connect(url), {what}, of the floor"),
        Unit::Ratio,
        connected.ratio_to(&bare),
        goal,
    );
    table.row(
        format!("{who}, connect(url), {what}, of our scripts, a connection each"),
        Unit::Ratio,
        connected.ratio_to(&scripts),
        Goal::None,
    );
    runtime.block_on(async move { drop(clients) });
    Ok(())
}
