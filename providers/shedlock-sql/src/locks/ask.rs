//! Runs an operation with retries, until there is an answer, a retry cannot help, or the time is used up.

use std::pin::pin;
use std::time::{Duration, Instant};

use backon::ExponentialBackoff;
use shedlock_runtime::{LockError, first_attempt_limit};
use tokio::sync::SemaphorePermit;

use super::SqlLocks;
use super::cure::Asked;
use super::errors;
use super::operations::Operation;
use crate::dialect::Dialect;
use crate::driver::{Connection as _, Driver, Replaced};

/// How much later than its configured lock timeout a server may report that a row is busy.
const LATENESS: Duration = Duration::from_millis(300);

/// The database's answer to an operation.
pub(super) struct Reply<A> {
    pub(super) answer: A,
    /// Whether an earlier request of this call got no answer, and may still be executed.
    pub(super) is_in_doubt: bool,
}

/// Why a call has ended without an answer.
pub(super) enum AskError {
    /// A retry cannot help.
    Failed(LockError),
    /// Other sessions had locked the row at each try; nothing was written.
    Busy(LockError),
}

impl From<AskError> for LockError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Failed(error) | AskError::Busy(error) => error,
        }
    }
}

/// Why one connection gave no answer.
pub(super) enum OnceError<E> {
    /// The driver's error.
    Driver(E),
    /// An error that any other connection would give too.
    Refused(LockError),
    /// The connection is inside a transaction of other code.
    InsideTransaction,
    /// The SQLite file that the connection has open was moved or replaced.
    Moved,
    /// The connection may be dead: it was open already, and did not answer within this time.
    Silent(Duration),
}

impl<E> From<E> for OnceError<E> {
    fn from(error: E) -> Self {
        Self::Driver(error)
    }
}

/// What one call has tried so far, and its remaining time.
pub(super) struct Effort {
    began: Instant,
    limit: Duration,
    pub(super) replaced: Replaced,
    /// The pauses between tries at a busy table; set at the first try that found it busy.
    pub(super) pauses: Option<ExponentialBackoff>,
    /// The error to return if no connection gives a better answer: a statement may have been executed.
    pub(super) unsure: Option<LockError>,
    /// Whether a column was missing at an earlier try, so that the next statement left out the fencing token.
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

    /// Whether there is time for one more try of this length, and then to report its result.
    pub(super) fn is_enough_for(&self, length: Duration, dialect: Dialect) -> bool {
        let rest = if dialect.is_busy_briefly() { 10 } else { 4 };
        self.left() > length + self.limit / rest
    }
}

impl<D: Driver> SqlLocks<D> {
    /// Runs the operation, with retries until there is an answer, a retry cannot help, or the time is used up.
    ///
    /// A retry is safe: the number of the write makes each statement idempotent. After an answer was lost on a dead connection, the
    /// operation is retried on a new one, so the first call after a restart of the database succeeds.
    ///
    /// Rare futures are boxed: they would make the future of every call larger, which is moved several times.
    pub(super) async fn ask<O: Operation>(
        &self,
        operation: &O,
        limit: Duration,
    ) -> Result<Reply<O::Answer>, AskError> {
        let mut effort = Effort::new(limit);
        loop {
            let turn = match effort.pauses {
                Some(_) => Box::pin(self.turn(effort.left())).await,
                None => None,
            };
            let part = operation.patience(part(effort.left(), self.driver.row_wait()));
            let mut connection = self.checkout(part, &mut effort).await?;
            let asked = self
                .ask_here(&mut connection, operation, effort.left())
                .await;
            drop(turn);
            match asked {
                Ok(answer) => {
                    connection.give_back();
                    let is_in_doubt = effort.unsure.is_some();
                    return Ok(Reply {
                        answer,
                        is_in_doubt,
                    });
                }
                Err(error) => {
                    let asked = Asked {
                        nature: O::NATURE,
                        names: operation.names(&self.names),
                    };
                    let end = self.after(error, connection, asked, &mut effort);
                    if let Some(end) = Box::pin(end).await {
                        // An earlier request may still be executed, so the caller must look for a lock that was granted to it.
                        return Err(effort.unsure.map_or(end, AskError::Failed));
                    }
                }
            }
        }
    }

    /// Waits, on a connection that all calls share, until no other call retries at a busy row: so at most one statement at a time waits for
    /// a row that was found busy before, and holds up the statements behind it.
    async fn turn(&self, left: Duration) -> Option<SemaphorePermit<'_>> {
        let is_shared = self.driver.row_wait() < D::DIALECT.row_wait();
        if !is_shared {
            return None;
        }
        let turn = tokio::time::timeout(left, self.retrying.acquire());
        turn.await.ok()?.ok()
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

    /// Runs the operation on this connection, with a shorter time limit if the connection may be dead. An answer from a SQLite file
    /// that was moved or replaced is discarded.
    async fn ask_here<O: Operation>(
        &self,
        connection: &mut D::Connection,
        operation: &O,
        left: Duration,
    ) -> Result<O::Answer, OnceError<D::Error>> {
        let part = operation.patience(part(left, self.driver.row_wait()));
        if !O::NATURE.can_be_repeated && !connection.is_new() {
            // A statement that must not be repeated is sent once, on a connection that has just answered.
            let alive = connection.query("SELECT 1".to_owned());
            let alive = Box::pin(tokio::time::timeout(part, alive)).await;
            drop(alive.map_err(|_elapsed| OnceError::Silent(part))??);
        }
        let is_limited = O::NATURE.can_be_repeated && connection.may_be_dead();
        let pulse = connection.pulse();
        let once = self.ask_once(connection, operation);
        let answer = if is_limited {
            unless_silent(part, pulse, once)
                .await
                .unwrap_or(Err(OnceError::Silent(part)))
        } else {
            once.await
        };
        // Checked afterwards: an answer from before the file was replaced is as good as any lock that was held then.
        if self.driver.has_moved(connection) {
            return Err(OnceError::Moved);
        }
        answer
    }
}

/// The answer; none if the connection gives no answer for `part`, neither to this call nor, by its pulse, to another one.
async fn unless_silent<T>(
    part: Duration,
    pulse: impl Fn() -> Option<Instant>,
    once: impl Future<Output = T>,
) -> Option<T> {
    // Pinned in place, because the large future would otherwise be copied.
    let mut once = pin!(once);
    let mut since = Instant::now();
    loop {
        let left = part.saturating_sub(since.elapsed());
        match tokio::time::timeout(left, once.as_mut()).await {
            Ok(answer) => return Some(answer),
            Err(_elapsed) => since = pulse().filter(|answered| *answered > since)?,
        }
    }
}

/// The time limit for a possibly dead connection: longer than a lock wait, so that a waiting statement is not taken for a dead one.
fn part(left: Duration, waits: Duration) -> Duration {
    let others = (waits + LATENESS).min(left / 2);
    first_attempt_limit(left).max(others)
}
