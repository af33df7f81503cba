//! The configuration of a lock: its name, its durations and its options.

use std::sync::Arc;
use std::time::Duration;

use crate::values::duration::{InvalidDuration, ToDuration};
use crate::values::error::LockError;
use crate::values::limit::checked_limit;
use crate::values::name::LockName;
use crate::values::options::{KeepAlive, OnLost, RunOptions};
use crate::values::position::{PositionRule, Wanted};

mod runs;

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
/// use std::time::Duration;
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
