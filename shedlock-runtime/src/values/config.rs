//! The configuration of a lock: its name, its durations and its options.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::values::claim::{check_kept_for, claim_name};
use crate::values::duration::{InvalidDuration, ToDuration};
use crate::values::error::LockError;
use crate::values::limit::checked_limit;
use crate::values::name::LockName;
use crate::values::options::{KeepAlive, OnLost, RunOptions};
use crate::values::position::{PositionRule, Wanted};

/// The default limit for the time that one call to the store may take.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The checked configuration of a lock: its name, its durations, and the options of the task that runs under the lock.
///
/// `at_most` is the lease: how long the lock stays taken if the node that holds it dies. `at_least` is how long the lock stays taken even
/// if the run is shorter. Both are counted from the acquisition. `at_least` may be longer than `at_most`: the lock then becomes free
/// `at_most` after the acquisition if the node crashes, and `at_least` after the acquisition if the run ends.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use shedlock_runtime::LockConfiguration;
///
/// let config = LockConfiguration::new("nightly_report", "10m")?.with_at_least("14m")?;
/// assert_eq!(config.at_most(), Duration::from_secs(600));
/// assert_eq!(config.at_least(), Duration::from_secs(840));
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockConfiguration {
    name: LockName,
    at_most: Duration,
    at_least: Duration,
    timeout: Duration,
    /// Behind a pointer, because most configurations have no options, and every request to the store clones its configuration.
    options: Option<Arc<RunOptions>>,
}

impl LockConfiguration {
    /// Creates the configuration of the lock `name` with a lease of `at_most`. A duration is a [`Duration`], or text such as `10m`; see
    /// [`ToDuration`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) if `name` is empty, has control characters or is longer than 1024 bytes. A
    /// store that allows only shorter names refuses a longer name at the acquisition, before any I/O.
    ///
    /// [`ErrorKind::InvalidDuration`](crate::ErrorKind::InvalidDuration) if `at_most` cannot be parsed, is shorter than a millisecond or
    /// longer than 36500 days.
    pub fn new(name: impl AsRef<str>, at_most: impl ToDuration) -> Result<Self, LockError> {
        let name = name.as_ref();
        let name = LockName::new(name).map_err(|invalid| LockError::of_name(&invalid, name))?;
        let durations = Durations {
            at_most: at_most.to_duration()?,
            at_least: Duration::ZERO,
            timeout: DEFAULT_TIMEOUT,
        };
        Self::for_job(name, durations, &RunOptions::DEFAULT)
    }

    pub(crate) fn with_name(mut self, name: LockName) -> Self {
        self.name = name;
        self
    }

    /// The configuration for a function with the attribute. Made in one step, because each step of a builder would copy the configuration.
    pub(crate) fn for_job(
        name: LockName,
        durations: Durations,
        options: &RunOptions,
    ) -> Result<Self, LockError> {
        let Durations {
            at_most,
            at_least,
            timeout,
        } = durations;
        check_at_most(at_most)?;
        at_least.to_duration()?;
        checked_limit(timeout)?;
        options.keep_alive.check(at_most)?;
        options.position_rule()?;
        let options = (*options != RunOptions::DEFAULT).then(|| Arc::new(*options));
        Ok(Self {
            name,
            at_most,
            at_least,
            timeout,
            options,
        })
    }

    /// Sets the shortest time for which the lock stays taken, counted from the acquisition, even if the run is shorter. The default is
    /// zero.
    ///
    /// # Errors
    ///
    /// `at_least` cannot be parsed or is longer than 36500 days.
    pub fn with_at_least(mut self, at_least: impl ToDuration) -> Result<Self, LockError> {
        self.at_least = at_least.to_duration()?;
        Ok(self)
    }

    /// Sets how long one request to the store may take. The default is five seconds. If `timeout` is longer than `at_most`, the limit is
    /// `at_most`.
    ///
    /// Set a longer limit for a store that starts slowly, such as a serverless database that is stopped while nobody uses it.
    ///
    /// # Errors
    ///
    /// `timeout` cannot be parsed, is shorter than a millisecond or longer than 36500 days.
    pub fn with_timeout(mut self, timeout: impl ToDuration) -> Result<Self, LockError> {
        self.timeout = checked_limit(timeout)?;
        Ok(self)
    }

    /// Turns keep-alive on: while the task runs, its lease is extended each time that half of `at_most` has passed. The task is cancelled
    /// if the lock is lost, unless [`with_on_lost`](Self::with_on_lost) says otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `at_most` is shorter than 300 ms: such a lease would end before a
    /// failed extension could be retried.
    pub fn with_keep_alive(self) -> Result<Self, LockError> {
        self.keeping_alive(KeepAlive::HalfLease)
    }

    /// Turns keep-alive on: while the task runs, its lease is extended every `period`. The task is cancelled if the lock is lost, unless
    /// [`with_on_lost`](Self::with_on_lost) says otherwise.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `at_most` is shorter than 300 ms, or if `period` is shorter than a
    /// millisecond or not shorter than `at_most`. [`ErrorKind::InvalidDuration`](crate::ErrorKind::InvalidDuration) if `period` cannot be
    /// parsed.
    pub fn with_keep_alive_every(self, period: impl ToDuration) -> Result<Self, LockError> {
        self.keeping_alive(KeepAlive::Every(period.to_duration()?))
    }

    fn keeping_alive(mut self, keep_alive: KeepAlive) -> Result<Self, LockError> {
        keep_alive.check(self.at_most)?;
        self.change_options().keep_alive = keep_alive;
        Ok(self)
    }

    /// Sets what happens to a task whose lock is lost while the task runs. The default is [`OnLost::Cancel`] with keep-alive, and
    /// [`OnLost::Notify`] without keep-alive.
    #[must_use]
    pub fn with_on_lost(mut self, on_lost: OnLost) -> Self {
        self.change_options().on_lost = Some(on_lost);
        self
    }

