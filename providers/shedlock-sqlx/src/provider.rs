//! The provider: three statements, asked again where that is safe and right.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use async_trait::async_trait;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use shedlock_runtime::{
    Acquired, Attempt, Extended, Lease, LockError, LockProvider, Operation, ProviderInfo, Refusal,
    Released,
};
use shedlock_sql::{Fault, LockClock, Names, Statement, Statements, lease_micros};
use sqlx::Pool;

use crate::connections::Source;
use crate::error;
use crate::options::{self, SqlxLockProviderBuilder};
use crate::store::{Run, Store, Verdict};

/// What an extension or a release may take; as long as the runtime waits for one.
const LIMIT: Duration = Duration::from_secs(5);
/// What setting up may take: another session may be at the table.
const SET_UP_LIMIT: Duration = Duration::from_secs(30);

/// Keeps locks in a table of a database that [`sqlx`] can talk to.
///
/// Use it by the name of your database: `PostgresLockProvider`, `MySqlLockProvider`, `SqliteLockProvider`. A clone shares
/// the connections.
pub struct SqlxLockProvider<DB: Store> {
    pub(crate) inner: Arc<Inner<DB>>,
}

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
}

impl<DB: Store> Clone for SqlxLockProvider<DB> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<DB: Store> fmt::Debug for SqlxLockProvider<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlxLockProvider")
            .field("database", &DB::DIALECT.provider_name())
            .field("table", &self.inner.names.table())
            .field("node", &self.inner.node)
            .field("connections", &self.inner.source)
            .finish_non_exhaustive()
    }
}

impl<DB: Store> SqlxLockProvider<DB> {
    /// A provider on the caller's pool, with ShedLock's table and column names.
    ///
    /// Each statement runs on a connection of the pool, outside any transaction. The pool's settings hold, its pings
    /// included; [`connect`](Self::connect) needs fewer round trips.
    #[must_use]
    pub fn new(pool: Pool<DB>) -> Self {
        options::defaults(pool)
    }

    /// A provider with connections of its own, which stay open and replace themselves.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a URL that is not valid or a login that is refused;
    /// [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if the database cannot be reached. That the table is missing is
    /// no error yet.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has connected to nothing that stays.
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder_from_url(url).connect().await
    }

    /// Options for a provider on the caller's pool.
    pub fn builder(pool: Pool<DB>) -> SqlxLockProviderBuilder<DB> {
        SqlxLockProviderBuilder::from_pool(pool)
    }

    /// Options for a provider with connections of its own.
    pub fn builder_from_url(url: &str) -> SqlxLockProviderBuilder<DB> {
        SqlxLockProviderBuilder::from_url(url)
    }

    /// Creates the table if it is not there, with a column for fencing tokens and room for every name; nodes on the JVM
    /// can use it too. A table that is there is left as it is.
    ///
    /// # Errors
    ///
    /// The database's user may not create tables, or the database cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// The table is made or not; the call can be made again.
    pub async fn ensure_schema(&self) -> Result<(), LockError> {
        let inner = &*self.inner;
        let done = inner
            .ask(&Ask::Execute(inner.names.ddl()), SET_UP_LIMIT)
            .await;
        inner.plain.store(false, Ordering::Relaxed);
        done.map(drop)
            .map_err(|error| error.with_context(Operation::EnsureSchema, inner.info.name(), None))
    }

    /// Opens a connection, and looks whether the table has a column for fencing tokens, so that the first acquisition
    /// need not find out.
    pub(crate) async fn warm_up(&self) -> Result<(), LockError> {
        let inner = &*self.inner;
        let none = |none| error::no_connection::<DB>(&inner.names, none);
        let mut connection = inner.source.checkout(LIMIT).await.map_err(none)?;
        let probe = inner.statements.probe.text().to_string();
        // Whether the answer is good or bad, the first statement that needs it asks again.
        if let Ok(answer) = tokio::time::timeout(LIMIT, DB::execute(&mut connection, probe)).await {
            let fault = answer.as_ref().err().and_then(error::fault::<DB>);
            inner
                .plain
                .store(fault == Some(Fault::MissingColumn), Ordering::Relaxed);
            if answer.is_ok() || fault.is_some_and(|fault| !fault.ends_connection()) {
                connection.give_back();
            }
        }
        Ok(())
    }
}

#[async_trait]
impl<DB: Store> LockProvider for SqlxLockProvider<DB> {
    fn info(&self) -> &ProviderInfo {
        &self.inner.info
    }

    async fn acquire(&self, attempt: &Attempt) -> Result<Acquired, LockError> {
        let inner = &*self.inner;
        // Before the runtime gives up: "no connection" is a better answer than "no answer".
        let limit = attempt.config().timeout() / 10 * 9;
        let verdict = match inner.ask(&Ask::Acquire(attempt), limit).await? {
            Reply::Verdict(verdict) => verdict,
            _ => Verdict::Contended,
        };
        match verdict {
            Verdict::Granted { token } => Ok(Acquired::Granted(attempt.grant(token))),
            Verdict::Held { owner, remaining } => {
                let mut refusal = Refusal::held().by(&owner, remaining);
                // Not every database says who.
                refusal.node = refusal.node.filter(|node| !node.is_empty());
                Ok(Acquired::Refused(refusal))
            }
            Verdict::Contended => Ok(Acquired::Refused(Refusal::contended())),
            Verdict::Unusable { problem, remedy } => {
                Err(LockError::new(shedlock_runtime::ErrorKind::Schema, problem)
                    .with_remedy(remedy))
            }
        }
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Extended, LockError> {
        let statement = &self.inner.statements.extend;
        Ok(if self.inner.change(statement, lease, at_most).await? {
            Extended::Extended
        } else {
            Extended::Lost
        })
    }

    async fn release(&self, lease: &Lease) -> Result<Released, LockError> {
        let inner = &*self.inner;
        // By our own count, which began when the answer came, so no earlier than the database's.
        let left = lease.at_least_left(inner.info.clock().boot());
        let statement = &inner.statements.release;
        Ok(if inner.change(statement, lease, left).await? {
            Released::Released
        } else {
            Released::Lost
        })
    }
}

/// What to ask the database.
enum Ask<'a> {
    Acquire(&'a Attempt),
    Change {
        statement: &'a Statement,
        lease: &'a Lease,
        duration: Duration,
    },
    Execute(String),
}

enum Reply {
    Verdict(Verdict),
    Changed(bool),
    Executed,
    /// Others were at the row each time; nothing was written.
    Busy(LockError),
}

impl<DB: Store> Inner<DB> {
    async fn change(
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
    async fn ask(&self, ask: &Ask<'_>, limit: Duration) -> Result<Reply, LockError> {
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
            Ask::Execute(statement) => {
                let done = DB::execute(connection, statement.clone()).await;
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
            name,
            owner,
            lease: lease_micros(duration),
            now: now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX)),
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
