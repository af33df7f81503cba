//! What is asked of a lock: its name and how long it is held at most and at least.

use std::time::Duration;

use crate::duration::{InvalidDuration, ToDuration};
use crate::error::LockError;
use crate::name::LockName;

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
}

impl LockConfiguration {
    /// Asks for the lock `name` with a lease of `at_most`: a [`Duration`] or text in the macro's grammar.
    ///
    /// # Errors
    ///
    /// A name that is empty or has control characters; a duration that cannot be understood, is under a millisecond
    /// or over 36500 days. How many characters a name may have depends on the store, which says so before any I/O.
    pub fn new(name: impl AsRef<str>, at_most: impl ToDuration) -> Result<Self, LockError> {
        Self::for_name(LockName::new(name)?, at_most.to_duration()?)
    }

    pub(crate) fn with_name(mut self, name: LockName) -> Self {
        self.name = name;
        self
    }

    pub(crate) fn for_name(name: LockName, at_most: Duration) -> Result<Self, LockError> {
        check_at_most(at_most)?;
        Ok(Self {
            name,
            at_most,
            at_least: Duration::ZERO,
            timeout: DEFAULT_TIMEOUT,
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

    /// Gives up a call to the store after `timeout`, by default five seconds, and never later than `at_most`.
    ///
    /// # Errors
    ///
    /// A duration that cannot be understood, is under a millisecond or over 36500 days.
    pub fn with_timeout(mut self, timeout: impl ToDuration) -> Result<Self, LockError> {
        let timeout = timeout.to_duration()?;
        check_at_most(timeout)?;
        self.timeout = timeout;
        Ok(self)
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