    /// Retries the acquisition for up to `wait`, while another node holds the lock or the store fails with a transient error.
    ///
    /// The pauses between two attempts grow from 25 ms to two seconds and are random, so that nodes do not send their requests at the same
    /// moment. The order in which nodes began to wait does not decide which node gets the lock.
    ///
    /// The call returns a transient error ([`LockError::is_transient`]) only if the last attempt before the end of `wait` failed with that
    /// error. The call returns any other error at once. A request that was sent before `wait` is over may still take its whole
    /// [`timeout`](Self::with_timeout).
    ///
    /// # Errors
    ///
    /// `wait` cannot be parsed or is longer than 36500 days.
    pub fn with_wait(mut self, wait: impl ToDuration) -> Result<Self, LockError> {
        self.change_options().wait = wait.to_duration()?;
        Ok(self)
    }

    /// Runs the task at most once in each slot of length `period`. The slot of a call is the multiple of `period` since 1970 (UTC) that is
    /// nearest to the current time, by the store's clock, or by this node's UTC clock if the store has no clock.
    ///
    /// If the task is scheduled at multiples of `period`, calls that come early or late by less than half a `period` belong to the same
    /// slot. A node whose clock is late therefore does not repeat a short task that another node has completed.
    ///
    /// A call in a slot whose run has begun before is skipped with [`SkipReason::AlreadyRan`](crate::SkipReason::AlreadyRan), even if that
    /// run failed or crashed, unless [`with_attempts`](Self::with_attempts) allows another attempt. `with_once_per`, `with_instant` and
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
    /// lock, at most once a minute and a bounded number at a time, or by an operator:
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

    fn wanting(mut self, wanted: Wanted) -> Result<Self, LockError> {
        self.change_options().wanted = Some(wanted);
        self.options().position_rule()?;
        Ok(self)
    }

    /// The rule by which a slot, instant or step may run; `None` if the configuration asks for none.
    #[must_use]
    pub fn position_rule(&self) -> Option<PositionRule> {
        // Never an error: the options were checked when they were set.
        self.options().position_rule().ok().flatten()
    }

    /// Sets the template that the name was made from, such as `sync-{tenant}`. Metrics and events are grouped by the template.
    #[must_use]
    pub fn with_template(mut self, template: &'static str) -> Self {
        self.change_options().template = Some(template);
        self
    }

    /// The template that the name was made from; `None` unless [`with_template`](Self::with_template) has set a template.
    #[must_use]
    pub fn template(&self) -> Option<&'static str> {
        self.options().template
    }

    pub(crate) fn options(&self) -> &RunOptions {
        self.options.as_deref().unwrap_or(&RunOptions::DEFAULT)
    }

    fn change_options(&mut self) -> &mut RunOptions {
        Arc::make_mut(
            self.options
                .get_or_insert_with(|| Arc::new(RunOptions::DEFAULT)),
        )
    }

    /// The name of the lock.
    #[must_use]
    pub fn name(&self) -> &LockName {
        &self.name
    }

    /// The lease: how long the lock stays taken, counted from its acquisition, if its holder dies.
    #[must_use]
    pub fn at_most(&self) -> Duration {
        self.at_most
    }

    /// The shortest time for which the lock stays taken, counted from its acquisition.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        self.at_least
    }

    /// How long one request to the store may take: the configured limit, or `at_most` if `at_most` is shorter.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.min(self.at_most)
    }
}

/// The durations of a locked function: those of its attribute, or else the defaults of the registry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Durations {
    pub(crate) at_most: Duration,
    pub(crate) at_least: Duration,
    pub(crate) timeout: Duration,
}

/// Refuses a lease that is too short to be used.
pub(crate) fn check_at_most(at_most: Duration) -> Result<(), InvalidDuration> {
    at_most.to_duration()?;
    if at_most.is_zero() {
        return Err(InvalidDuration::ZeroAtMost);
    }
    if at_most < Duration::from_millis(1) {
        return Err(InvalidDuration::TooShort);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_input_is_refused_before_any_store_is_asked() {
        let message =
            |result: Result<LockConfiguration, LockError>| result.unwrap_err().to_string();
        assert_eq!(
            message(LockConfiguration::new("", "1m")),
            "a lock name cannot be empty"
        );
        assert_eq!(
            message(LockConfiguration::new("a", "0s")),
            "`at_most` cannot be zero; it is how long the lock is held if its node dies"
        );
        assert_eq!(
            message(LockConfiguration::new("a", Duration::from_micros(999))),
            "`at_most` cannot be shorter than a millisecond, which is as fine as stores count"
        );
        assert_eq!(
            message(LockConfiguration::new("a", "10 parsecs")),
            "expected a duration like `10m`, `1h 30m`, `PT10M` or a number of milliseconds, found `10 parsecs`"
        );
        assert_eq!(
            message(LockConfiguration::new("a", Duration::MAX)),
            "a duration can be at most 36500 days (100 years)"
        );
        let config = LockConfiguration::new("a", "1m").unwrap();
        assert_eq!(
            message(config.with_timeout("0s")),
            "a time limit cannot be shorter than a millisecond: no store could answer in time"
        );
    }

    #[test]
    fn at_least_may_be_longer_than_at_most() {
        let config = LockConfiguration::new("a", "10m")
            .unwrap()
            .with_at_least("14m")
            .unwrap();
        assert!(config.at_least() > config.at_most());
    }

    #[test]
    fn a_store_call_never_outlasts_the_lease() {
        let config = LockConfiguration::new("a", "300ms").unwrap();
        assert_eq!(config.timeout(), Duration::from_millis(300));
    }
}
