//! What a held lock asks of its store.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::timeout;

use super::{End, LockState};
use crate::observe::event::LossReason;
use crate::observe::events::{self, Question, Subject};
use crate::seam::answer::Ownership;
use crate::values::config::check_at_most;
use crate::values::duration::{InvalidDuration, ToDuration};
use crate::values::error::{ErrorKind, LockError, Operation};

/// How long the release of a process that ends waits for an extension.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long an extension by keep-alive takes at most, and how late it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Try {
    pub(crate) limit: Duration,
    /// `None` for an extension by hand.
    pub(crate) late: Option<Duration>,
}

impl LockState {
    /// Moves the end of the lease, by hand.
    pub(crate) async fn extend(
        &self,
        at_most: impl ToDuration,
        at_least: impl ToDuration,
    ) -> Result<(), LockError> {
        let by_hand = Try {
            limit: self.timeout,
            late: None,
        };
        let refused = |invalid: InvalidDuration| self.not_extended(invalid.into());
        let at_most = at_most.to_duration().map_err(refused)?;
        let at_least = at_least.to_duration().map_err(refused)?;
        check_at_most(at_most).map_err(refused)?;
        self.try_extend(at_most, at_least, by_hand).await
    }

    fn not_extended(&self, error: LockError) -> LockError {
        let Subject { name, provider, .. } = &self.subject;
        error.with_context(Operation::Extend, provider, Some(name))
    }

    pub(crate) async fn try_extend(
        &self,
        at_most: Duration,
        at_least: Duration,
        Try { limit, late }: Try,
    ) -> Result<(), LockError> {
        let _one_at_a_time = self.asking.lock().await;
        let Some(left) = self.remaining() else {
            return Err(self.not_extended(lost()));
        };
        let end = self.now().saturating_add(at_most);
        if late.is_some() && end <= self.deadline() {
            // It was extended further by hand while this one waited for its turn.
            return Ok(());
        }
        // The store may carry out a request whose answer is lost: an earlier end counts from now on.
        self.shorten(end);
        let mut lease = self.current_lease();
        // For a wrapper that keeps the lease.
        lease.raise_at_least(self.now(), at_least);
        let question = self.question(Operation::Extend, Some(at_most));
        let call = self.provider().extend(&lease, at_most);
        let error = match question.ask(limit.min(left).min(at_most), call).await {
            Ok(Ownership::Ours) => {
                self.deadline.store(end.as_nanos(), Ordering::Release);
                self.lease().raise_at_least(self.now(), at_least);
                events::extended(self, at_most, left, late);
                return Ok(());
            }
            Ok(Ownership::Lost) => LockError::new(
                ErrorKind::Lost,
                "the store says that the lock is not ours any more",
            ),
            Err(error) => error,
        };
        if error.kind() == ErrorKind::Lost {
            let why = "the store says that the lock is not ours";
            self.lose(LossReason::Stolen, why);
        }
        Err(self.not_extended(error))
    }

    /// Waits for the answer to whatever the store was asked before, unless it takes too long.
    async fn unasked(&self) -> Option<MutexGuard<'_, ()>> {
        if let Ok(guard) = self.asking.try_lock() {
            return Some(guard);
        }
        let limit = if self.is_shut_down() {
            self.timeout.min(PATIENCE)
        } else {
            self.timeout
        };
        // Seldom, so it makes no release larger.
        Box::pin(timeout(limit, self.asking.lock())).await.ok()
    }

    /// Asks the store once to take the lock back, unless it has it.
    pub(crate) async fn release_once(&self) -> Result<Ownership, LockError> {
        let _one_at_a_time = self.unasked().await;
        if self.active.is_settled() {
            return Ok(Ownership::Ours);
        }
        let lease = self.current_lease();
        // By this node's own count: the time of day may have been set since the acquisition.
        let clock = self.provider().info().clock();
        let keep_for = lease.at_least_left(clock);
        let question = self.question(Operation::Release, None);
        let answer = question
            .ask(self.timeout, self.provider().release(&lease, keep_for))
            .await;
        match &answer {
            Ok(Ownership::Ours) => {
                events::released(self, || lease.at_least_left(clock));
            }
            Ok(Ownership::Lost) => {
                let (reason, why) = if self.remaining().is_some() {
                    (LossReason::Stolen, "it was gone when it was to be released")
                } else {
                    (
                        LossReason::Deadline,
                        "its lease had ended when it was to be released",
                    )
                };
                self.lose(reason, why);
            }
            Err(_) => {}
        }
        if answer.is_ok() {
            self.active.settle();
        }
        self.end(End::Released);
        answer.map_err(|error| {
            let name = Some(&self.subject.name);
            error.with_context(Operation::Release, self.subject.provider, name)
        })
    }

    fn question(&self, operation: Operation, length: Option<Duration>) -> Question<'_> {
        Question {
            operation,
            lock: self.name(),
            info: self.provider().info(),
            length,
        }
    }
}

fn lost() -> LockError {
    LockError::new(
        ErrorKind::Lost,
        "the lease has ended, so the lock may be somebody else's",
    )
}
