//! The options of a run under a lock: keep-alive, what a loss does, how long to wait, and positions.

use std::time::Duration;

use crate::values::claim::DEFAULT_KEPT_FOR;
use crate::values::error::{ErrorKind, LockError};
use crate::values::position::{PositionRule, Wanted};

/// A shorter lease would end before a failed extension could be retried.
const MIN_KEEP_ALIVE_LEASE: Duration = Duration::from_millis(300);

/// What happens to a task whose lock is lost while the task runs.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::{LockConfiguration, OnLost};
///
/// // Two runs at the same time would do harm: drop the body as soon as the lease ends.
/// let config = LockConfiguration::new("payments", "10m")?.with_on_lost(OnLost::Cancel);
/// # let _ = config;
/// # Ok::<(), shedlock_runtime::LockError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnLost {
    /// The runtime drops the task without polling it again.
    Cancel,
    /// The task continues without its lock. The task can detect the loss: [`lock::lost`](crate::lock::lost) returns, and `lock_assert!`
    /// panics.
    Notify,
}

/// Whether a lease is extended while its body runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeepAlive {
    Off,
    HalfLease,
    Every(Duration),
}

impl KeepAlive {
    /// How often a lease of `at_most` is extended.
    pub(crate) fn period(self, at_most: Duration) -> Option<Duration> {
        match self {
            Self::Off => None,
            Self::HalfLease => Some(at_most / 2),
            Self::Every(period) => Some(period),
        }
    }

    /// Refuses a lease that cannot be kept alive.
    pub(crate) fn check(self, at_most: Duration) -> Result<(), LockError> {
        let Some(period) = self.period(at_most) else {
            return Ok(());
        };
        let refused = |problem: &str, remedy: &str| {
            Err(LockError::new(ErrorKind::Configuration, problem).with_remedy(remedy))
        };
        if at_most < MIN_KEEP_ALIVE_LEASE {
            return refused(
                "`keep_alive` needs an `at_most` of 300ms or more",
                "give the lock a longer lease; it ends early when the job does",
            );
        }
        if period >= at_most {
            return refused(
                "the period of `keep_alive` is not shorter than `at_most`, so the lease would end first",
                "leave the period out: it is half of `at_most`",
            );
        }
        if period.is_zero() {
            return refused(
                "the period of `keep_alive` is zero",
                "leave the period out: it is half of `at_most`",
            );
        }
        if period < Duration::from_millis(1) {
            return refused(
                "the period of `keep_alive` is shorter than a millisecond, which is as fine as stores count",
                "leave the period out: it is half of `at_most`",
            );
        }
        Ok(())
    }
}

/// The options that most configurations leave at their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunOptions {
    /// `None` means: [`OnLost::Cancel`] with keep-alive, and [`OnLost::Notify`] without.
    pub(crate) on_lost: Option<OnLost>,
    pub(crate) keep_alive: KeepAlive,
    /// How long the acquisition is retried before the call is skipped.
    pub(crate) wait: Duration,
    /// The template that the name was made from.
    pub(crate) template: Option<&'static str>,
    /// The slot, instant or step of the run.
    pub(crate) wanted: Option<Wanted>,
    /// How many runs may begin for one slot, instant or step.
    pub(crate) attempts: Option<u32>,
    /// How many seconds the claim of a text is kept after its run. Each call carries its options with it, so they are small.
    pub(crate) claims_kept_for: u32,
}

impl RunOptions {
    pub(crate) const DEFAULT: Self = Self {
        on_lost: None,
        keep_alive: KeepAlive::Off,
        wait: Duration::ZERO,
        template: None,
        wanted: None,
        attempts: None,
        claims_kept_for: DEFAULT_KEPT_FOR,
    };

    /// The rule by which a slot, instant or step may run; `None` if there is none.
    pub(crate) fn position_rule(&self) -> Result<Option<PositionRule>, LockError> {
        PositionRule::new(self.wanted, self.attempts)
    }

    pub(crate) fn on_lost(&self) -> OnLost {
        self.on_lost.unwrap_or(match self.keep_alive {
            KeepAlive::Off => OnLost::Notify,
            _ => OnLost::Cancel,
        })
    }
}
