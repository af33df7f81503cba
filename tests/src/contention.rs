//! Contenders for one lock that note when each believed it held it.

use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::{LockConfiguration, LockError, LockProvider, LockProviderExt as _};
use tokio::time::sleep;

use crate::holds::{Hold, monotonic_nanos};

/// JVM peers cut instants to milliseconds, so a lease may end that much before its holder's own count.
const ROUNDING_NANOS: u64 = 2_000_000;

/// What every contender does.
#[derive(Debug, Clone)]
pub struct Contest {
    /// The lock.
    pub name: String,
    /// How many acquisitions each contender wants.
    pub each: usize,
    /// The lease of a holder that unlocks.
    pub at_most: Duration,
    /// One acquisition in so many is not unlocked, so that the others have to wait for its end.
    pub abandon_one_in: u32,
    /// The lease of those.
    pub abandoned: Duration,
    /// A bug planted on purpose: a holder goes on for this long after it has unlocked.
    pub overstay: Duration,
}

/// What the contenders of one side saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Every acquisition.
    pub holds: Vec<Hold>,
    /// How often the lock was held by somebody else.
    pub refused: usize,
    /// How often the store did not answer in time; a lease to be abandoned leaves it little.
    pub failed: usize,
}

impl Contest {
    /// Runs contenders on tasks of their own until each has had its share.
    ///
    /// # Errors
    ///
    /// The first error of the store that will not pass.
    ///
    /// # Panics
    ///
    /// When a contender does.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it ends the contenders; what they hold is released in the background.
    pub async fn run(
        &self,
        contenders: usize,
        provider: &Arc<dyn LockProvider>,
    ) -> Result<Seen, LockError> {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..contenders {
            let (contest, provider) = (self.clone(), Arc::clone(provider));
            tasks.spawn(async move { contest.contend(&provider, format!("rust-{number}")).await });
        }
        let mut seen = Seen::default();
        while let Some(task) = tasks.join_next().await {
            let one = task.unwrap_or_else(|error| panic!("a contender failed: {error}"))?;
            seen.holds.extend(one.holds);
            seen.refused += one.refused;
            seen.failed += one.failed;
        }
        Ok(seen)
    }

    async fn contend(
        &self,
        provider: &Arc<dyn LockProvider>,
        holder: String,
    ) -> Result<Seen, LockError> {
        let mut seen = Seen::default();
        while seen.holds.len() < self.each {
            let abandon = fastrand::u32(..self.abandon_one_in) == 0;
            let lease = if abandon {
                self.abandoned
            } else {
                self.at_most
            };
            let asked = monotonic_nanos();
            let mut lock = match provider
                .try_lock(LockConfiguration::new(&self.name, lease)?)
                .await
            {
                Ok(Some(lock)) => lock,
                Ok(None) => {
                    seen.refused += 1;
                    pause().await;
                    continue;
                }
                Err(error) if error.is_transient() => {
                    seen.failed += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let begin = monotonic_nanos();
            sleep(Duration::from_millis(fastrand::u64(..3))).await;
            let mut end = monotonic_nanos();
            if abandon {
                lock.release_on_drop(false);
                drop(lock);
            } else {
                match lock.unlock().await {
                    Ok(_) => {}
                    Err(error) if error.is_transient() => seen.failed += 1,
                    Err(error) => return Err(error),
                }
                if !self.overstay.is_zero() {
                    sleep(self.overstay).await;
                    end = monotonic_nanos();
                }
            }
            let lease_nanos = u64::try_from(lease.as_nanos()).unwrap_or(u64::MAX);
            let last = asked.saturating_add(lease_nanos) - ROUNDING_NANOS;
            seen.holds.push(Hold {
                holder: holder.clone(),
                begin,
                end: end.min(last).max(begin),
            });
            // Gives the others their chance: whoever has just had the lock is the nearest to it.
            pause().await;
        }
        Ok(seen)
    }
}

async fn pause() {
    sleep(Duration::from_millis(fastrand::u64(..4))).await;
}
