//! The provider: what each answer of the database means to a lock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, Lease, LockError, LockName, LockProvider, Operation,
    Ownership, ProviderInfo, Refusal,
};
use shedlock_sql::{Cure, Fault, SchemaReport, TokenColumn};
use sqlx::Pool;

use crate::ask::{Inner, LIMIT, unexpected};
use crate::connections::Replaced;
use crate::error;
use crate::options::{self, SqlxLockProviderBuilder};
use crate::question::{Ask, Change, Reply};
use crate::store::{Store, Verdict};

/// What setting up may take, or reading all rows: another session may be at the table.
pub(crate) const SET_UP_LIMIT: Duration = Duration::from_secs(30);

/// Keeps locks in a table of a database that [`sqlx`] can talk to.
///
/// Use it by the name of your database: `PostgresLockProvider`, `MySqlLockProvider`, `SqliteLockProvider`. A clone shares
/// the connections.
pub struct SqlxLockProvider<DB: Store> {
    pub(crate) inner: Arc<Inner<DB>>,
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
    /// [`ErrorKind::Configuration`] for a URL that is not valid or a login that is refused;
    /// [`ErrorKind::Unavailable`] if the database cannot be reached. That the table is missing is
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
        self.inner.forget_columns();
        self.ask_within(
            SET_UP_LIMIT,
            Operation::EnsureSchema,
            None,
            &Ask::EnsureTable,
        )
        .await
        .map(drop)
    }

    /// Looks at the table and the session: whether columns are missing or of wrong types, whether the name is the primary
    /// key, whether time zones would make nodes disagree.
    ///
    /// The report holds what does not hinder locks: a table as ShedLock's documentation shows it has no column for fencing
    /// tokens, for example.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] with everything that must be changed, and how; [`ErrorKind::Configuration`] or
    /// [`ErrorKind::ReadOnly`] if nothing but the session is wrong. Otherwise the database could not be asked.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed in any case.
    pub async fn check_schema(&self) -> Result<SchemaReport, LockError> {
        let described = self
            .ask_within(SET_UP_LIMIT, Operation::CheckSchema, None, &Ask::Describe)
            .await?;
        let Reply::Described(description) = described else {
            return Ok(SchemaReport::default());
        };
        let inner = &*self.inner;
        let report = description.check(&inner.table.load().names);
        report.map_err(|error| error.with_context(Operation::CheckSchema, inner.info.name(), None))
    }

    /// Asks what no runtime limits: setting up, and what operators do.
    pub(crate) async fn ask_within(
        &self,
        limit: Duration,
        operation: Operation,
        lock: Option<&LockName>,
        ask: &Ask<'_>,
    ) -> Result<Reply, LockError> {
        let inner = &*self.inner;
        // What is left over is for saying what is wrong.
        let answer = tokio::time::timeout(limit, inner.ask(ask, limit / 10 * 9)).await;
        let answer = match answer {
            Ok(Ok(Reply::Busy(busy))) => Err(busy),
            Ok(answer) => answer,
            Err(_elapsed) => {
                let problem = format!("no answer within {limit:?}");
                Err(LockError::new(ErrorKind::Timeout, problem))
            }
        };
        answer.map_err(|error| error.with_context(operation, inner.info.name(), lock))
    }

    /// Opens a connection, and looks which table it is and whether that has a column for fencing tokens, so that the first
    /// acquisition need not find out.
    pub(crate) async fn warm_up(&self) -> Result<(), LockError> {
        let inner = &*self.inner;
        let began = Instant::now();
        let none = |none| error::no_connection::<DB>(&inner.names, none, began);
        let mut replaced = Replaced::default();
        let checkout = inner.source.checkout(LIMIT, LIMIT, &mut replaced).await;
        let mut connection = checkout.map_err(none)?;
        let look = async {
            inner.find(&mut connection).await.ok()?;
            let probe = inner.table.load().statements(true).probe.text().to_string();
            let answer = DB::execute(&mut connection, probe).await;
            let fault = answer.as_ref().err().and_then(error::fault::<DB>);
            let column = match fault {
                Some(Fault::MissingColumn) => TokenColumn::Missing,
                _ => TokenColumn::Present,
            };
            inner.change_table(|table| table.column = column);
            inner.learn(&mut connection).await.ok()?;
            (answer.is_ok() || fault.is_some_and(|fault| fault.cure() == Cure::None)).then_some(())
        };
        // Whether the answers are good or bad, the first statement that needs them asks again.
        if let Ok(Some(())) = tokio::time::timeout(LIMIT, look).await {
            connection.give_back();
        }
        Ok(())
    }

    /// What to answer when others were at the table to the end of the time: somebody holds the lock only if that can be seen.
    async fn busy(
        &self,
        request: &AcquireRequest,
        limit: Duration,
        busy: LockError,
    ) -> Result<Acquisition, LockError> {
        let holder = Ask::Holder(request.name());
        match tokio::time::timeout(limit, self.inner.ask(&holder, limit)).await {
            Ok(Ok(Reply::Holder(Some(verdict)))) => answered(request, verdict),
            _ => Err(busy),
        }
    }
}

#[async_trait]
impl<DB: Store> LockProvider for SqlxLockProvider<DB> {
    fn info(&self) -> &ProviderInfo {
        &self.inner.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let inner = &*self.inner;
        // Before the runtime gives up: "no connection" is a better answer than "no answer".
        let limit = request.config().timeout() / 10 * 9;
        match inner.ask(&Ask::Acquire(request), limit).await? {
            Reply::Verdict {
                verdict,
                is_in_doubt: false,
            } => answered(request, verdict),
            Reply::Verdict { verdict, .. } => {
                answered(request, verdict).map(|answer| match answer {
                    Acquisition::Refused(refusal) => {
                        Acquisition::Refused(refusal.after_a_request_without_answer())
                    }
                    granted @ Acquisition::Granted(_) => granted,
                })
            }
            Reply::Busy(busy) => self.busy(request, limit / 10, busy).await,
            _ => Err(unexpected()),
        }
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let write = lease.next_write()?;
        let change = Change::Extend {
            lock: lease.name(),
            write: &write,
            at_most,
        };
        Ok(if self.inner.change(change).await? {
            Ownership::Ours
        } else {
            Ownership::Lost
        })
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let write = lease.next_write()?;
        let change = Change::Release {
            lock: lease.name(),
            write: &write,
            keep_for,
        };
        Ok(if self.inner.change(change).await? {
            Ownership::Ours
        } else {
            Ownership::Lost
        })
    }
}

/// What the database's words mean to a request.
fn answered(request: &AcquireRequest, verdict: Verdict) -> Result<Acquisition, LockError> {
    match verdict {
        Verdict::Granted { token } => Ok(Acquisition::Granted(request.grant(token))),
        // Not every database says who.
        Verdict::Held { owner, remaining } if owner.is_empty() => Ok(Acquisition::Refused(
            Refusal::held().with_remaining(remaining),
        )),
        Verdict::Held { owner, remaining } => Ok(Acquisition::Refused(Refusal::from_stored(
            &owner, remaining,
        ))),
        Verdict::Paused { remaining } => {
            let mut refusal = Refusal::paused();
            refusal.remaining = remaining;
            Ok(Acquisition::Refused(refusal))
        }
        // Nearly always: a lost race is over before the losers are told.
        Verdict::Refused => Ok(Acquisition::Refused(Refusal::held())),
        Verdict::Contended => Ok(Acquisition::Refused(Refusal::contended())),
        Verdict::TooLate => Err(request.too_late()),
        Verdict::Unusable { problem, remedy } => Err(error::unusable(problem, remedy)),
    }
}
