//! The state of a held lock: one state machine in one atomic byte.
//!
//! A state has four parts: the lease, the body that runs under the lock, the guard, and its holder. They lie in one byte because a
//! shutdown decides by all four at the same instant.
//!
//! Transitions of the lease. The first ending is final, except that a shutdown also ends what continues after another ending:
//! the body of a lost lock, and the retries of a release.
//!
//! | from | event | to | raised by |
//! |---|---|---|---|
//! | `Live` | `Lose(Deadline)` | `Lost(Deadline)` | the gate and the watch, when the deadline has come; a release, when the store says "not ours" after the deadline |
//! | `Live` | `Lose(Stolen)` | `Lost(Stolen)` | an extension or a release, when the store says "not ours" before the deadline |
//! | `Live` | `Release` | `Released` | a release, whatever the store answered |
//! | `Live` | `ShutDown` | `ShutDown { stolen: false }` | a shutdown |
//! | `Lost(Deadline)` | `ShutDown` | `ShutDown { stolen: false }` | a shutdown |
//! | `Lost(Stolen)` | `ShutDown` | `ShutDown { stolen: true }` | a shutdown |
//! | `Released` | `ShutDown` | `ShutDown { stolen: false }` | a shutdown |
//!
//! Transitions of the body.
//!
//! | from | event | to | raised by |
//! |---|---|---|---|
//! | any | `BeginBody(Cancel)` | `Some(Cancel)` | the gate, when it is made |
//! | any | `BeginBody(Notify)` | `Some(Notify)` | the gate, when it is made |
//! | any | `EndBody` | `None` | the gate, when the body has been dropped |
//!
//! Transitions of the guard: whether dropping it releases the lock.
//!
//! | from | event | to | raised by |
//! |---|---|---|---|
//! | any | `ReleaseOnDrop(true)` | `true` | `Lock::release_on_drop` and `Lock::unlock` |
//! | any | `ReleaseOnDrop(false)` | `false` | `Lock::release_on_drop` |
//!
//! Transitions of the holder: whether somebody would go on without a body if the lock were released now.
//!
//! | from | event | to | raised by |
//! |---|---|---|---|
//! | any | `GiveUp` | `false` | the executor, before the body begins; `Lock::unlock` and dropping the guard, before the release |
//!
//! Every other event leaves its part unchanged. `ShutDown` also leaves the lease unchanged if no body runs and dropping the guard
//! does not release the lock: a shutdown leaves such a lock alone.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::observe::event::LossReason;
use crate::values::options::OnLost;

/// The state of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseState {
    /// Nothing has ended the lease. The deadline is not part of the state: compare it with the clock.
    Live,
    Lost(LossReason),
    /// A release was sent to the store.
    Released,
    /// A shutdown has ended the lease, or what continued after the lease.
    ShutDown {
        /// Whether the store had taken the lock away before.
        stolen: bool,
    },
}

/// The state of a held lock at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    lease: LeaseState,
    /// What a loss does to the body that runs under the lock; `None` while no body runs.
    body: Option<OnLost>,
    releases_on_drop: bool,
    /// Whether somebody goes on with the guard, whether or not a body runs.
    has_holder: bool,
}

/// What can happen to a held lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Lose(LossReason),
    Release,
    ShutDown,
    BeginBody(OnLost),
    EndBody,
    ReleaseOnDrop(bool),
    GiveUp,
}

impl State {
    /// The state of a lock that was just granted.
    const GRANTED: Self = Self {
        lease: LeaseState::Live,
        body: None,
        releases_on_drop: true,
        has_holder: true,
    };

    pub(crate) fn has_ended(self) -> bool {
        self.lease != LeaseState::Live
    }

    /// Whether the store has taken the lock away, so that the deadline no longer means anything.
    pub(crate) fn was_stolen(self) -> bool {
        matches!(
            self.lease,
            LeaseState::Lost(LossReason::Stolen) | LeaseState::ShutDown { stolen: true }
        )
    }

    pub(crate) fn is_shut_down(self) -> bool {
        matches!(self.lease, LeaseState::ShutDown { .. })
    }

    /// What a loss does to the body that runs under the lock; `None` while no body runs.
    pub(crate) fn body(self) -> Option<OnLost> {
        self.body
    }

    pub(crate) fn releases_on_drop(self) -> bool {
        self.releases_on_drop
    }

    /// Whether a shutdown leaves the lock alone: no body runs under the lock, and dropping the guard does not release the lock.
    pub(crate) fn is_left_alone(self) -> bool {
        self.body.is_none() && !self.releases_on_drop
    }

