//! Which runs of a task are allowed: one for each slot, instant or step.

use std::time::{Duration, SystemTime};

use super::LockConfiguration;
use crate::values::claim::{check_kept_for, claim_name};
use crate::values::duration::ToDuration;
use crate::values::error::LockError;
use crate::values::position::Wanted;

impl LockConfiguration {
    /// Runs the task at most once in each slot of length `period`. The slot of a call is the multiple of `period` since 1970 (UTC) that is
    /// nearest to the current time, by the store's clock, or by this node's UTC clock if the store has no clock.
    ///
    /// If the task is scheduled at multiples of `period`, calls that come early or late by less than half a `period` belong to the same
    /// slot. A node whose clock is late therefore does not repeat a short task that another node has completed.
    ///
    /// A call in a slot whose run has begun before is skipped with [`SkipReason::AlreadyRan`](crate::SkipReason::AlreadyRan), even if that
    /// run failed or crashed, unless [`with_attempts`](Self::with_attempts) allows another attempt. A run has begun when the store grants the
    /// lock, even if the answer is lost on the way or comes to a process that shuts down, and no task runs. `with_once_per`, `with_instant` and
    /// `with_step` replace each other: the last call counts.
    ///
    /// # Errors
    ///
    /// `period` cannot be parsed, is shorter than a millisecond or longer than a year. A store without support for positions refuses the
    /// acquisition with [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), before any I/O.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), shedlock_runtime::LockError> {
    /// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockingTaskExecutor, Outcome, SkipReason};
    ///
    /// let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    /// let config = LockConfiguration::new("invoices", "10m")?.with_once_per("300d")?;
    /// assert_eq!(executor.execute(config.clone(), async {}).await?, Outcome::Executed(()));
    /// // Another node's scheduler is a second late. The lock is free, and the run is done.
    /// assert_eq!(executor.execute(config, async {}).await?, Outcome::Skipped(SkipReason::AlreadyRan));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_once_per(self, period: impl ToDuration) -> Result<Self, LockError> {
        self.wanting(Wanted::Slot(period.to_duration()?))
    }

    /// Runs the task at most once for `instant`, the time for which the run is scheduled. A call for an instant earlier than the latest
    /// instant whose run has begun is skipped as well.
    ///
    /// Skips, failed runs and stores without support for positions are treated as by [`with_once_per`](Self::with_once_per).
    ///
    /// # Errors
    ///
    /// `instant` is not after the start of 1970 (UTC).
    pub fn with_instant(self, instant: SystemTime) -> Result<Self, LockError> {
        self.wanting(Wanted::Instant(instant))
    }

    /// Runs the task at most once for `text`, which names the run, such as the id of a message that may be delivered more than once.
    ///
    /// Each text is claimed by a lock of its own, whose name is that of this configuration with the text behind it: `mail@=order-17`. So the
    /// runs for two texts may run at the same time, and metrics are those of the lock without the text. A name and a text that are too long
    /// together for the store are refused; give a hash of the text then. Skips, failed runs and stores without support for positions are
    /// treated as by [`with_once_per`](Self::with_once_per).
    ///
    /// The claim is kept for a week after its run, or as long as [`with_claims_kept_for`](Self::with_claims_kept_for) says; then it is
    /// forgotten, and the same text would run again.
    ///
    /// # Errors
    ///
    /// `text` is empty, or so long that it names no lock in any store.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), shedlock_runtime::LockError> {
    /// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockingTaskExecutor, Outcome, SkipReason};
    ///
    /// let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    /// let mail = |order: &str| LockConfiguration::new("mail", "5m")?.with_instant_text(order);
    /// assert_eq!(executor.execute(mail("order-17")?, async {}).await?, Outcome::Executed(()));
    /// assert_eq!(executor.execute(mail("order-18")?, async {}).await?, Outcome::Executed(()));
    /// let again = executor.execute(mail("order-17")?, async {}).await?;
    /// assert_eq!(again, Outcome::Skipped(SkipReason::AlreadyRan));
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_instant_text(mut self, text: impl AsRef<str>) -> Result<Self, LockError> {
        self.name = claim_name(&self.name, text.as_ref())?;
        self.wanting(Wanted::Claim)
    }

    /// Sets how long the claim of a [text](Self::with_instant_text) is kept after its run. The default is a week.
    ///
    /// Give a longer time than a message may be delivered again. Old claims are deleted in the background by nodes that end a run of the same
    /// lock, at most once a minute and for half a minute or so, or by an operator:
    /// [`LockAdmin::prune_claims`](crate::LockAdmin::prune_claims).
    ///
    /// # Errors
    ///
    /// `kept_for` cannot be parsed, is longer than 36500 days, or is shorter than a minute: that is less than the clocks of nodes may
    /// differ.
    pub fn with_claims_kept_for(mut self, kept_for: impl ToDuration) -> Result<Self, LockError> {
        let kept_for = kept_for.to_duration()?;
        check_kept_for(kept_for)?;
        let seconds = kept_for.as_secs() + u64::from(kept_for.subsec_nanos() > 0);
        self.change_options().claims_kept_for = u32::try_from(seconds).unwrap_or(u32::MAX);
        Ok(self)
    }

    /// How long the claim that this configuration makes is kept; `None` if it makes none.
    pub(crate) fn claims_kept_for(&self) -> Option<Duration> {
        let options = self.options();
        let kept_for = Duration::from_secs(options.claims_kept_for.into());
        (options.wanted == Some(Wanted::Claim)).then_some(kept_for)
    }

    /// Runs the task as step number `step` of a chain, counted from one. A step runs only after the previous step has succeeded, and may be
    /// repeated until it has succeeded.
    ///
    /// A call for a step that has succeeded, or for an earlier step, is skipped with
    /// [`SkipReason::AlreadyRan`](crate::SkipReason::AlreadyRan). A call for a step whose previous step has not succeeded yet is skipped
    /// with [`SkipReason::Gap`](crate::SkipReason::Gap).
    ///
    /// A step succeeds when its task returns. If the task returns an `Err`, the step has failed, provided that the task is run by the
    /// attribute `#[scheduler_lock]`, or by [`execute_with_failure_check`](crate::LockingTaskExecutor::execute_with_failure_check) with
    /// such a check.
    ///
    /// # Errors
    ///
    /// `step` is zero.
    pub fn with_step(self, step: u64) -> Result<Self, LockError> {
        self.wanting(Wanted::Step(step))
    }

    /// Runs the task up to `attempts` times for one slot, instant or step, until a run succeeds. Further calls are skipped with
    /// [`SkipReason::Exhausted`](crate::SkipReason::Exhausted), which is logged at ERROR.
    ///
    /// # Errors
    ///
    /// `attempts` is zero, or the configuration has no slot, instant or step: call [`with_once_per`](Self::with_once_per),
    /// [`with_instant`](Self::with_instant) or [`with_step`](Self::with_step) first.
    pub fn with_attempts(mut self, attempts: u32) -> Result<Self, LockError> {
        self.change_options().attempts = Some(attempts);
        self.options().position_rule()?;
        Ok(self)
    }
}
