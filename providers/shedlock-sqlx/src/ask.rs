//! Asking the database: on which connection, how often, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use shedlock_runtime::{Attempt, Lease, LockError, LockInfo, LockName, ProviderInfo};
use shedlock_sql::{
    Description, Fault, LockClock, Names, Statement, Statements, Values, lease_micros,
};

use crate::connections::Source;
use crate::error;
use crate::store::{Paused, Run, Store, Verdict};

/// What an extension or a release may take; as long as the runtime waits for one.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);
/// What the clones of a provider share.
pub(crate) struct Inner<DB: Store> {
    pub(crate) info: ProviderInfo,
    pub(crate) node: Arc<str>,
    pub(crate) source: Source<DB>,
    pub(crate) names: Names,
    pub(crate) statements: Statements,
    pub(crate) clock: LockClock,
    pub(crate) persistent: bool,
    /// Whether the table was last seen without the fencing token's column.
    pub(crate) plain: AtomicBool,
    /// What is known of the table; see [`Inner::look`].
    pub(crate) known: AtomicU8,
}

/// What to ask the database.
pub(crate) enum Ask<'a> {
    Acquire(&'a Attempt),
    Change {
        statement: &'a Statement,
        lease: &'a Lease,
        duration: Duration,
    },
    /// The row of one lock, or of all.
    Read(Option<&'a LockName>),
    /// What an operator does to one lock.
    Steer {
        statement: &'a Statement,
        lock: &'a LockName,
        mark: &'a str,
    },
    /// `until` counts from 1970.
    Pause {
        lock: &'a LockName,
        mark: &'a str,
        until: Duration,
    },
    /// Deletes some of the rows whose names begin so and that have been free for so long.
    Prune {
        prefix: &'a str,
        unused_for: Duration,
    },
    /// Makes the table if it is not there. A user who may not create tables can call it when somebody else has.
    EnsureTable,
    Describe,
}

/// What it says.
pub(crate) enum Reply {
    Verdict(Verdict),
    /// So many rows.
    Changed(u64),
    Locks(Vec<LockInfo>),
    Paused(Paused),
    Executed,
    Described(Box<Description>),
    /// Others were at the row each time; nothing was written.
    Busy(LockError),
}

impl Ask<'_> {
    /// Whether its statement is another one on a table without the fencing token's column.
    const fn names_the_token(&self) -> bool {
        matches!(self, Self::Acquire(_) | Self::Read(_) | Self::Pause { .. })
    }
}

impl<DB: Store> Inner<DB> {
    pub(crate) async fn change(
        &self,
        statement: &Statement,
        lease: &Lease,
        duration: Duration,
    ) -> Result<bool, LockError> {
        let ask = Ask::Change {
            statement,
            lease,
            duration,
        };
        match self.ask(&ask, LIMIT / 10 * 9).await? {
            Reply::Changed(rows) => Ok(rows > 0),
            Reply::Busy(busy) => Err(busy),
            _ => Ok(false),
        }
    }

    /// Asks until there is an answer, or no sense in asking again, or no time.
    ///
    /// Asking again is safe: the owner makes each statement idempotent. An answer lost on a dead connection is made up for
    /// on a new one, so the first call after a restart of the database simply works.
    pub(crate) async fn ask(&self, ask: &Ask<'_>, limit: Duration) -> Result<Reply, LockError> {
        let started = Instant::now();
        let mut waits = None;
        let mut unsure = None;
        loop {
            let left = limit.saturating_sub(started.elapsed());
            let mut connection = match self.source.checkout(left).await {
                Ok(connection) => connection,
                Err(none) => {
                    return Err(
                        unsure.unwrap_or_else(|| error::no_connection::<DB>(&self.names, none))
                    );
                }
            };
            let fencing = !self.plain.load(Ordering::Relaxed);
            let error = match self.ask_once(&mut connection, ask, fencing).await {
                Ok(Err(error)) => error,
                answer => {
                    connection.give_back();
                    return answer.map(|reply| reply.unwrap_or(Reply::Executed));
                }
            };
            match error::fault::<DB>(&error) {
                Some(Fault::MissingColumn) if fencing && ask.names_the_token() => {
                    connection.give_back();
                    self.plain.store(true, Ordering::Relaxed);
                }
                Some(Fault::Contention) => {
                    connection.give_back();
                    let busy = error::asked::<DB>(&self.names, error);
                    let left = limit.saturating_sub(started.elapsed());
                    let waits = waits.get_or_insert_with(|| delays(DB::BUSY_IS_BRIEF));
                    match waits.next() {
                        Some(delay) if delay < left => tokio::time::sleep(delay).await,
                        _ => return Ok(Reply::Busy(busy)),
                    }
                }
                Some(fault) if !fault.ends_connection() => {
                    // The table is not as it was: look again next time.
                    self.forget();
                    if let Some(precise) = self.diagnose(&mut connection, fault).await {
                        connection.give_back();
                        return Err(precise.with_source(error));
                    }
                    connection.give_back();
                    return Err(error::asked::<DB>(&self.names, error));
                }
                fault => {
                    let again = connection.discard() && started.elapsed() < limit;
                    let error = error::asked::<DB>(&self.names, error);
                    if !again {
                        return Err(unsure.unwrap_or(error));
                    }
                    if fault.is_none() {
                        unsure = Some(error);
                    }
                }
            }
        }
    }

