//! Leases that end by observation: a node takes a lock over after it has seen one state of the lock's item for as long as the lease lasts.
//!
//! No clock is compared with another. A holder counts its lease from before it asks DynamoDB, and an observer counts it from after DynamoDB has
//! answered, each on the forward clock of its own machine: the holder's deadline is the earlier of the two.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use shedlock_runtime::{AcquireRequest, BootInstant, LockRecord, ProviderInfo};

use crate::layout::{Item, Layout};

/// The most items that one provider keeps in mind. A lock that is forgotten is taken over later, never sooner.
const MOST_WATCHED: usize = 10_000;
/// Two forward clocks differ in rate by less than one part in so many: Linux corrects a clock by at most one part in 2,000.
const RATE: u32 = 1_000;

/// What tells one state of an item from all others: each write of an owner is numbered, and two pauses by operators differ in end or length.
#[derive(Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) until: AttributeValue,
    pub(crate) by: Option<AttributeValue>,
    pub(crate) lease: Option<AttributeValue>,
}

impl State {
    /// The state of an item that was found; `None` if the item is no lock's.
    pub(crate) fn of(item: &Item, layout: &Layout) -> Option<Self> {
        Some(Self {
            until: layout.get(item, "#until")?.clone(),
            by: layout.get(item, "#by").cloned(),
            lease: layout.get(item, "#lease").cloned(),
        })
    }
}

/// When this node first saw a state of an item.
struct Sighting {
    state: State,
    lease: Duration,
    first: BootInstant,
    last: BootInstant,
}

impl Sighting {
    /// How long the state has still to be seen before the lock may be taken over.
    fn left(&self, now: BootInstant) -> Duration {
        let wait = self.lease.saturating_add(self.lease / RATE);
        wait.saturating_sub(now.saturating_since(self.first))
    }
}

/// What one provider has seen of locks that are taken. All clones of the provider share it.
pub(crate) struct Observer {
    info: ProviderInfo,
    seen: Mutex<HashMap<String, Sighting>>,
}

impl Observer {
    /// An observer with the clock of `info`.
    pub(crate) fn new(info: &ProviderInfo) -> Self {
        Self {
            info: info.clone(),
            seen: Mutex::default(),
        }
    }

    /// Notes that DynamoDB has just told the state of a lock's item, with a lease of this length since the last write; `None` if that write
    /// freed the lock. Returns how long the lock is still to be left alone.
    pub(crate) fn saw(&self, name: &str, state: State, lease: Option<Duration>) -> Duration {
        let now = self.info.clock().boot();
        let mut seen = self.lock();
        let Some(lease) = lease else {
            seen.remove(name);
            return Duration::ZERO;
        };
        if let Some(sighting) = seen.get_mut(name).filter(|it| it.state == state) {
            sighting.last = now;
            return sighting.left(now);
        }
        if seen.len() >= MOST_WATCHED {
            forget_one(&mut seen);
        }
        let sighting = Sighting {
            state,
            lease,
            first: now,
            last: now,
        };
        let left = sighting.left(now);
        seen.insert(name.to_owned(), sighting);
        left
    }

    /// The state that this node has seen for long enough: if the item is still in it, the lock may be taken over.
    pub(crate) fn ended(&self, name: &str) -> Option<State> {
        let now = self.info.clock().boot();
        let seen = self.lock();
        let ended = seen.get(name).filter(|it| it.left(now).is_zero());
        ended.map(|it| it.state.clone())
    }

    /// A record in terms of this node's time of day: taken for as long as this node would leave the lock alone, or until the end that the
    /// writer has dated, where that comes first. Returns the time of day as well.
    pub(crate) fn in_own_time(
        &self,
        record: &LockRecord,
        left: Duration,
    ) -> (LockRecord, SystemTime) {
        let now = self.info.clock().utc();
        let (mut shown, dated) = (record.clone(), record.lock_until);
        let latest = now.checked_add(left).unwrap_or(dated);
        shown.lock_until = if left.is_zero() {
            dated.min(now)
        } else if dated > now && dated <= latest {
            dated
        } else {
            latest
        };
        (shown, now)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Sighting>> {
        // Nothing panics while it is locked.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the lock that nobody has asked for the longest.
fn forget_one(seen: &mut HashMap<String, Sighting>) {
    let oldest = seen.iter().min_by_key(|(_, sighting)| sighting.last);
    if let Some(name) = oldest.map(|(name, _)| name.clone()) {
        seen.remove(&name);
    }
}

// A state contains the owner's secret.
impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("watched", &self.lock().len())
            .finish_non_exhaustive()
    }
}

/// Until when a holder may extend its lease, by its own forward clock. A note on the lease.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(BootInstant);

impl Deadline {
    pub(crate) fn of_request(request: &AcquireRequest) -> Self {
        Self::of(request.requested_at(), request.at_most())
    }

