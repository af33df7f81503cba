//! What is asked of a lock: its name and how long it is held at most and at least.

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

/// A checked request for a lock.
///
/// `at_most` is the lease: how long the lock stays taken if its holder dies. `at_least` is counted from the same
/// instant: how long it stays taken after a run that was shorter. `at_least` may be the longer of the two: a crash
/// then frees the lock after `at_most`, while a run that ended keeps it for `at_least`.
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
    /// Behind a pointer, because it is seldom there and the configuration is copied often.
    options: Option<Arc<RunOptions>>,
}

impl LockConfiguration {
    /// Asks for the lock `name` with a lease of `at_most`: a [`Duration`] or text in the macro's grammar.
    ///
    /// # Errors
    ///
    /// A name that is empty or has control characters; a duration that cannot be understood, is under a millisecond
    /// or over 36500 days. How many characters a name may have depends on the store, which says so before any I/O.
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

    /// Keeps the lock taken for `at_least` from its acquisition, however short the run is.
    ///
    /// # Errors
    ///
    /// A duration that cannot be understood or is over 36500 days.
    pub fn with_at_least(mut self, at_least: impl ToDuration) -> Result<Self, LockError> {
        self.at_least = at_least.to_duration()?;
        Ok(self)
    }

    /// Gives up one question to the store after `timeout`, by default five seconds, and never later than `at_most`.
    ///
    /// A store that takes longer to wake, as a database that sleeps while nobody asks it does, needs a longer one.
    ///
    /// # Errors
    ///
    /// A duration that cannot be understood, is under a millisecond or over 36500 days.
    pub fn with_timeout(mut self, timeout: impl ToDuration) -> Result<Self, LockError> {
        self.timeout = checked_limit(timeout)?;
        Ok(self)
    }

    /// Extends the lease while the body runs, every half `at_most`, and cancels the body if the lock is lost.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if `at_most` is under 300 ms: such a lease is over
    /// before a failed extension could be tried again.
    pub fn with_keep_alive(self) -> Result<Self, LockError> {
        self.keeping_alive(KeepAlive::HalfLease)
    }

    /// As [`with_keep_alive`](Self::with_keep_alive), with a period of the caller's.
    ///
    /// # Errors
    ///
    /// Also a period that is zero or not shorter than `at_most`, or a duration that cannot be understood.
    pub fn with_keep_alive_every(self, period: impl ToDuration) -> Result<Self, LockError> {
        self.keeping_alive(KeepAlive::Every(period.to_duration()?))
    }

    fn keeping_alive(mut self, keep_alive: KeepAlive) -> Result<Self, LockError> {
        keep_alive.check(self.at_most)?;
        self.change_options().keep_alive = keep_alive;
        Ok(self)
    }

    /// What happens to a body whose lease ends before it does: by default it is cancelled if it is kept alive, and told
    /// otherwise.
    #[must_use]
    pub fn with_on_lost(mut self, on_lost: OnLost) -> Self {
        self.change_options().on_lost = Some(on_lost);
        self
    }

    /// Asks again and again for `wait` while somebody else holds the lock or the store cannot be reached, with pauses
    /// from 25 ms up to two seconds that differ between nodes. First come is not first served.
    ///
    /// A failure that may pass ([`LockError::is_transient`]) is the call's result only if it is still there when `wait`
    /// is over; any other failure is at once. A question that was begun in time has its whole
    /// [`timeout`](Self::with_timeout).
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

    /// Says what the name was made from, such as `sync-{tenant}`: metrics and events are grouped by it.
    #[must_use]
    pub fn with_template(mut self, template: &'static str) -> Self {
        self.change_options().template = Some(template);
        self
    }

    /// What the name was made from, where that was said.
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

    /// The lock's name.
    #[must_use]
    pub fn name(&self) -> &LockName {
        &self.name
    }

    /// The lease.
    #[must_use]
    pub fn at_most(&self) -> Duration {
        self.at_most
    }

    /// How long the lock stays taken after a short run, counted from its acquisition.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        self.at_least
    }

    /// How long one call to the store may take: an answer that comes after the lease is worth nothing.
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
