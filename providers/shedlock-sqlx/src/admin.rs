//! What an operator can do to locks in a database.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use shedlock_runtime::{
    ErrorKind, LockError, LockInfo, LockName, LockRecords, Operation, Overrule, Selection,
};
use sqlx::{ColumnIndex, Decode, Row};

use crate::ask::LIMIT;
use crate::error;
use crate::provider::{SET_UP_LIMIT, SqlxLockProvider};
use crate::question::{Ask, Change, Reply};
use crate::store::{Paused, Store, Verdict};

impl<DB: Store> SqlxLockProvider<DB> {
    async fn read(
        &self,
        limit: Duration,
        operation: Operation,
        lock: Option<&LockName>,
    ) -> Result<Vec<LockInfo>, LockError> {
        let ask = Ask::Read(lock);
        Ok(match self.ask_within(limit, operation, lock, &ask).await? {
            Reply::Locks(locks) => locks,
            _ => Vec::new(),
        })
    }

    /// Changes the row of one lock, and says whether there was one to change.
    async fn steer(
        &self,
        operation: Operation,
        lock: &LockName,
        change: Change<'_>,
    ) -> Result<bool, LockError> {
        let ask = Ask::Change(change);
        let reply = self.ask_within(LIMIT, operation, Some(lock), &ask).await?;
        Ok(matches!(reply, Reply::Changed(1..)))
    }

    async fn pause(&self, lock: &LockName, until: SystemTime, mark: &str) -> Result<(), LockError> {
        let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        let ask = Ask::Pause {
            lock,
            mark,
            until: whole_millis(until),
        };
        match self
            .ask_within(LIMIT, Operation::Pause, Some(lock), &ask)
            .await?
        {
            Reply::Paused(Paused::Passed) => {
                let passed = "the end of the pause has passed by the database's clock";
                let passed = LockError::new(ErrorKind::InvalidDuration, passed);
                Err(passed.with_remedy("compare that clock with this machine's"))
            }
            Reply::Paused(Paused::OtherName) => match Verdict::other_name() {
                Verdict::Unusable { problem, remedy } => Err(error::unusable(problem, remedy)),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// What changes the record of one lock is sent only once: after an error of the kinds `Timeout` and `Indeterminate` it may still be
/// carried out, and `get` says whether it was.
#[async_trait]
impl<DB: Store> LockRecords for SqlxLockProvider<DB> {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        match selection {
            Selection::Name(name) => self.read(LIMIT, Operation::Get, Some(name)).await,
            Selection::Prefix(prefix) => {
                let mut locks = self.read(SET_UP_LIMIT, Operation::List, None).await?;
                locks.retain(|lock| lock.name.starts_with(prefix));
                Ok(locks)
            }
        }
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        match overrule {
            Overrule::Release { mark } => {
                let change = Change::ForceRelease {
                    lock: name,
                    mark: &mark.to_string(),
                };
                self.steer(Operation::ForceRelease, name, change).await
            }
            Overrule::Pause { mark, until } => {
                self.pause(name, *until, &mark.to_string()).await?;
                Ok(true)
            }
            Overrule::Resume => {
                let change = Change::Resume(name);
                self.steer(Operation::Resume, name, change).await
            }
            _ => Err(LockError::new(
                ErrorKind::Unsupported,
                format!("no statement for: {overrule}"),
            )),
        }
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let ask = Ask::Change(Change::Prune {
            prefix,
            unused_for: unused_for.min(LONGEST),
        });
        let forgotten = self.ask_within(LIMIT, Operation::Prune, None, &ask).await;
        match forgotten.map_err(|error| self.needs_delete(error))? {
            Reply::Changed(deleted) => Ok(deleted),
            _ => Ok(0),
        }
    }
}

/// No database reckons further back than this, and no lock is older.
const LONGEST: Duration = Duration::from_hours(36_500 * 24);

impl<DB: Store> SqlxLockProvider<DB> {
    /// Nothing else deletes rows, so a user who may do all the rest may lack this.
    fn needs_delete(&self, error: LockError) -> LockError {
        match error.kind() {
            ErrorKind::Permission => {
                error.with_remedy(format!("run: {}", self.inner.names.grant_delete()))
            }
            _ => error,
        }
    }
}

/// Up to a column's milliseconds, so that none ends a pause early.
fn whole_millis(since_1970: Duration) -> Duration {
    let millis = since_1970.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(millis.try_into().unwrap_or(u64::MAX))
}

/// What the rows of a statement that reads say of their locks.
pub(crate) fn locks<R>(rows: &[R]) -> Result<Vec<LockInfo>, sqlx::Error>
where
    R: Row,
    usize: ColumnIndex<R>,
    String: for<'r> Decode<'r, R::Database>,
    i64: for<'r> Decode<'r, R::Database>,
{
    let lock = |row: &R| {
        // Anybody may have written the row: a value that cannot be read must not hide all others.
        let text = |at: usize| {
            row.try_get_unchecked::<Option<String>, _>(at)
                .ok()
                .flatten()
        };
        let number = |at: usize| row.try_get_unchecked::<Option<i64>, _>(at).ok().flatten();
        let (name, owner) = (text(0), text(1).unwrap_or_default());
        let (since, until, token) = (number(2), number(3), number(5));
        let now = row.try_get_unchecked(4)?;
        let name = name.as_deref().unwrap_or_default();
        let since = since.map(instant);
        let info = if let Some(until) = until {
            LockInfo::from_record(name, &owner, since, instant(until), instant(now))
        } else {
            let mut info = LockInfo::from_remaining(name, &owner, Duration::ZERO);
            info.since = since;
            info
        };
        let token = token.and_then(|token| u64::try_from(token).ok());
        let info = info.with_fencing_token(token.filter(|token| *token > 0));
        Ok(match (until, since) {
            (None, _) => info.with_problem(match text(6) {
                Some(kind) if kind != "null" => format!("the end of the lease is {kind}"),
                _ => "the end of the lease is NULL".to_owned(),
            }),
            (_, None) => info.with_problem("the start of the lease is not a time"),
            _ => info,
        })
    };
    rows.iter().map(lock).collect()
}

fn instant(micros: i64) -> SystemTime {
    let distance = Duration::from_micros(micros.unsigned_abs());
    let instant = if micros < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    instant.unwrap_or(UNIX_EPOCH)
}
