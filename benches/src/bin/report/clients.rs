//! Who asks for locks: our providers, and the floors with nothing but the statements.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use shedlock::{LockConfiguration, LockProvider, LockProviderExt};
use tokio::runtime::{Builder, Runtime};

/// How long a subject is measured in each round.
const WINDOW: Duration = Duration::from_millis(250);

/// One client that asks for locks, one after the other.
pub(crate) trait Client: Send + 'static {
    /// Takes a free lock and gives it back.
    fn cycle(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Asks for a lock that somebody else holds.
    fn refusal(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Cycles,
    Refusals,
}

/// The runtime of a program that has so many tasks.
pub(crate) fn runtime_for(tasks: usize) -> io::Result<Runtime> {
    let mut builder = if tasks == 1 {
        Builder::new_current_thread()
    } else {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2);
        builder
    };
    builder.enable_all().build()
}

/// How often per second all `clients` together get their work done.
pub(crate) fn rate<C: Client>(
    runtime: &Runtime,
    clients: &mut Vec<C>,
    work: Work,
) -> anyhow::Result<f64> {
    runtime.block_on(async {
        let tasks: Vec<_> = clients
            .drain(..)
            .map(|client| tokio::spawn(keep_asking(client, work)))
            .collect();
        let mut total = 0.0;
        for task in tasks {
            let (client, rate) = task.await??;
            clients.push(client);
            total += rate;
        }
        Ok(total)
    })
}

async fn keep_asking<C: Client>(mut client: C, work: Work) -> anyhow::Result<(C, f64)> {
    let started = Instant::now();
    let mut done = 0_u32;
    while started.elapsed() < WINDOW {
        match work {
            Work::Cycles => client.cycle().await?,
            Work::Refusals => client.refusal().await?,
        }
        done += 1;
    }
    Ok((client, f64::from(done) / started.elapsed().as_secs_f64()))
}

/// A provider of ours, as a program uses it.
pub(crate) struct Ours<P> {
    provider: P,
    names: Names,
}

/// Which locks a client asks for.
#[derive(Clone)]
pub(crate) enum Names {
    One(LockConfiguration),
    /// Any of so many.
    Many(u32),
}

impl Names {
    pub(crate) fn one(name: &str) -> Self {
        Self::One(configuration(name))
    }

    fn next(&self) -> LockConfiguration {
        match self {
            Self::One(configuration) => configuration.clone(),
            Self::Many(count) => configuration(&many(fastrand::u32(..*count))),
        }
    }
}

/// The lock of one subject, which the others leave alone: a statement is up to a tenth faster on a row that a shorter one wrote last.
pub(crate) fn own(subject: &str, name: &str) -> String {
    format!("{name}-{subject}")
}

/// The name of one lock of many.
fn many(which: u32) -> String {
    format!("name-{which}")
}

pub(crate) fn configuration(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10m").expect("the name and the lease are fine")
}

impl<P> Ours<P> {
    pub(crate) fn new(provider: P, names: Names) -> Self {
        Self { provider, names }
    }
}

impl<P: LockProvider + LockProviderExt> Client for Ours<P> {
    async fn cycle(&mut self) -> anyhow::Result<()> {
        let lock = self.provider.try_lock(self.names.next()).await?;
        lock.context("nobody else asks for this lock")?
            .unlock()
            .await?;
        Ok(())
    }

    async fn refusal(&mut self) -> anyhow::Result<()> {
        let lock = self.provider.try_lock(self.names.next()).await?;
        ensure!(lock.is_none(), "somebody else holds this lock");
        Ok(())
    }
}

/// A client with our statements on a handle of sqlx, and no provider around them.
macro_rules! same_statements {
    ($client:ident, $database:ty, $handle:ty, |$borrowed:ident| $executor:expr, $lease:expr) => {
        pub(crate) struct $client {
            handle: $handle,
            statements: shedlock_sql::Statements,
            name: String,
        }

        impl $client {
            pub(crate) fn new(handle: $handle, name: &str) -> Self {
                let names = shedlock_sql::Names::shedlock(DIALECT);
                Self {
                    handle,
                    statements: shedlock_sql::Statements::new(
                        &names,
                        shedlock_sql::LockClock::Database,
                        shedlock_sql::Session::Own,
                    ),
                    name: name.to_owned(),
                }
            }

            /// `statement` with its values, for a lease of `minutes`.
            fn bind<'q>(
                statement: &shedlock_sql::Statement,
                name: &'q str,
                [first, owner]: [&'q String; 2],
                minutes: u64,
            ) -> sqlx::query::Query<'q, $database, <$database as sqlx::Database>::Arguments> {
                let lease =
                    shedlock_sql::lease_micros(std::time::Duration::from_secs(minutes * 60));
                let text = sqlx::AssertSqlSafe(std::sync::Arc::clone(statement.text()));
                let query = sqlx::query::<$database>(text);
                let params = statement.params().iter();
                params.fold(query, |query, param| match param {
                    shedlock_sql::Param::Name => query.bind(name),
                    shedlock_sql::Param::First => query.bind(first.as_str()),
                    shedlock_sql::Param::Owner => query.bind(owner.as_str()),
                    _ => query.bind($lease(lease)),
                })
            }
        }

        impl $crate::clients::Client for $client {
            async fn cycle(&mut self) -> anyhow::Result<()> {
                let $borrowed = &mut self.handle;
                let [first, next] = &$crate::clients::owner();
                let acquire = Self::bind(
                    self.statements.acquire(
                        shedlock_sql::TokenColumn::Present,
                        shedlock_sql::Sending::First,
                    ),
                    &self.name,
                    [first, first],
                    10,
                );
                let taken = acquire.fetch_all($executor).await?;
                anyhow::ensure!(taken.len() == 1, "nobody else asks for this lock");
                let release = Self::bind(&self.statements.release, &self.name, [first, next], 0);
                let released = release.execute($executor).await?;
                anyhow::ensure!(released.rows_affected() == 1, "the lock is ours");
                Ok(())
            }

            async fn refusal(&mut self) -> anyhow::Result<()> {
                let $borrowed = &mut self.handle;
                let [first, _] = &$crate::clients::owner();
                let acquire = Self::bind(
                    self.statements.acquire(
                        shedlock_sql::TokenColumn::Present,
                        shedlock_sql::Sending::First,
                    ),
                    &self.name,
                    [first, first],
                    10,
                );
                let rows = acquire.fetch_all($executor).await?;
                std::hint::black_box(rows);
                Ok(())
            }
        }
    };
}
pub(crate) use same_statements;

/// A new owner as the providers write it: for an acquisition, and for the write after it.
pub(crate) fn owner() -> [String; 2] {
    let first = format!("bench#{:032x}", fastrand::u128(..));
    let next = format!("{first}{:012x}", 1);
    [first, next]
}