    /// The end of a lease that was asked for at `asked`.
    pub(crate) fn of(asked: BootInstant, at_most: Duration) -> Self {
        Self(asked.saturating_add(at_most))
    }

    pub(crate) fn left(self, now: BootInstant) -> Duration {
        self.0.saturating_since(now)
    }
}

#[cfg(test)]
mod tests {
    use shedlock_runtime::Clock as _;
    use shedlock_runtime::testing::ManualClock;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn observer() -> (ManualClock, Observer) {
        let clock = ManualClock::new();
        let info = ProviderInfo::new("dynamodb").with_clock(clock.clone());
        (clock, Observer::new(&info))
    }

    fn state(owner: &str) -> State {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        State {
            until: text("2026-11-28T10:42:58.082Z"),
            by: Some(text(owner)),
            lease: None,
        }
    }

    #[test]
    fn a_state_ends_once_it_was_seen_for_the_length_of_its_lease() {
        let (clock, observer) = observer();
        let look = |owner: &str| observer.saw("mail", state(owner), Some(MINUTE));
        let whole = look("one");
        assert_eq!(whole, MINUTE + MINUTE / RATE);
        assert!(observer.ended("mail").is_none());
        clock.advance(MINUTE);
        assert!(!look("one").is_zero(), "the other clock may be slower");
        clock.advance(MINUTE / RATE);
        assert!(observer.ended("mail").is_some_and(|it| it == state("one")));
        assert!(look("one").is_zero());
        // A write of anybody begins the wait anew.
        assert_eq!(look("two"), whole);
        assert!(observer.ended("mail").is_none());
        assert!(observer.ended("other").is_none());
    }

    #[test]
    fn a_time_of_day_that_is_set_changes_nothing() {
        let (clock, observer) = observer();
        let look = || observer.saw("mail", state("one"), Some(MINUTE));
        let whole = look();
        for wrong in [SystemTime::UNIX_EPOCH, SystemTime::now() + MINUTE * 9_999] {
            clock.step_utc(wrong);
            assert_eq!(look(), whole);
        }
    }

    #[test]
    fn what_is_free_is_not_watched() {
        let (_clock, observer) = observer();
        observer.saw("mail", state("one"), Some(MINUTE));
        assert!(observer.saw("mail", state("one"), None).is_zero());
        assert!(observer.lock().is_empty());
    }

    #[test]
    fn many_names_are_bounded_and_the_least_asked_for_is_forgotten() {
        let (clock, observer) = observer();
        for number in 0..=MOST_WATCHED {
            observer.saw(&number.to_string(), state("one"), Some(MINUTE));
            clock.advance(Duration::from_millis(1));
            observer.saw("asked", state("one"), Some(MINUTE));
        }
        assert_eq!(observer.lock().len(), MOST_WATCHED);
        clock.advance(MINUTE * 2);
        assert!(observer.ended("asked").is_some());
        assert!(observer.ended("0").is_none(), "is watched anew");
        assert!(observer.ended(&MOST_WATCHED.to_string()).is_some());
    }

    #[test]
    fn a_record_is_shown_as_taken_for_as_long_as_it_is_left_alone() {
        let (clock, observer) = observer();
        let now = clock.utc();
        let hour = MINUTE * 60;
        let shown = |dated: SystemTime, left| {
            let record = LockRecord::new(dated, dated, "web-2".to_owned(), 1);
            observer.in_own_time(&record, left).0.lock_until
        };
        assert_eq!(shown(now + MINUTE / 2, MINUTE), now + MINUTE / 2);
        // The writer's clock was behind, or ahead; or nobody has released a lock that has ended.
        assert_eq!(shown(now - hour, MINUTE), now + MINUTE);
        assert_eq!(shown(now + hour, MINUTE), now + MINUTE);
        for dated in [now - hour, now + hour] {
            assert_eq!(shown(dated, Duration::ZERO), dated.min(now));
        }
    }
}
