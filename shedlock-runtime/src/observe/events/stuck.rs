//! Whether one acquisition has been holding a lock for longer than the job that asks for it may.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use once_cell::sync::Lazy;
use tracing::level_filters::LevelFilter;

use crate::seam::answer::{Holder, Refusal};
use crate::seam::info::ProviderInfo;
use crate::values::clock::BootInstant;
use crate::values::config::LockConfiguration;
use crate::values::name::LockName;

/// How soon it is said again.
const AGAIN: Duration = Duration::from_secs(3_600);
/// With more locks than this that others hold, all are watched anew.
const MOST_LOCKS: usize = 1_024;

static HOLDERS: Lazy<Mutex<Holders>> = Lazy::new(Mutex::default);

/// Who holds what, by provider and name.
#[derive(Default)]
struct Holders(HashMap<(u64, LockName), Seen>);

struct Seen {
    holder: Holder,
    since: BootInstant,
    told: Option<BootInstant>,
}

/// For how long this process has seen the holder that `refusal` names, if that is to be said now.
///
/// A holder is an acquisition, not a node: it is no fault to be first at every tick.
pub(super) fn seen_for(
    config: &LockConfiguration,
    info: &ProviderInfo,
    refusal: &Refusal,
) -> Option<Duration> {
    let holder = refusal.holder()?;
    if LevelFilter::current() < LevelFilter::INFO {
        return None;
    }
    let now = info.clock().boot();
    let lock = (info.id(), config.name().clone());
    // Whole at every moment, so a panic elsewhere does not spoil it.
    let mut holders = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    // `at_least` may be the longer one; a lock that is kept for it has nobody who is stuck.
    let patience = config.at_most().max(config.at_least());
    holders.seen_for(lock, holder, patience, now)
}

impl Holders {
    fn seen_for(
        &mut self,
        lock: (u64, LockName),
        holder: Holder,
        patience: Duration,
        now: BootInstant,
    ) -> Option<Duration> {
        let Some(seen) = self.0.get_mut(&lock).filter(|seen| seen.holder == holder) else {
            if self.0.len() >= MOST_LOCKS {
                self.0.clear();
            }
            let (since, told) = (now, None);
            self.0.insert(
                lock,
                Seen {
                    holder,
                    since,
                    told,
                },
            );
            return None;
        };
        let long = now.saturating_since(seen.since);
        let is_news = |told| now.saturating_since(told) >= AGAIN;
        if long <= patience || !seen.told.is_none_or(is_news) {
            return None;
        }
        seen.told = Some(now);
        Some(long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_locks_than_are_watched_all_are_watched_anew() {
        let mut holders = Holders::default();
        let start = BootInstant::from_nanos(0);
        let late = start.saturating_add(Duration::from_secs(60));
        let mut ask = |number: usize, now| {
            let name = LockName::new(format!("crowd-{number}")).unwrap();
            let holder =
                Refusal::held().with_holder(&format!("web-2#{number:032x}"), Duration::ZERO);
            let holder = holder.holder().unwrap();
            let seen = holders.seen_for((1, name), holder, Duration::from_secs(10), now);
            assert!(holders.0.len() <= MOST_LOCKS);
            seen
        };
        for number in 0..MOST_LOCKS {
            assert_eq!(ask(number, start), None);
        }
        assert_eq!(ask(0, late), Some(Duration::from_secs(60)));
        assert_eq!(ask(MOST_LOCKS, late), None, "one too many");
        assert_eq!(ask(1, late), None);
        assert_eq!(
            ask(1, late.saturating_add(Duration::from_secs(20))),
            Some(Duration::from_secs(20))
        );
    }
}
