//! The leases that a process holds.

use std::collections::HashMap;

use crate::seam::lease::Lease;
use crate::values::clock::BootInstant;
use crate::values::name::LockName;

/// Below this many names nothing is gained by forgetting leases that have ended.
const KEEP_NAMES: usize = 1_024;

/// What is held, by name.
#[derive(Default)]
pub(super) struct Leases {
    /// More than one of a name when an old lease has not been given back, or its grant was heard of late.
    by_name: HashMap<LockName, Vec<Tracked>>,
    forget_at: usize,
}

/// A lease and its end by this process's own count.
pub(super) struct Tracked {
    pub(super) lease: Lease,
    pub(super) ends: BootInstant,
    stage: Stage,
}

/// How far a lease has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Held,
    /// It is to be given back behind its holder's back, who cannot extend it any more.
    Ending,
    /// It was, and is remembered because `at_least` may keep it in the store, where an extension would find it alive.
    GivenBack,
}

impl Leases {
    /// Those that have not ended.
    pub(super) fn live(&self, now: BootInstant) -> impl Iterator<Item = &Tracked> {
        let all = self.by_name.values().flatten();
        all.filter(move |tracked| tracked.ends > now && tracked.stage != Stage::GivenBack)
    }

    pub(super) fn add(&mut self, lease: Lease, ends: BootInstant, now: BootInstant) {
        self.forget_ended(now);
        let same_name = self.by_name.entry(lease.name().clone()).or_default();
        same_name.retain(|tracked| tracked.ends > now && !tracked.lease.is_same_grant(&lease));
        same_name.push(Tracked {
            lease,
            ends,
            stage: Stage::Held,
        });
    }

    /// Has `lease` end at `ends` unless it ends before.
    pub(super) fn shorten(&mut self, lease: &Lease, ends: BootInstant) {
        if let Some(tracked) = self.find(lease) {
            tracked.ends = tracked.ends.min(ends);
        }
    }

    /// Has nobody extend `lease` any more.
    pub(super) fn end(&mut self, lease: &Lease) {
        if let Some(tracked) = self.find(lease) {
            tracked.stage = Stage::Ending;
        }
    }

    /// Whether nobody may extend `lease` any more.
    pub(super) fn is_ending(&mut self, lease: &Lease) -> bool {
        self.find(lease)
            .is_some_and(|tracked| tracked.stage != Stage::Held)
    }

    /// Notes that `lease` was given back, though its holder does not know.
    pub(super) fn give_back(&mut self, lease: &Lease) {
        if let Some(tracked) = self.find(lease) {
            tracked.stage = Stage::GivenBack;
        }
    }

    /// Has `lease` end at `ends`.
    ///
    /// One that was given back stays so, whatever answer to it was still on its way.
    pub(super) fn extend(&mut self, lease: &Lease, ends: BootInstant) {
        if let Some(tracked) = self.find(lease) {
            // What earlier extensions added to its `at_least` is in this one.
            tracked.lease = lease.clone();
            tracked.ends = ends;
        }
    }

    /// Forgets `lease`, and no other of that name: it may be long gone, and somebody's after it.
    pub(super) fn remove(&mut self, lease: &Lease) {
        if let Some(same_name) = self.by_name.get_mut(lease.name()) {
            same_name.retain(|tracked| !tracked.lease.is_same_grant(lease));
            if same_name.is_empty() {
                self.by_name.remove(lease.name());
            }
        }
    }

    fn find(&mut self, lease: &Lease) -> Option<&mut Tracked> {
        let mut same_name = self.by_name.get_mut(lease.name())?.iter_mut();
        same_name.find(|tracked| tracked.lease.is_same_grant(lease))
    }

    /// Leases that nobody gives back would fill the map for ever: each time it has doubled, those that ended go.
    fn forget_ended(&mut self, now: BootInstant) {
        if self.by_name.len() >= self.forget_at.max(KEEP_NAMES) {
            self.by_name.retain(|_, same_name| {
                same_name.retain(|tracked| tracked.ends > now);
                !same_name.is_empty()
            });
            self.forget_at = self.by_name.len() * 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::seam::request::AcquireRequest;
    use crate::values::config::LockConfiguration;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(second: u64) -> BootInstant {
        BootInstant::from_origin(SECOND * u32::try_from(second).unwrap())
    }

    fn lease(name: &str, token: u64, second: u64) -> Lease {
        let config = LockConfiguration::new(name, SECOND).unwrap();
        AcquireRequest::new(config, at(second)).grant(Some(token))
    }

    #[test]
    fn leases_that_nobody_gives_back_are_forgotten() {
        let mut leases = Leases::default();
        for n in 0..100_000 {
            let name = format!("job-{n}");
            // Ten are live at any time.
            leases.add(lease(&name, n, n), at(n + 10), at(n));
        }
        assert_eq!(leases.live(at(99_999)).count(), 10);
        assert!(leases.by_name.len() <= 2 * KEEP_NAMES);

        let mut leases = Leases::default();
        for n in 0..100_000 {
            leases.add(lease("job", n, n), at(n + 10), at(n));
        }
        assert_eq!(leases.by_name["job"].len(), 10);
    }

    #[test]
    fn live_leases_are_never_forgotten() {
        let mut leases = Leases::default();
        for n in 0..5_000 {
            leases.add(lease(&format!("job-{n}"), n, 0), at(1), at(0));
        }
        assert_eq!(leases.live(at(0)).count(), 5_000);
        for n in 0..5_000 {
            leases.remove(&lease(&format!("job-{n}"), n, 0));
        }
        assert!(leases.by_name.is_empty());
    }
}
