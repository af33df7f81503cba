//! The operations of an operator.

use std::time::{Duration, UNIX_EPOCH};

use shedlock_runtime::{ErrorKind, LockError, LockInfo, LockName, Overrule, Selection};

use super::ask::OnceError;
use super::once::{Context, micros};
use super::operations::{Nature, Operation, OptionalColumns};
use super::table::LeaseEnd;
use super::{LIMIT, SET_UP_LIMIT, SqlLocks};
use crate::answers::{self, PauseAnswer, records};
use crate::driver::Driver;
use crate::fault::Fault;
use crate::statements::TokenColumn;

/// A statement of an operator, which is sent only once, because the database could not recognize a second copy.
const ONCE: Nature = Nature {
    can_be_repeated: false,
    ..Nature::PLAIN
};

impl<D: Driver> SqlLocks<D> {
    /// Reads the records of the selected locks, in no particular order.
    ///
    /// # Errors
    ///
    /// The database cannot be queried.
    ///
    /// # Cancel safety
    ///
    /// The call changes nothing.
    pub async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let limit = match selection {
            Selection::Name(_) => LIMIT,
            Selection::Prefix(_) => SET_UP_LIMIT,
        };
        self.ask_within(limit, &Read(selection)).await
    }

    /// Carries out an operator's pause, resume or forced release on the record of a lock. Returns false if there was nothing to change.
    ///
    /// The statement is sent only once. After an error of the kinds [`ErrorKind::Timeout`] and [`ErrorKind::Indeterminate`], the statement
    /// may still be executed.
    ///
    /// # Errors
    ///
    /// The database cannot be queried, or the end of a pause is in the past by the clock set with [`SqlOptions::with_clock`](crate::SqlOptions::with_clock).
    ///
    /// # Cancel safety
    ///
    /// The statement of a dropped call may still be executed.
    pub async fn overrule(
        &self,
        lock: &LockName,
        overrule: &Overrule<'_>,
    ) -> Result<bool, LockError> {
        overrule_once(self, lock, overrule).await
    }

    /// Deletes a batch of the records of locks whose names begin with `prefix`, compared byte by byte, and that have been free for
    /// `unused_for`. Returns the number of deleted records; zero means that there are no more.
    ///
    /// # Errors
    ///
    /// The database cannot be queried, or its user may not delete rows.
    ///
    /// # Cancel safety
    ///
    /// The batch of a dropped call may still be deleted.
    pub async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let deleted = self
            .ask_within(LIMIT, &Forget::new(prefix, unused_for))
            .await;
        deleted.map_err(|error| self.needs_delete(error))
    }

    /// Adds the `GRANT` for `DELETE` to an error: only `forget` deletes rows, so a user may lack just this privilege.
    fn needs_delete(&self, error: LockError) -> LockError {
        match error.kind() {
            ErrorKind::Permission => {
                error.with_remedy(format!("run: {}", self.names.grant_delete()))
            }
            _ => error,
        }
    }
}

async fn overrule_once<D: Driver>(
    locks: &SqlLocks<D>,
    lock: &LockName,
    overrule: &Overrule<'_>,
) -> Result<bool, LockError> {
    match *overrule {
        Overrule::Release { mark } => {
            let mark = &mark.to_string();
            let rows = locks
                .ask_within(LIMIT, &ForceRelease { lock, mark })
                .await?;
            Ok(rows > 0)
        }
        Overrule::Resume => Ok(locks.ask_within(LIMIT, &Resume(lock)).await? > 0),
        Overrule::Pause { mark, until } => {
            let mark = &mark.to_string();
            let since_1970 = until.duration_since(UNIX_EPOCH).unwrap_or_default();
            let until = whole_millis(since_1970);
            match locks
                .ask_within(LIMIT, &Pause { lock, mark, until })
                .await?
            {
                PauseAnswer::Paused => Ok(true),
                PauseAnswer::Unusable(row) => Err(row.into()),
                PauseAnswer::EndHasPassed => {
                    let passed = "the end of the pause has passed by the database's clock";
                    let passed = LockError::new(ErrorKind::InvalidDuration, passed);
                    Err(passed.with_remedy("compare that clock with this machine's"))
                }
            }
        }
        _ => {
            let problem = format!("there is no statement to {overrule} a lock");
            Err(LockError::new(ErrorKind::Unsupported, problem))
        }
    }
}

