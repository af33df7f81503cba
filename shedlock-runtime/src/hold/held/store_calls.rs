//! The calls to the store about a held lock: extensions and releases, one at a time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::timeout;

use super::LockState;
use crate::hold::claims;
use crate::observe::event::LossReason;
use crate::observe::events::{self, HeldLock as _, Question, Subject};
use crate::seam::answer::Ownership;
use crate::values::config::check_at_most;
use crate::values::duration::{InvalidDuration, ToDuration};
use crate::values::error::{ErrorKind, LockError, Operation};

/// How long a release waits for the answer to an extension while the process shuts down.
const MAX_WAIT_IN_SHUTDOWN: Duration = Duration::from_millis(200);

/// One attempt to extend a lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExtendAttempt {
    /// How long the call to the store may take.
    pub(crate) limit: Duration,
    /// How late keep-alive began the attempt; `None` if the program called `extend`.
    pub(crate) late: Option<Duration>,
}

impl LockState {
    /// Extends the lease because the program called `extend`.
    pub(crate) async fn extend(
        &self,
        at_most: impl ToDuration,
        at_least: impl ToDuration,
    ) -> Result<(), LockError> {
        let by_hand = ExtendAttempt {
            limit: self.timeout,
            late: None,
        };
        let refused = |invalid: InvalidDuration| self.not_extended(invalid.into());
        let at_most = at_most.to_duration().map_err(refused)?;
        let at_least = at_least.to_duration().map_err(refused)?;
        check_at_most(at_most).map_err(refused)?;
        let keeps = self.provider().info().check_extension(at_most, at_least);
        keeps.map_err(|beyond| self.not_extended(beyond))?;
        self.try_extend(at_most, at_least, by_hand).await
    }

    fn not_extended(&self, error: LockError) -> LockError {
        let Subject { name, provider, .. } = &self.subject;
        error.with_context(Operation::Extend, provider, Some(name))
    }

    /// Moves the end of the lease to `at_most` from now, if the store says that the lock still belongs to this holder.
    pub(crate) async fn try_extend(
        &self,
        at_most: Duration,
        at_least: Duration,
        ExtendAttempt { limit, late }: ExtendAttempt,
    ) -> Result<(), LockError> {
        let patience = limit.min(self.remaining().unwrap_or_default());
        // Without that answer the end of the lease is not known, so an extension does not go on without it, as a release does.
        let Some(_one_at_a_time) = self.wait_for_previous_call(patience).await else {
            return Err(self.not_extended(self.previous_call_hangs()));
        };
        let Some(left) = self.remaining() else {
            return Err(self.not_extended(lost()));
        };
        let end = self.now().saturating_add(at_most);
        if late.is_some() && end <= self.deadline() {
            // While this attempt waited for the previous call, the program extended the lease further than this attempt would.
            return Ok(());
        }
        // The store may carry out a request whose answer gets lost, so if the new end is earlier, it applies from now on.
        self.shorten(end);
        let mut lease = self.current_lease();
        // A wrapper may store this lease, and release the lock with it later.
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

    /// Waits until the previous call to the store has its answer; `None` if that takes longer than `limit`. The future of that call may be
    /// polled by nobody: the body may have left it for something else.
    async fn wait_for_previous_call(&self, limit: Duration) -> Option<MutexGuard<'_, ()>> {
        if let Ok(guard) = self.store_call.try_lock() {
            return Some(guard);
        }
        // On the heap, because waiting is rare: inside the future, the timer would make every call larger.
        Box::pin(timeout(limit, self.store_call.lock())).await.ok()
    }

    fn previous_call_hangs(&self) -> LockError {
        if self.remaining().is_none() {
            return lost();
        }
        LockError::new(
            ErrorKind::Timeout,
            "another extension of this lock has no answer yet",
        )
        .with_remedy("await each `extend` to its end before anything else")
    }

    /// Sends one release to the store, unless the lock has been released already.
    pub(crate) async fn release_once(&self) -> Result<Ownership, LockError> {
        let limit = if self.snapshot().is_shut_down() {
            self.timeout.min(MAX_WAIT_IN_SHUTDOWN)
        } else {
            self.timeout
        };
        let _one_at_a_time = self.wait_for_previous_call(limit).await;
        if self.is_given_back() {
            return Ok(Ownership::Ours);
        }
        let lease = self.current_lease();
        // By this node's forward clock, because the time of day may have been set since the acquisition.
        let clock = self.provider().info().clock();
        let longest = self.provider().info().capabilities().longest_lease();
        let keep_for = lease.at_least_left(clock).min(longest);
        let question = self.question(Operation::Release, None);
        self.releases_sent.fetch_add(1, Ordering::AcqRel);
        let answer = question
            .ask(self.timeout, self.provider().release(&lease, keep_for))
            .await;
        match &answer {
            Ok(Ownership::Ours) => {
                events::released(self, || lease.at_least_left(clock));
            }
            // An earlier release may have been carried out without an answer, and then the lock was not lost.
            Ok(Ownership::Lost) if self.releases_sent.load(Ordering::Acquire) == 1 => {
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
            Ok(Ownership::Lost) | Err(_) => {}
        }
        if answer.is_ok() {
            self.ticket.done();
            if let Some(kept_for) = self.claims_kept_for {
                let runtime = self.runtime.as_ref();
                claims::clean_up(&self.provider, &self.subject, kept_for, runtime);
            }
        }
        self.note_release();
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
