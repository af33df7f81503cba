//! The configuration of a lock: its name, its durations and its options.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::values::duration::{InvalidDuration, ToDuration};
use crate::values::error::LockError;
use crate::values::limit::checked_limit;
use crate::values::name::LockName;
use crate::values::options::{KeepAlive, OnLost, RunOptions};
use crate::values::position::{PositionRule, Wanted};

/// How long one call to the store may take.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The checked configuration of a lock: its name, its durations, and what happens to the body that runs under it.
///
/// `at_most` is the lease: how long the lock stays taken if its holder dies. `at_least` is how long the lock stays taken after a run that was
/// shorter. Both are counted from the acquisition. `at_least` may be the longer of the two: the lock is then free `at_most` after a crash,
/// and `at_least` after a run that ended.
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
    /// Behind a pointer, because most configurations have no options and every request copies its configuration.
    options: Option<Arc<RunOptions>>,
}

impl LockConfiguration {
    /// The configuration of the lock `name` with a lease of `at_most`: a [`Duration`], or text such as `10m` as [`ToDuration`] reads it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidName`](crate::ErrorKind::InvalidName) if the name is empty, has control characters or is longer than 1024 bytes. A
    /// store that takes only shorter names refuses the name later, before any I/O.
    ///
    /// [`ErrorKind::InvalidDuration`](crate::ErrorKind::InvalidDuration) if the duration cannot be understood, is under a millisecond or over
    /// 36500 days.
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

    /// What an attribute asks for, made in one place: each step of a builder would copy it.
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

    /// Sets how long the lock stays taken at least, counted from its acquisition, however short the run is. Zero by default.
    ///
    /// # Errors
    ///
    /// A duration that cannot be understood or is over 36500 days.
    pub fn with_at_least(mut self, at_least: impl ToDuration) -> Result<Self, LockError> {
        self.at_least = at_least.to_duration()?;
        Ok(self)
    }

    /// Sets how long one request to the store may take. The default is five seconds. The limit is never longer than `at_most`.
    ///
    /// Set a longer limit for a store that is slow to start, such as a serverless database that sleeps while it is not used.
    ///
    /// # Errors
    ///
    /// A duration that cannot be understood, is under a millisecond or over 36500 days.
    pub fn with_timeout(mut self, timeout: impl ToDuration) -> Result<Self, LockError> {
        self.timeout = checked_limit(timeout)?;
        Ok(self)
    }

    /// Extends the lease every half `at_most` while the body runs, and cancels the body if the lock is lost.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `at_most` is under 300 ms: such a lease would end before a failed
    /// extension could be tried again.
    pub fn with_keep_alive(self) -> Result<Self, LockError> {
        self.keeping_alive(KeepAlive::HalfLease)
    }

    /// Extends the lease every `period` while the body runs, and cancels the body if the lock is lost.
    ///
    /// # Errors
    ///
    /// As [`with_keep_alive`](Self::with_keep_alive). Also if `period` is shorter than a millisecond, is not shorter than `at_most`, or cannot be
    /// understood.
    pub fn with_keep_alive_every(self, period: impl ToDuration) -> Result<Self, LockError> {
        self.keeping_alive(KeepAlive::Every(period.to_duration()?))
    }

    fn keeping_alive(mut self, keep_alive: KeepAlive) -> Result<Self, LockError> {
        keep_alive.check(self.at_most)?;
        self.change_options().keep_alive = keep_alive;
        Ok(self)
    }

    /// Sets what happens to a body whose lock is lost while the body runs. The default is [`OnLost::Cancel`] with keep-alive, and
    /// [`OnLost::Notify`] without.
    #[must_use]
    pub fn with_on_lost(mut self, on_lost: OnLost) -> Self {
        self.change_options().on_lost = Some(on_lost);
        self
    }

