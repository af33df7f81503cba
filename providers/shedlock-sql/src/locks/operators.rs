//! What an operator asks.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{ErrorKind, LockError, LockInfo, LockName};

use super::ask::OnceError;
use super::once::{Context, micros};
use super::operations::{Nature, Operation};
use super::table::LeaseEnd;
use super::{LIMIT, SqlLocks};
use crate::answers::{self, PauseAnswer, records};
use crate::driver::Driver;

/// Whose records to read.
///
/// # Examples
///
/// ```
/// use shedlock_sql::Records;
///
/// let all = Records::Prefix("");
/// assert!(matches!(all, Records::Prefix(prefix) if prefix.is_empty()));
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Records<'a> {
    /// The one of this lock, if there is one.
    One(&'a LockName),
    /// Those of all locks whose names begin with this prefix, byte by byte.
    Prefix(&'a str),
}

/// What an operator's word does to the record of a lock.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::OperatorMark;
/// use shedlock_sql::Overrule;
///
/// let mark = OperatorMark::released("the node is gone").to_string();
/// let release = Overrule::Release { mark: &mark };
/// assert!(format!("{release:?}").contains("the node is gone"));
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Overrule<'a> {
    /// Frees the lock, whoever holds it.
    Release {
        /// What the record bears instead of an owner: [`OperatorMark`](shedlock_runtime::OperatorMark) as text.
        mark: &'a str,
    },
    /// Keeps every node from the lock.
    Pause {
        /// What the record bears instead of an owner: [`OperatorMark`](shedlock_runtime::OperatorMark) as text.
        mark: &'a str,
        /// The end of the pause.
        until: SystemTime,
    },
    /// Ends a pause.
    Resume,
}

/// Of a statement that an operator has sent: only once, as nothing in it tells a second copy.
const ONCE: Nature = Nature {
    can_be_repeated: false,
    ..Nature::PLAIN
};

pub(super) async fn overrule<D: Driver>(
    locks: &SqlLocks<D>,
    lock: &LockName,
    how: &Overrule<'_>,
) -> Result<bool, LockError> {
    match *how {
        Overrule::Release { mark } => {
            let rows = locks
                .ask_within(LIMIT, &ForceRelease { lock, mark })
                .await?;
            Ok(rows > 0)
        }
        Overrule::Resume => Ok(locks.ask_within(LIMIT, &Resume(lock)).await? > 0),
        Overrule::Pause { mark, until } => {
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
    }
}

/// Up to a column's milliseconds, so that none ends a pause early.
fn whole_millis(since_1970: Duration) -> Duration {
    let millis = since_1970.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(millis.try_into().unwrap_or(u64::MAX))
}

impl Operation for Records<'_> {
    type Answer = Vec<LockInfo>;

    const NATURE: Nature = Nature::WITH_TOKEN;

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<Vec<LockInfo>, OnceError<D::Error>> {
        let admin = &context.statements.admin;
        let (statement, name, prefix) = match self {
            Self::One(lock) => (admin.read_one(context.column), lock.as_str(), ""),
            Self::Prefix(prefix) => (admin.read_all(context.column), "", *prefix),
        };
        let values = context.values(name, Duration::ZERO);
        let rows = context.fetch::<D>(connection, statement, &values).await?;
        let locks = rows.iter().map(records::lock);
        let mut locks = locks.collect::<Result<Vec<_>, _>>()?;
        locks.retain(|lock| lock.name.starts_with(prefix));
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
        Ok(context
            .execute::<D>(connection, statement, &values)
            .await?
            .rows)
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
        Ok(context
            .execute::<D>(connection, statement, &values)
            .await?
            .rows)
    }
}

struct Pause<'a> {
    lock: &'a LockName,
    mark: &'a str,
    /// Since 1970.
    until: Duration,
}

impl Operation for Pause<'_> {
    type Answer = PauseAnswer;

    const NATURE: Nature = Nature {
        names_the_token: true,
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

/// Deletes a batch of records that nobody has used for long.
pub(super) struct Forget<'a> {
    prefix: &'a str,
    unused_for: Duration,
}

/// No database reckons further back than this, and no lock is older.
const LONGEST: Duration = Duration::from_secs(36_500 * 24 * 60 * 60);

impl<'a> Forget<'a> {
    pub(super) fn new(prefix: &'a str, unused_for: Duration) -> Self {
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
        Ok(context
            .execute::<D>(connection, statement, &values)
            .await?
            .rows)
    }
}
