//! Whether the store has kept its promises, judged by the clock of this process and in the memory of a few locks.

use std::collections::HashMap;

use serde::Serialize;
use tokio::time::Instant;

/// Follows each lock from one holder to the next one.
///
/// A holder's interval begins when the answer to its acquisition has arrived, and ends when it is about to send the release, or at its own
/// deadline. So intervals that overlap are a fault of the store, and never one of the way to it.
#[derive(Debug, Default)]
pub(super) struct Judge {
    locks: HashMap<String, State>,
    acquisitions: u64,
    broken: Broken,
}

/// How often a promise was broken.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Broken {
    /// A lock was acquired while another holder's interval had not ended.
    pub(super) overlaps: u64,
    /// A fencing token was not above the one before; `None` if the store has no tokens.
    pub(super) tokens_not_growing: Option<u64>,
    /// The store called a lock lost before the holder's deadline.
    pub(super) lost_early: u64,
    /// The time limit of an acquisition was over long ago, and it had not returned.
    pub(super) unanswered: u64,
}

impl Broken {
    pub(super) fn is_any(&self) -> bool {
        let tokens = self.tokens_not_growing.unwrap_or_default();
        self.overlaps + tokens + self.lost_early + self.unanswered > 0
    }
}

#[derive(Debug, Default)]
struct State {
    /// The holder's number and deadline, until it gives the lock back.
    holder: Option<(u64, Instant)>,
    last_token: Option<u64>,
}

/// A holder of a lock, as the judge knows it.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    name: String,
    number: u64,
}

impl Judge {
    /// The lock was acquired: the answer arrived `now`, and the lease ends at `deadline`.
    pub(super) fn acquired(
        &mut self,
        name: &str,
        token: Option<u64>,
        now: Instant,
        deadline: Instant,
    ) -> Holder {
        self.acquisitions += 1;
        let holder = Holder {
            name: name.to_owned(),
            number: self.acquisitions,
        };
        let state = self.locks.entry(name.to_owned()).or_default();
        if state.holder.is_some_and(|(_, end)| now < end) {
            self.broken.overlaps += 1;
        }
        if token.is_some() || state.last_token.is_some() {
            let stands_still = token <= state.last_token;
            *self.broken.tokens_not_growing.get_or_insert(0) += u64::from(stands_still);
        }
        state.last_token = state.last_token.max(token);
        state.holder = Some((holder.number, deadline));
        holder
    }

    /// The lease now ends at `deadline`.
    pub(super) fn extended(&mut self, holder: &Holder, deadline: Instant) {
        if let Some(state) = self.of(holder) {
            state.holder = Some((holder.number, deadline));
        }
    }

    /// The holder is about to send its release.
    pub(super) fn releases(&mut self, holder: &Holder) {
        if let Some(state) = self.of(holder) {
            state.holder = None;
        }
    }

    /// The store said that the lock is not the holder's any more. `is_early`: before the holder's deadline.
    pub(super) fn lost(&mut self, is_early: bool) {
        self.broken.lost_early += u64::from(is_early);
    }

    pub(super) fn unanswered(&mut self) {
        self.broken.unanswered += 1;
    }

    pub(super) fn verdict(&self) -> Broken {
        self.broken.clone()
    }

    /// When the last lease ends that nobody gave back.
    pub(super) fn last_deadline(&self) -> Option<Instant> {
        let ends = self.locks.values().filter_map(|state| state.holder);
        ends.map(|(_, end)| end).max()
    }

    /// The lock of the holder, if nobody else has it by now.
    fn of(&mut self, holder: &Holder) -> Option<&mut State> {
        let state = self.locks.get_mut(&holder.name)?;
        let is_holder = state
            .holder
            .is_some_and(|(number, _)| number == holder.number);
        is_holder.then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn who_comes_after_a_release_or_a_deadline_overlaps_nobody() {
        let (mut judge, begin) = (Judge::default(), Instant::now());
        let one = judge.acquired("a", Some(1), begin, at(begin, 10));
        judge.releases(&one);
        let two = judge.acquired("a", Some(2), at(begin, 1), at(begin, 11));
        let _other_lock = judge.acquired("b", Some(1), at(begin, 2), at(begin, 12));
        judge.acquired("a", Some(5), at(begin, 11), at(begin, 21));
        // Too late: the lock is the third one's.
        judge.releases(&two);
        judge.extended(&two, at(begin, 99));
        assert!(!judge.verdict().is_any(), "{judge:?}");
        assert_eq!(judge.last_deadline(), Some(at(begin, 21)));
    }

    #[test]
    fn a_second_holder_is_found() {
        let (mut judge, begin) = (Judge::default(), Instant::now());
        judge.acquired("a", Some(1), begin, at(begin, 10));
        judge.acquired("a", Some(2), at(begin, 9), at(begin, 19));
        assert_eq!(judge.verdict().overlaps, 1);
        // An extension counts.
        let three = judge.acquired("a", Some(3), at(begin, 19), at(begin, 20));
        judge.extended(&three, at(begin, 30));
        judge.acquired("a", Some(4), at(begin, 29), at(begin, 39));
        assert_eq!(judge.verdict().overlaps, 2);
    }

    #[test]
    fn a_token_that_does_not_grow_is_found_and_none_at_all_is_told() {
        let (mut judge, begin) = (Judge::default(), Instant::now());
        for token in [7, 8, 8, 3, 9] {
            let holder = judge.acquired("a", Some(token), begin, at(begin, 10));
            judge.releases(&holder);
        }
        assert_eq!(judge.verdict().tokens_not_growing, Some(2));
        // A token that is missing for once protects nobody.
        judge.acquired("a", None, begin, at(begin, 10));
        assert_eq!(judge.verdict().tokens_not_growing, Some(3));
        let mut judge = Judge::default();
        judge.acquired("a", None, begin, at(begin, 10));
        assert_eq!(judge.verdict(), Broken::default());
    }

    #[test]
    fn what_is_lost_early_or_not_answered_is_broken() {
        let mut judge = Judge::default();
        judge.lost(false);
        assert!(!judge.verdict().is_any());
        judge.lost(true);
        judge.unanswered();
        assert_eq!(
            (judge.verdict().lost_early, judge.verdict().unanswered),
            (1, 1)
        );
    }
}