    /// Keeps trying to get the lock for up to `wait`, while another node holds the lock or the store fails with a transient error.
    ///
    /// The pauses between two tries grow from 25 ms to two seconds and are random, so that nodes do not ask in step. The order in which nodes
    /// began to wait does not decide which of them gets the lock.
    ///
    /// A transient error ([`LockError::is_transient`]) is the result of the call only if it persists until `wait` is over. Any other error is the
    /// result at once. A request that was sent before `wait` is over may take its whole [`timeout`](Self::with_timeout).
    ///
    /// # Errors
    ///
    /// A duration that cannot be understood or is over 36500 days.
    pub fn with_wait(mut self, wait: impl ToDuration) -> Result<Self, LockError> {
        self.change_options().wait = wait.to_duration()?;
        Ok(self)
    }

    /// Runs the task at most once in each slot of `period`: the position of a run is the store's time, rounded to the nearest slot. Nodes
    /// whose clocks differ by less than half a slot mean the same one, and a task that is shorter than that difference does not run twice.
    ///
    /// A call in a slot that was begun before is skipped with [`SkipReason::AlreadyRan`](crate::SkipReason::AlreadyRan). A run that
    /// failed or crashed is not repeated in its slot, unless [`with_attempts`](Self::with_attempts) says so. It takes the place of an
    /// earlier `with_once_per`, `with_instant` or `with_step`.
    ///
    /// # Errors
    ///
    /// A period that cannot be understood, is under a millisecond or longer than a year. A store that keeps no positions refuses the
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

    /// Runs the task at most once for `instant`, the time at which the scheduler means it to run; a time before the last one that was
    /// begun is over, too. Otherwise as [`with_once_per`](Self::with_once_per).
    ///
    /// # Errors
    ///
    /// An instant before 1970.
    pub fn with_instant(self, instant: SystemTime) -> Result<Self, LockError> {
        self.wanting(Wanted::Instant(instant))
    }

    /// Runs the task as step `step` of a chain, counted from one: after the step before it has ended well, and until it has ended well
    /// itself. A step that is done is skipped with [`SkipReason::AlreadyRan`](crate::SkipReason::AlreadyRan), and one that is not due yet
    /// with [`SkipReason::Gap`](crate::SkipReason::Gap).
    ///
    /// A task ends well if it returns. The attribute, and
    /// [`execute_with_failure_check`](crate::LockingTaskExecutor::execute_with_failure_check), take an `Err` for a failure.
    ///
    /// # Errors
    ///
    /// A step of zero.
    pub fn with_step(self, step: u64) -> Result<Self, LockError> {
        self.wanting(Wanted::Step(step))
    }

    /// Runs the task at most `attempts` times for one slot, instant or step, while it fails or crashes. After that the call is skipped with
    /// [`SkipReason::Exhausted`](crate::SkipReason::Exhausted), which is a line at ERROR.
    ///
    /// # Errors
    ///
    /// Zero attempts, or no slot, instant or step to count them for.
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

    /// What is asked of the position in the record.
    pub(crate) fn position_rule(&self) -> Option<PositionRule> {
        // Checked when it was set.
        self.options().position_rule().ok().flatten()
    }

    /// Sets the template that the name was made from, such as `sync-{tenant}`. Metrics and events are grouped by the template.
    #[must_use]
    pub fn with_template(mut self, template: &'static str) -> Self {
        self.change_options().template = Some(template);
        self
    }

    /// The template that the name was made from, if [`with_template`](Self::with_template) has set one.
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

    /// How long the lock stays taken if its holder dies: the lease.
    #[must_use]
    pub fn at_most(&self) -> Duration {
        self.at_most
    }

    /// How long the lock stays taken at least, counted from its acquisition.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        self.at_least
    }

    /// How long one request to the store may take: the configured limit, or `at_most` if that is shorter.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.min(self.at_most)
    }
}

/// What an attribute says, or what its registry says in its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Durations {
    pub(crate) at_most: Duration,
    pub(crate) at_least: Duration,
    pub(crate) timeout: Duration,
}

/// Refuses a lease that would be over before anybody could use it.
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