    async fn ask_once(
        &self,
        connection: &mut DB::Connection,
        ask: &Ask<'_>,
        fencing: bool,
    ) -> Result<Result<Reply, sqlx::Error>, LockError> {
        if let Err(error) = self.look(connection, ask).await? {
            return Ok(Err(error));
        }
        Ok(match ask {
            Ask::Acquire(attempt) => {
                // Asked for now that there is a connection: an attempt without an owner has reached no store.
                let owner = attempt.owner(&self.node)?.stored();
                let run = self.run(attempt.name().as_str(), &owner, attempt.at_most());
                let verdict = DB::acquire(connection, &run, fencing).await;
                verdict.map(Reply::Verdict)
            }
            Ask::Change {
                statement,
                lease,
                duration,
            } => {
                let owner = lease.stored_owner()?;
                let run = self.run(lease.name().as_str(), &owner, *duration);
                let changed = DB::change(connection, statement, &run).await;
                changed.map(Reply::Changed)
            }
            Ask::Read(lock) => {
                let admin = &self.statements.admin;
                let (statement, name) = match lock {
                    Some(lock) => (admin.get_on(fencing), lock.as_str()),
                    None => (admin.list_on(fencing), ""),
                };
                let run = self.run(name, "", Duration::ZERO);
                let rows = DB::read(connection, statement, &run).await;
                rows.map(Reply::Locks)
            }
            Ask::Steer {
                statement,
                lock,
                mark,
            } => {
                let run = self.run(lock.as_str(), mark, Duration::ZERO);
                let changed = DB::change(connection, statement, &run).await;
                changed.map(Reply::Changed)
            }
            Ask::Pause { lock, mark, until } => {
                let mut run = self.run(lock.as_str(), mark, Duration::ZERO);
                run.values.until = i64::try_from(until.as_micros()).unwrap_or(i64::MAX);
                let paused = DB::pause(connection, &run, fencing).await;
                paused.map(Reply::Paused)
            }
            Ask::Prune { prefix, unused_for } => {
                let run = self.run(prefix, "", *unused_for);
                let statement = &self.statements.admin.prune;
                let changed = DB::change(connection, statement, &run).await;
                changed.map(Reply::Changed)
            }
            Ask::Describe => {
                let described = DB::describe(connection, &self.names, &self.statements).await;
                described.map(|description| Reply::Described(Box::new(description)))
            }
            Ask::EnsureTable => {
                let probe = self.statements.probe.text().to_string();
                let mut done = DB::execute(connection, probe).await;
                match done.as_ref().err().and_then(error::fault::<DB>) {
                    Some(Fault::MissingTable) => {
                        done = DB::execute(connection, self.names.ddl()).await;
                    }
                    Some(Fault::MissingColumn) => done = Ok(()),
                    _ => {}
                }
                done.map(|()| Reply::Executed)
            }
        })
    }

    fn run<'a>(&'a self, name: &'a str, owner: &'a str, duration: Duration) -> Run<'a> {
        let now = match self.clock {
            LockClock::Client => self.info.clock().utc().duration_since(UNIX_EPOCH),
            _ => Ok(Duration::ZERO),
        };
        Run {
            statements: &self.statements,
            persistent: self.persistent,
            values: Values {
                name,
                owner,
                lease: lease_micros(duration),
                until: 0,
                now: now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX)),
            },
        }
    }
}

/// How long to wait between two tries. Where "busy" is brief, for as long as there is time; else three times.
fn delays(busy_is_brief: bool) -> impl Iterator<Item = Duration> + Send {
    let delays = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(4))
        .with_max_delay(Duration::from_millis(60))
        .with_jitter();
    if busy_is_brief {
        delays.without_max_times().build()
    } else {
        delays.with_max_times(3).build()
    }
}
