//! Asking the database until there is an answer, or no sense in asking again, or no time.

use std::time::{Duration, Instant};

use backon::ExponentialBackoff;
use shedlock_runtime::LockError;

use super::SqlLocks;
use super::errors;
use super::operations::Operation;
use crate::dialect::Dialect;
use crate::driver::{Connection as _, Driver, Replaced};

/// The part of the time that a connection which may be dead has to answer: at most, and at least.
const PART: Duration = Duration::from_secs(1);
const LEAST_PART: Duration = Duration::from_millis(50);
/// How much later than it was told a server may say that others are busy.
const LATENESS: Duration = Duration::from_millis(300);

/// What the database answered.
pub(super) struct Reply<A> {
    pub(super) answer: A,
    /// Whether an earlier request of this call got no answer, and may still be on its way.
    pub(super) is_in_doubt: bool,
}

/// Why there is no answer, when the call has ended.
pub(super) enum AskError {
    /// There will be none.
    Failed(LockError),
    /// Others were at the row each time; nothing was written.
    Busy(LockError),
}

impl From<AskError> for LockError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Failed(error) | AskError::Busy(error) => error,
        }
    }
}

/// Why there is no answer on one connection.
pub(super) enum OnceError<E> {
    /// The driver's error.
    Driver(E),
    /// An answer that no other connection would change.
    Refused(LockError),
    /// The connection is inside somebody else's transaction.
    InsideTransaction,
    /// The connection leads to a file that is not the one of that name any more.
    Moved,
    /// The connection may be dead: it sat idle, and has not answered in its part of the time.
    Silent(Duration),
}

impl<E> From<E> for OnceError<E> {
    fn from(error: E) -> Self {
        Self::Driver(error)
    }
}

/// What one call has tried, and the time that is left.
pub(super) struct Effort {
    began: Instant,
    limit: Duration,
    pub(super) replaced: Replaced,
    /// The pauses between tries at a table where others are, once somebody was there.
    pub(super) pauses: Option<ExponentialBackoff>,
    /// What is to be told if no connection gives a better answer: a statement may have been carried out.
    pub(super) unsure: Option<LockError>,
    /// Whether a column was missing before, so that the statement after it named no token.
    pub(super) has_left_the_token_out: bool,
}

impl Effort {
    fn new(limit: Duration) -> Self {
        Self {
            began: Instant::now(),
            limit,
            replaced: Replaced::default(),
            pauses: None,
            unsure: None,
            has_left_the_token_out: false,
        }
    }

    pub(super) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.began.elapsed())
    }

    /// Whether there is time for one more try of this length, and then for saying what came of it.
    pub(super) fn is_enough_for(&self, length: Duration, dialect: Dialect) -> bool {
        let rest = if dialect.is_busy_briefly() { 10 } else { 4 };
        self.left() > length + self.limit / rest
    }
}

impl<D: Driver> SqlLocks<D> {
    /// Asks until there is an answer, or no sense in asking again, or no time.
    ///
    /// Asking again is safe: the number of the write makes each statement idempotent. An answer lost on a dead connection is
    /// made up for on a new one, so the first call after a restart of the database simply works.
    ///
    /// What is seldom done is boxed: it would make the future of every call larger, and that is moved several times.
    pub(super) async fn ask<O: Operation>(
        &self,
        operation: &O,
        limit: Duration,
    ) -> Result<Reply<O::Answer>, AskError> {
        let mut effort = Effort::new(limit);
        loop {
            let part = operation.patience(part(effort.left(), D::DIALECT.row_wait()));
            let mut connection = self.checkout(part, &mut effort).await?;
            match self
                .ask_here(&mut connection, operation, effort.left())
                .await
            {
                Ok(answer) => {
                    connection.give_back();
                    let is_in_doubt = effort.unsure.is_some();
                    return Ok(Reply {
                        answer,
                        is_in_doubt,
                    });
                }
                Err(error) => {
                    let end = self.after(error, connection, O::NATURE, &mut effort);
                    if let Some(end) = Box::pin(end).await {
                        // An earlier request may still be carried out, so whoever asked must look for what it is granted.
                        return Err(effort.unsure.map_or(end, AskError::Failed));
                    }
                }
            }
        }
    }

    async fn checkout(
        &self,
        part: Duration,
        effort: &mut Effort,
    ) -> Result<D::Connection, AskError> {
        let checkout = self
            .driver
            .checkout(effort.left(), part, &mut effort.replaced);
        checkout.await.map_err(|none| {
            let none = || errors::no_connection::<D>(&self.names, none, effort.began);
            AskError::Failed(effort.unsure.take().unwrap_or_else(none))
        })
    }

    /// Asks on this connection, for as long as it deserves; an answer that was given in a file that was moved away does not
    /// count.
    async fn ask_here<O: Operation>(
        &self,
        connection: &mut D::Connection,
        operation: &O,
        left: Duration,
    ) -> Result<O::Answer, OnceError<D::Error>> {
        let part = operation.patience(part(left, D::DIALECT.row_wait()));
        if !O::NATURE.can_be_repeated && !connection.is_new() {
            // So it is sent only once, on a connection that has just answered.
            let alive = connection.query("SELECT 1".to_owned());
            let alive = Box::pin(tokio::time::timeout(part, alive)).await;
            drop(alive.map_err(|_elapsed| OnceError::Silent(part))??);
        }
        let is_limited = O::NATURE.can_be_repeated && connection.may_be_dead();
        let once = self.ask_once(connection, operation);
        let answer = if is_limited {
            tokio::time::timeout(part, once)
                .await
                .unwrap_or(Err(OnceError::Silent(part)))
        } else {
            once.await
        };
        // Afterwards: what was answered before the file was replaced is as good as any lock that was held then.
        if self.driver.has_moved(connection) {
            return Err(OnceError::Moved);
        }
        answer
    }
}

/// The part of the time that goes to a connection that may be dead. One that only waits for others is not.
fn part(left: Duration, waits: Duration) -> Duration {
    let others = (waits + LATENESS).min(left / 2);
    (left / 4).clamp(LEAST_PART, PART).max(others)
}
