//! Asking the database: on which connection, how often, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use shedlock_runtime::{Attempt, InvalidDuration, Lease, LockError, ProviderInfo};
use shedlock_sql::{
    Description, Fault, LockClock, Names, Statement, Statements, Values, lease_micros,
};

use crate::connections::Source;
use crate::error;
use crate::store::{Run, Store, Verdict};

/// What an extension or a release may take; as long as the runtime waits for one.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);
/// The last second of a column of type TIMESTAMP, and a margin for clocks that differ.
const UNTIL_2038: Duration = Duration::from_secs(i32::MAX as u64 - 86_400);
const END_OF_2038: &str = "2038-01-19 03:14:07 UTC";

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
    /// Whether the table is known to keep times after 2038.
    pub(crate) keeps_past_2038: AtomicBool,
}

/// What to ask the database.
pub(crate) enum Ask<'a> {
    Acquire(&'a Attempt),
    Change {
        statement: &'a Statement,
        lease: &'a Lease,
        duration: Duration,
    },
    Execute(String),
    Describe,
}

/// What it says.
pub(crate) enum Reply {
    Verdict(Verdict),
    Changed(bool),
    Executed,
    Described(Box<Description>),
    /// Others were at the row each time; nothing was written.
    Busy(LockError),
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
            Reply::Changed(changed) => Ok(changed),
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
        let mut delays = delays(DB::BUSY_IS_BRIEF);
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
            let error = match self.ask_once(&mut connection, ask, fencing).await? {
                Ok(reply) => {
                    connection.give_back();
                    return Ok(reply);
                }
                Err(error) => error,
            };
            match error::fault::<DB>(&error) {
                Some(Fault::MissingColumn) if fencing && matches!(ask, Ask::Acquire(_)) => {
                    connection.give_back();
                    self.plain.store(true, Ordering::Relaxed);
                }
                Some(Fault::Contention) => {
                    connection.give_back();
                    let busy = error::asked::<DB>(&self.names, error);
                    let left = limit.saturating_sub(started.elapsed());
                    match delays.next() {
                        Some(delay) if delay < left => tokio::time::sleep(delay).await,
                        _ => return Ok(Reply::Busy(busy)),
                    }
                }
                Some(fault) if !fault.ends_connection() => {
                    connection.give_back();
                    // It was not the fencing token's column then: look again next time.
                    self.plain.store(false, Ordering::Relaxed);
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
        if self.ends_past_2038(ask) {
            // Without strict mode, such a time becomes zero, and the lock would be free at once.
            match DB::ends_in_2038(connection, &self.names).await {
                Ok(true) => return Err(InvalidDuration::BeyondColumn { limit: END_OF_2038 }.into()),
                Ok(false) => self.keeps_past_2038.store(true, Ordering::Relaxed),
                Err(error) => return Ok(Err(error)),
            }
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
            Ask::Describe => {
                let described = DB::describe(connection, &self.names, &self.statements).await;
                described.map(|description| Reply::Described(Box::new(description)))
            }
            Ask::Execute(statement) => {
                let done = DB::execute(connection, statement.clone()).await;
                done.map(|()| Reply::Executed)
            }
        })
    }

    /// Whether the lease would end past the last instant of some columns, and nobody has looked at ours yet.
    fn ends_past_2038(&self, ask: &Ask<'_>) -> bool {
        let duration = match ask {
            Ask::Acquire(attempt) => attempt.at_most(),
            Ask::Change { duration, .. } => *duration,
            _ => return false,
        };
        let since_1970 = self.info.clock().utc().duration_since(UNIX_EPOCH);
        since_1970.unwrap_or_default().saturating_add(duration) > UNTIL_2038
            && !self.keeps_past_2038.load(Ordering::Relaxed)
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
