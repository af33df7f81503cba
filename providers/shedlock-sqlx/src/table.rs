//! What is known of the table, and what an error about it means exactly.

use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use shedlock_runtime::{InvalidDuration, LockError};
use shedlock_sql::Fault;

use crate::ask::{Ask, Inner};
use crate::store::Store;

/// The last second of a column of type TIMESTAMP, and a margin for clocks that differ.
const UNTIL_2038: Duration = Duration::from_secs(i32::MAX as u64 - 86_400);
const END_OF_2038: &str = "2038-01-19 03:14:07 UTC";

/// What is known of the table.
pub(crate) const UNKNOWN: u8 = 0;
const ENDLESS: u8 = 1;
const ENDS_IN_2038: u8 = 2;

impl<DB: Store> Inner<DB> {
    /// Finds out what must be known of the table, once.
    pub(crate) async fn learn(
        &self,
        connection: &mut DB::Connection,
    ) -> Result<Result<(), sqlx::Error>, LockError> {
        if DB::REFUSES_BAD_TABLES || self.known.load(Ordering::Relaxed) != UNKNOWN {
            return Ok(Ok(()));
        }
        let description = match DB::describe(connection, &self.names, &self.statements).await {
            Ok(description) => description,
            Err(error) => return Ok(Err(error)),
        };
        // A table that is not there, or not for us, is the statement's affair.
        if !description.is_empty() {
            let _warnings = description.check(&self.names)?;
            let ends = description.ends_in_2038(&self.names);
            let known = if ends { ENDS_IN_2038 } else { ENDLESS };
            self.known.store(known, Ordering::Relaxed);
        }
        Ok(Ok(()))
    }

    /// Looks at the table before the first lock, in databases that would not refuse a bad one; and refuses a lease that
    /// the table is known not to keep. Without strict mode its end would become zero, and the lock would be free at once.
    pub(crate) async fn look(
        &self,
        connection: &mut DB::Connection,
        ask: &Ask<'_>,
    ) -> Result<Result<(), sqlx::Error>, LockError> {
        let since_1970 = || self.info.clock().utc().duration_since(UNIX_EPOCH);
        let in_future = |duration| since_1970().unwrap_or_default().saturating_add(duration);
        let end = match ask {
            Ask::Acquire(attempt) => in_future(attempt.at_most()),
            Ask::Change { duration, .. } => in_future(*duration),
            Ask::Pause { until, .. } => *until,
            Ask::Read(_) | Ask::Steer { .. } | Ask::Prune { .. } => Duration::ZERO,
            Ask::EnsureTable | Ask::Describe => return Ok(Ok(())),
        };
        if let Err(error) = self.learn(connection).await? {
            return Ok(Err(error));
        }
        if end > UNTIL_2038 && self.known.load(Ordering::Relaxed) == ENDS_IN_2038 {
            return Err(InvalidDuration::BeyondColumn { limit: END_OF_2038 }.into());
        }
        Ok(Ok(()))
    }

    /// What exactly is wrong with the table, after an error that says that something is.
    pub(crate) async fn diagnose(
        &self,
        connection: &mut DB::Connection,
        fault: Fault,
    ) -> Option<LockError> {
        let about_columns = [
            Fault::MissingColumn,
            Fault::MissingKey,
            Fault::Shape,
            Fault::TooLong,
        ];
        if !about_columns.contains(&fault) {
            return None;
        }
        let described = DB::describe(connection, &self.names, &self.statements)
            .await
            .ok()?;
        described.check(&self.names).err()
    }

    /// Forgets what the table was like.
    pub(crate) fn forget(&self) {
        self.plain.store(false, Ordering::Relaxed);
        self.known.store(UNKNOWN, Ordering::Relaxed);
    }
}
