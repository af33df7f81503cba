//! One operator of the store under test: helper functions for what an operator does.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use shedlock_runtime::{Expiry, LockAdmin, LockInfo, SkipReason};

use super::node::Node;
use super::subject::{LONG, Subject, config};

/// The tolerance for times from the store: a store may count in milliseconds, and its clock may be slewed.
const TOLERANCE: Duration = Duration::from_millis(50);

/// One operator of the store under test.
#[derive(Debug, Clone)]
pub(super) struct Operator {
    admin: Arc<dyn LockAdmin>,
    slack: Duration,
    /// Whether the store may be unable to report when a lock was taken and when the lock becomes free.
    may_tell_no_times: bool,
}

impl Subject {
    /// Makes an operator. If the provider does not support operators, prints that the case is not applicable.
    pub(super) async fn operator(&self) -> Option<Operator> {
        let Some(admin) = self.harness().admin("operator").await else {
            self.not_applicable("the provider is no `LockAdmin`");
            return None;
        };
        let slack = self.slack();
        Some(Operator {
            admin,
            slack,
            may_tell_no_times: self.capabilities().expiry() == Expiry::ByStore,
        })
    }
}

impl Operator {
    pub(super) fn admin(&self) -> &dyn LockAdmin {
        &*self.admin
    }

    /// The current time of day as the provider sees it.
    pub(super) fn utc(&self) -> SystemTime {
        self.admin.info().clock().utc()
    }

    pub(super) async fn list(&self) -> Vec<LockInfo> {
        let listed = self.admin.list().await;
        listed.unwrap_or_else(|error| panic!("the locks cannot be listed: {error:?}"))
    }

    pub(super) async fn find(&self, lock: &str) -> Option<LockInfo> {
        let found = self.admin.get(lock).await;
        found.unwrap_or_else(|error| panic!("`{lock}` cannot be looked at: {error:?}"))
    }

    /// Returns what the store reports about a lock that the store must know.
    pub(super) async fn get(&self, lock: &str) -> LockInfo {
        let found = self.find(lock).await;
        found.unwrap_or_else(|| panic!("the store knows nothing of `{lock}`"))
    }

    pub(super) async fn force_release(&self, lock: &str, reason: &str) -> bool {
        let done = self.admin.force_release(lock, reason).await;
        done.unwrap_or_else(|error| panic!("`{lock}` cannot be released by force: {error:?}"))
    }

    /// Pauses a lock for a duration from now, and returns a time before the pause.
    pub(super) async fn pause(&self, lock: &str, length: Duration, reason: &str) -> Instant {
        let asked = Instant::now();
        let done = self.admin.pause(lock, self.utc() + length, reason).await;
        done.unwrap_or_else(|error| panic!("`{lock}` cannot be paused: {error:?}"));
        asked
    }

    pub(super) async fn resume(&self, lock: &str) -> bool {
        let done = self.admin.resume(lock).await;
        done.unwrap_or_else(|error| panic!("`{lock}` cannot be resumed: {error:?}"))
    }

    pub(super) async fn prune(&self, unused_for: Duration) -> u64 {
        let done = self.admin.prune(unused_for).await;
        done.unwrap_or_else(|error| panic!("the locks cannot be pruned: {error:?}"))
    }

    pub(super) async fn prune_prefix(&self, prefix: &str, unused_for: Duration) -> u64 {
        let done = self.admin.prune_prefix(prefix, unused_for).await;
        done.unwrap_or_else(|error| panic!("the locks of `{prefix}` cannot be pruned: {error:?}"))
    }

    /// Asserts that an instant is between two others, within the tolerance and the granularity of the store's clock.
    pub(super) fn assert_between(
        &self,
        what: &str,
        instant: Option<SystemTime>,
        earliest: SystemTime,
        latest: SystemTime,
    ) {
        let Some(instant) = instant else {
            assert!(self.may_tell_no_times, "{what} is unknown");
            return;
        };
        assert!(
            instant + TOLERANCE >= earliest && instant <= latest + TOLERANCE + self.slack,
            "{what} is {instant:?}, and was to be between {earliest:?} and {latest:?}"
        );
    }

    /// Asserts the remaining time of a lock that was taken for `length` at some time after `asked`.
    pub(super) fn assert_remaining(&self, info: &LockInfo, asked: SystemTime, length: Duration) {
        let looked = self.utc().duration_since(asked).unwrap_or_default();
        assert!(
            info.remaining <= length + TOLERANCE + self.slack
                && info.remaining + looked + TOLERANCE + self.slack >= length,
            "{:?} are said to remain, looked at within {looked:?}, of {length:?}",
            info.remaining
        );
    }

    /// Returns what the store reports about a lock that must be free; `None` if the store keeps no records of free locks.
    pub(super) async fn find_free(&self, lock: &str, subject: &Subject) -> Option<LockInfo> {
        let found = self.find(lock).await;
        let is_free = |info: &LockInfo| !info.paused && !info.is_held();
        assert!(found.as_ref().is_none_or(is_free), "{found:?}");
        assert_eq!(
            found.is_some(),
            subject.capabilities().keeps_free_records(),
            "the capabilities say so"
        );
        found
    }
}

impl Node {
    /// Asks for a lock that must be paused, and asserts that the refusal says so.
    pub(super) async fn must_be_paused(&self, lock: &str) {
        match self.try_seize(config(lock, LONG, Duration::ZERO)).await {
            Ok(_) => panic!("`{lock}` is paused, and was granted"),
            Err(refusal) => assert_eq!(
                refusal.reason,
                SkipReason::Paused,
                "a lock that is paused is refused as paused"
            ),
        }
    }
}