/// Rounds up to whole milliseconds, so that no column ends a pause early.
fn whole_millis(since_1970: Duration) -> Duration {
    let millis = since_1970.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(millis.try_into().unwrap_or(u64::MAX))
}

/// Reads the records of locks.
struct Read<'a>(Selection<'a>);

impl Operation for Read<'_> {
    type Answer = Vec<LockInfo>;

    const NATURE: Nature = Nature::WITH_TOKEN;

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<Vec<LockInfo>, OnceError<D::Error>> {
        let admin = &context.statements.admin;
        let column = context.column;
        let (with_position, plain, name) = match self.0 {
            Selection::Name(lock) => {
                let name = lock.as_str();
                (&admin.read_position, admin.read_one(column), name)
            }
            Selection::Prefix(_) => (&admin.read_all_positions, admin.read_all(column), ""),
        };
        let values = context.values(name, Duration::ZERO);
        let read = match column {
            TokenColumn::Present => context.fetch::<D>(connection, with_position, &values).await,
            TokenColumn::Missing => context.fetch::<D>(connection, plain, &values).await,
        };
        let rows = match read {
            // A table without positions.
            Err(error) if D::fault(&error) == Some(Fault::MissingColumn) => {
                context.fetch::<D>(connection, plain, &values).await?
            }
            read => read?,
        };
        let locks = rows.iter().map(records::lock);
        let mut locks = locks.collect::<Result<Vec<_>, _>>()?;
        if let Selection::Prefix(prefix) = self.0 {
            locks.retain(|lock| lock.name.starts_with(prefix));
        }
        Ok(locks)
    }
}

struct ForceRelease<'a> {
    lock: &'a LockName,
    mark: &'a str,
}

impl Operation for ForceRelease<'_> {
    type Answer = u64;

    const NATURE: Nature = ONCE;

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<u64, OnceError<D::Error>> {
        let mut values = context.values(self.lock.as_str(), Duration::ZERO);
        values.owner = self.mark;
        let statement = &context.statements.admin.force_release;
        context
            .change_rows::<D>(connection, statement, &values)
            .await
    }
}

struct Resume<'a>(&'a LockName);

impl Operation for Resume<'_> {
    type Answer = u64;

    const NATURE: Nature = ONCE;

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<u64, OnceError<D::Error>> {
        let values = context.values(self.0.as_str(), Duration::ZERO);
        let statement = &context.statements.admin.resume;
        context
            .change_rows::<D>(connection, statement, &values)
            .await
    }
}

struct Pause<'a> {
    lock: &'a LockName,
    mark: &'a str,
    /// The end of the pause, since 1970.
    until: Duration,
}

impl Operation for Pause<'_> {
    type Answer = PauseAnswer;

    const NATURE: Nature = Nature {
        columns: OptionalColumns::Token,
        ..ONCE
    };

    fn end(&self) -> LeaseEnd {
        LeaseEnd::At(self.until)
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<PauseAnswer, OnceError<D::Error>> {
        let mut values = context.values(self.lock.as_str(), Duration::ZERO);
        values.owner = self.mark;
        values.until = micros(self.until);
        Ok(answers::pause::<D>(connection, context, &values).await?)
    }
}

/// Deletes a batch of records that have been unused for a given time.
struct Forget<'a> {
    prefix: &'a str,
    unused_for: Duration,
}

/// A limit on `unused_for` that no database's date arithmetic exceeds, and that no lock reaches.
const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

impl<'a> Forget<'a> {
    fn new(prefix: &'a str, unused_for: Duration) -> Self {
        Self {
            prefix,
            unused_for: unused_for.min(LONGEST),
        }
    }
}

impl Operation for Forget<'_> {
    type Answer = u64;

    const NATURE: Nature = Nature::PLAIN;

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<u64, OnceError<D::Error>> {
        let values = context.values(self.prefix, self.unused_for);
        let statement = &context.statements.admin.prune;
        context
            .change_rows::<D>(connection, statement, &values)
            .await
    }
}