    /// Whether something goes on under the lock that a shutdown would end: a body, or the holder of a guard. Nothing does once all that
    /// remains is the release.
    pub(crate) fn goes_on(self) -> bool {
        self.body.is_some() || self.has_holder
    }

    /// The state after `event`: the tables of this module.
    fn after(mut self, event: Event) -> Self {
        match event {
            Event::Lose(reason) => self.end_live(LeaseState::Lost(reason)),
            Event::Release => self.end_live(LeaseState::Released),
            Event::ShutDown if self.is_left_alone() => {}
            Event::ShutDown => {
                let stolen = self.was_stolen();
                self.lease = LeaseState::ShutDown { stolen };
            }
            Event::BeginBody(on_lost) => self.body = Some(on_lost),
            Event::EndBody => self.body = None,
            Event::ReleaseOnDrop(releases) => self.releases_on_drop = releases,
            Event::GiveUp => self.has_holder = false,
        }
        self
    }

    fn end_live(&mut self, end: LeaseState) {
        if self.lease == LeaseState::Live {
            self.lease = end;
        }
    }

    /// The state in one byte: three bits for the lease, two for the body, one each for the guard and its holder.
    fn to_bits(self) -> u8 {
        let lease = match self.lease {
            LeaseState::Live => 0,
            LeaseState::Lost(LossReason::Deadline) => 1,
            LeaseState::Lost(LossReason::Stolen) => 2,
            LeaseState::Released => 3,
            LeaseState::ShutDown { stolen: false } => 4,
            LeaseState::ShutDown { stolen: true } => 5,
        };
        let body = match self.body {
            None => 0,
            Some(OnLost::Notify) => 1,
            Some(OnLost::Cancel) => 2,
        };
        let guard = u8::from(self.releases_on_drop) | (u8::from(self.has_holder) << 1);
        lease | (body << 3) | (guard << 5)
    }

    fn from_bits(bits: u8) -> Self {
        Self {
            lease: match bits & 0b111 {
                0 => LeaseState::Live,
                1 => LeaseState::Lost(LossReason::Deadline),
                2 => LeaseState::Lost(LossReason::Stolen),
                3 => LeaseState::Released,
                4 => LeaseState::ShutDown { stolen: false },
                _ => LeaseState::ShutDown { stolen: true },
            },
            body: match (bits >> 3) & 0b11 {
                0 => None,
                1 => Some(OnLost::Notify),
                _ => Some(OnLost::Cancel),
            },
            releases_on_drop: bits & (1 << 5) != 0,
            has_holder: bits & (1 << 6) != 0,
        }
    }
}

/// The states before and after one event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transition {
    pub(crate) from: State,
    pub(crate) to: State,
}

impl Transition {
    /// Whether this event was the one that ended the lease.
    pub(crate) fn ended_lease(self) -> bool {
        !self.from.has_ended() && self.to.has_ended()
    }
}

/// The state of a held lock, shared by the guard, the task that runs under the lock, and a shutdown.
#[derive(Debug)]
pub(crate) struct AtomicState(AtomicU8);

impl AtomicState {
    pub(crate) fn granted() -> Self {
        Self(AtomicU8::new(State::GRANTED.to_bits()))
    }

    pub(crate) fn load(&self) -> State {
        State::from_bits(self.0.load(Ordering::Acquire))
    }

    pub(crate) fn lose(&self, reason: LossReason) -> Transition {
        self.raise(Event::Lose(reason))
    }

    pub(crate) fn release(&self) -> Transition {
        self.raise(Event::Release)
    }

    pub(crate) fn shut_down(&self) -> Transition {
        self.raise(Event::ShutDown)
    }

    pub(crate) fn begin_body(&self, on_lost: OnLost) {
        self.raise(Event::BeginBody(on_lost));
    }

    pub(crate) fn end_body(&self) {
        self.raise(Event::EndBody);
    }

    pub(crate) fn set_release_on_drop(&self, releases: bool) {
        self.raise(Event::ReleaseOnDrop(releases));
    }

    pub(crate) fn give_up(&self) {
        self.raise(Event::GiveUp);
    }

