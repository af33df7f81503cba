//! Finds a holder that seems stuck: one run that has held a lock for longer than the `at_most` of the job that asks for it.

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

/// After this time, the same stuck holder is reported again.
const REPORT_AGAIN_AFTER: Duration = Duration::from_secs(3_600);
/// How many locks are watched. Beyond this number all are forgotten, so that the memory in use is bounded.
const MAX_LOCKS: usize = 1_024;

static HOLDERS: Lazy<Mutex<Holders>> = Lazy::new(Mutex::default);

/// The holder of each lock, by provider and name.
#[derive(Default)]
struct Holders(HashMap<(u64, LockName), Seen>);

struct Seen {
    holder: Holder,
    since: BootInstant,
    reported: Option<BootInstant>,
}

/// How long this process has seen the holder that `refusal` names, if that is to be reported now.
///
/// A holder is one acquisition and not a node, because a node that gets the lock at every tick is not stuck.
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
    // The map is still usable after a panic under this mutex.
    let mut holders = HOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    // `at_least` may be longer than `at_most`, and a lock that is taken only for its `at_least` has no stuck holder.
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
            if self.0.len() >= MAX_LOCKS {
                self.0.clear();
            }
            let (since, reported) = (now, None);
            self.0.insert(
                lock,
                Seen {
                    holder,
                    since,
                    reported,
                },
            );
            return None;
        };
        let long = now.saturating_since(seen.since);
        let is_news = |reported| now.saturating_since(reported) >= REPORT_AGAIN_AFTER;
        if long <= patience || !seen.reported.is_none_or(is_news) {
            return None;
        }
        seen.reported = Some(now);
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
            assert!(holders.0.len() <= MAX_LOCKS);
            seen
        };
        for number in 0..MAX_LOCKS {
            assert_eq!(ask(number, start), None);
        }
        assert_eq!(ask(0, late), Some(Duration::from_secs(60)));
        assert_eq!(ask(MAX_LOCKS, late), None, "one too many");
        assert_eq!(ask(1, late), None);
        assert_eq!(
            ask(1, late.saturating_add(Duration::from_secs(20))),
            Some(Duration::from_secs(20))
        );
    }
}
