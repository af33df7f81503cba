//! Locks in this process's memory: for tests, examples and single-node programs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::seam::answer::{Acquisition, Ownership, Refusal};
use crate::seam::capabilities::{Capabilities, Fencing};
use crate::seam::history::{HistoryOptions, RunHistory};
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::predecessor::Predecessor;
use crate::seam::provider::LockProvider;
use crate::seam::records::LockRecords as _;
use crate::seam::request::AcquireRequest;
use crate::values::clock::{BootInstant, Clock, TokioClock};
use crate::values::error::LockError;
use crate::values::outcome::SkipReason;
use crate::values::position::Position;

mod history;
mod locks;
mod records;

use self::history::History;
use self::locks::{Locks, Record};

/// A provider that keeps its locks in this process's memory, for as long as one of its clones lives.
///
/// Leases are measured by tokio's clock, so a test with paused time can advance the clock past a lease instead of waiting.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _};
///
/// let provider = InMemoryLockProvider::new();
/// let config = LockConfiguration::new("mail", "10m")?;
/// let _held = provider.try_lock(config.clone()).await?.expect("free");
/// tokio::time::advance(std::time::Duration::from_secs(601)).await;
/// assert!(provider.try_lock(config).await?.is_some(), "the lease has ended");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct InMemoryLockProvider {
    info: ProviderInfo,
    locks: Arc<Mutex<Locks>>,
    history: Option<Arc<History>>,
}

impl Default for InMemoryLockProvider {
    fn default() -> Self {
        Self::with_clock(TokioClock)
    }
}

impl InMemoryLockProvider {
    /// Creates a provider without locks, whose leases are measured by tokio's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a provider without locks, whose leases are measured by `clock`.
    #[must_use]
    pub fn with_clock(clock: impl Clock) -> Self {
        let info = ProviderInfo::new("memory")
            .with_clock(clock)
            .with_capabilities(
                Capabilities::new()
                    .with_fencing(Fencing::UntilRestart)
                    .with_positions()
                    .with_takeovers(),
            );
        Self {
            info,
            locks: Arc::default(),
            history: None,
        }
    }

    /// Keeps a history of runs as well; see [`LockAdmin::history`](crate::LockAdmin::history).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), shedlock_runtime::LockError> {
    /// use std::time::{Duration, SystemTime};
    ///
    /// use shedlock_runtime::{HistoryOptions, InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockingTaskExecutor, RunOutcome};
    ///
    /// let provider = InMemoryLockProvider::new().with_history(HistoryOptions::new());
    /// let executor = LockingTaskExecutor::new(provider.clone());
    /// executor.execute(LockConfiguration::new("mail", "5m")?, async {}).await?;
    ///
    /// // The entry is written in the background.
    /// tokio::task::yield_now().await;
    /// let today = SystemTime::now() - Duration::from_secs(86_400)..SystemTime::now();
    /// let runs = provider.history("mail", today).await?;
    /// assert_eq!(runs[0].outcome, RunOutcome::Completed);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_history(mut self, options: HistoryOptions) -> Self {
        self.history = Some(Arc::new(History::new(options)));
        self
    }

    /// The position that the next run of a free lock begins. `stored` is the position in the lock's record.
    fn position(
        &self,
        request: &AcquireRequest,
        stored: Option<Position>,
    ) -> Result<Option<Position>, SkipReason> {
        match request.position_rule() {
            None => Ok(stored),
            Some(rule) => rule.next(stored, self.info.clock().utc()).map(Some),
        }
    }

    /// The holder of a record whose lease has ended, if nobody released the lock.
    fn predecessor(&self, record: &Record) -> Option<Predecessor> {
        if record.is_released || record.mark.is_some() {
            return None;
        }
        let time_of_day = self.time_of_day();
        let (since, until) = (
            time_of_day(record.locked_at),
            time_of_day(record.lock_until),
        );
        let holder = Predecessor::new(self.info.node_name(), Some(since), Some(until));
        let holder = holder.with_fencing_token(Some(record.token));
        Some(holder.with_position(record.position))
    }

    /// Turns readings of the forward clock into times of day.
    fn time_of_day(&self) -> impl Fn(BootInstant) -> SystemTime {
        let (now, utc) = (self.now(), self.info.clock().utc());
        move |instant| {
            let ahead = instant.saturating_since(now);
            let behind = now.saturating_since(instant);
            let late = utc.checked_add(ahead).unwrap_or(utc);
            late.checked_sub(behind).unwrap_or(SystemTime::UNIX_EPOCH)
        }
    }

    fn now(&self) -> BootInstant {
        self.info.clock().boot()
    }

    fn locks(&self) -> MutexGuard<'_, Locks> {
        // Nothing panics while this mutex is locked, because no code of the program runs under it.
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The provider's name with the wrappers around it, as [`ProviderInfo`] shows it.
impl fmt::Display for InMemoryLockProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.fmt(f)
    }
}

#[async_trait]
impl LockProvider for InMemoryLockProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let now = request.requested_at();
        let mut locks = self.locks();
        let token = locks.last_token + 1;
        let mut granted = Record {
            lock_until: now.saturating_add(request.at_most()),
            locked_at: now,
            not_free_before: now,
            token,
            mark: None,
            is_released: false,
            position: None,
        };
        let (predecessor, position);
        match locks.records.get_mut(request.name()) {
            Some(record) if record.lock_until > now => {
                let remaining = record.lock_until.saturating_since(now);
                let refusal = if record.is_paused() {
                    Refusal::paused()
                } else {
                    Refusal::held()
                };
                return Ok(Acquisition::Refused(refusal.with_remaining(remaining)));
            }
            found => {
                let stored = found.as_ref().and_then(|record| record.position);
                match self.position(request, stored) {
                    Ok(begun) => position = begun,
                    Err(reason) => {
                        let refusal = Refusal::of_position(reason, "").with_position(stored);
                        return Ok(Acquisition::Refused(refusal));
                    }
                }
                granted.position = position;
                predecessor = found.as_deref().and_then(|record| self.predecessor(record));
                if let Some(record) = found {
                    *record = granted;
                } else {
                    locks.forget_free(now);
                    locks.records.insert(request.name().clone(), granted);
                }
            }
        }
        locks.last_token = token;
        let lease = request.grant(Some(token)).taken_over_from(predecessor);
        let begun = request.position_rule().and(position);
        Ok(Acquisition::Granted(lease.at_position(begun)))
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let now = self.now();
        match self.locks().own(lease) {
            Some(record) if record.lock_until > now => {
                record.lock_until = now.saturating_add(at_most);
                Ok(Ownership::Ours)
            }
            _ => Ok(Ownership::Lost),
        }
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        // Without `keep_for`, the clock need not be read: the earliest instant means that the lock is free.
        let lock_until = if keep_for.is_zero() {
            BootInstant::from_nanos(i64::MIN)
        } else {
            self.now().saturating_add(keep_for)
        };
        match self.locks().own(lease) {
            Some(record) => {
                record.lock_until = lock_until;
                let was_released = std::mem::replace(&mut record.is_released, true);
                if record.position.is_some() {
                    // How long a position is kept counts from the end of its run. `lock_until` stays the earliest instant, because a request
                    // that was made before this moment and arrives after it finds the lock free.
                    record.not_free_before = self.now();
                }
                if let Some(position) = &mut record.position {
                    lease.settle(position, was_released);
                }
                Ok(Ownership::Ours)
            }
            None => Ok(Ownership::Lost),
        }
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.forget(prefix, unused_for).await
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        self.history.as_deref().map(|history| history as _)
    }
}