    fn raise(&self, event: Event) -> Transition {
        let mut from = self.0.load(Ordering::Acquire);
        loop {
            let to = State::from_bits(from).after(event);
            let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
            let exchanged = self
                .0
                .compare_exchange_weak(from, to.to_bits(), success, failure);
            match exchanged {
                Ok(_) => {
                    return Transition {
                        from: State::from_bits(from),
                        to,
                    };
                }
                Err(now) => from = now,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    const REASONS: [LossReason; 2] = [LossReason::Deadline, LossReason::Stolen];
    const BODIES: [OnLost; 2] = [OnLost::Cancel, OnLost::Notify];

    fn states() -> Vec<State> {
        let mut leases = vec![LeaseState::Live, LeaseState::Released];
        leases.extend(REASONS.map(LeaseState::Lost));
        leases.extend([false, true].map(|stolen| LeaseState::ShutDown { stolen }));
        let mut states = Vec::new();
        for lease in leases {
            for body in [None, Some(OnLost::Cancel), Some(OnLost::Notify)] {
                for releases_on_drop in [false, true] {
                    states.extend([false, true].map(|has_holder| State {
                        lease,
                        body,
                        releases_on_drop,
                        has_holder,
                    }));
                }
            }
        }
        states
    }

    fn events() -> Vec<Event> {
        let mut events = vec![
            Event::Release,
            Event::ShutDown,
            Event::EndBody,
            Event::GiveUp,
        ];
        events.extend(REASONS.map(Event::Lose));
        events.extend(BODIES.map(Event::BeginBody));
        events.extend([false, true].map(Event::ReleaseOnDrop));
        events
    }

    /// The cells `from`, `event` and `to` of the four tables in the module's documentation.
    fn documented() -> Vec<[String; 3]> {
        let lines = include_str!("state.rs").lines();
        let rows = lines.filter_map(|line| line.strip_prefix("//! |"));
        let rows = rows.filter(|row| !row.starts_with("---") && !row.starts_with(" from"));
        rows.map(|row| {
            let mut cells = row.split('|').map(|cell| cell.trim().replace('`', ""));
            std::array::from_fn(|_| cells.next().expect("a row has four cells"))
        })
        .collect()
    }

    /// What the tables say becomes of one part of a state, and which row says so.
    fn part_after(
        part: &impl Debug,
        event: Event,
        rows: &[[String; 3]],
    ) -> (String, Option<usize>) {
        let (part, event) = (format!("{part:?}"), format!("{event:?}"));
        let row = rows
            .iter()
            .position(|[from, on, _]| (*from == part || from == "any") && *on == event);
        (row.map_or(part, |row| rows[row][2].clone()), row)
    }

    #[test]
    fn every_event_in_every_state_does_what_the_tables_say() {
        let tables = documented();
        let (lease_rows, others) = tables.split_at(7);
        let (body_rows, others) = others.split_at(3);
        let (guard_rows, holder_rows) = others.split_at(2);
        let mut used = vec![false; tables.len()];
        for state in states() {
            for event in events() {
                let after = state.after(event);
                let left_alone = state.body.is_none() && !state.releases_on_drop;
                if event == Event::ShutDown && left_alone {
                    assert_eq!(after, state, "{event:?}");
                    continue;
                }
                let (lease, in_lease) = part_after(&state.lease, event, lease_rows);
                let (body, in_body) = part_after(&state.body, event, body_rows);
                let (guard, in_guard) = part_after(&state.releases_on_drop, event, guard_rows);
                let (holder, in_holder) = part_after(&state.has_holder, event, holder_rows);
                let rows = [
                    in_lease,
                    in_body.map(|row| row + 7),
                    in_guard.map(|row| row + 10),
                    in_holder.map(|row| row + 12),
                ];
                for row in rows.into_iter().flatten() {
                    used[row] = true;
                }
                let shown = [
                    format!("{:?}", after.lease),
                    format!("{:?}", after.body),
                    format!("{:?}", after.releases_on_drop),
                    format!("{:?}", after.has_holder),
                ];
                assert_eq!(
                    shown,
                    [lease, body, guard, holder],
                    "{event:?} in {state:?}"
                );
            }
        }
        let unused = tables.iter().zip(used).find(|(_, used)| !used);
        assert_eq!(unused, None, "a row that no state and event matches");
    }

    #[test]
    fn every_state_is_read_back_as_it_was_written() {
        for state in states() {
            assert_eq!(State::from_bits(state.to_bits()), state);
        }
    }

    #[test]
    fn only_the_event_that_ends_a_live_lease_has_ended_it() {
        let state = AtomicState::granted();
        state.begin_body(OnLost::Notify);
        assert!(state.lose(LossReason::Stolen).ended_lease());
        assert!(!state.lose(LossReason::Deadline).ended_lease());
        let shut_down = state.shut_down();
        assert!(!shut_down.ended_lease());
        assert!(!shut_down.from.is_shut_down() && shut_down.to.is_shut_down());
        assert!(!state.release().ended_lease());
        assert!(state.load().was_stolen());
    }
}
