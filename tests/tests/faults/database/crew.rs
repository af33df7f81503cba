//! Nodes that all want one job, and who was at work on it when.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use shedlock::{ErrorKind, Outcome};
use shedlock_tests::holds::{Hold, monotonic_nanos, overlaps};
use tokio::time::sleep;

use super::{job, kept_job};
use crate::support::{Locks, until};

/// How often who is at work says so.
const PACE: Duration = Duration::from_millis(3);
/// How often a node asks.
const TICK: Duration = Duration::from_millis(20);
const RIVALS_LEASE: Duration = Duration::from_secs(2);

/// One holder, and its rivals, which ask from the moment on at which it is at work.
#[derive(Debug, Default)]
pub(super) struct Crew {
    has_begun: AtomicBool,
    holds: Mutex<Vec<Hold>>,
    runs: AtomicUsize,
    skips: AtomicUsize,
    failures: Mutex<Vec<ErrorKind>>,
}

/// Somebody at work; noted when dropped.
struct Shift<'a> {
    crew: &'a Crew,
    who: String,
    begin: u64,
    last: AtomicU64,
}

impl Drop for Shift<'_> {
    fn drop(&mut self) {
        let hold = Hold {
            holder: self.who.clone(),
            begin: self.begin,
            end: *self.last.get_mut(),
        };
        let mut holds = self
            .crew
            .holds
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        holds.push(hold);
    }
}

impl Crew {
    /// Does `work` as a body, from its first poll to its last.
    pub(super) async fn work<T>(&self, who: String, work: impl Future<Output = T>) -> T {
        let begin = monotonic_nanos();
        let shift = Shift {
            crew: self,
            who,
            begin,
            last: AtomicU64::new(begin),
        };
        self.has_begun.store(true, Ordering::Relaxed);
        let note = || shift.last.store(monotonic_nanos(), Ordering::Relaxed);
        let pace = async {
            loop {
                note();
                sleep(PACE).await;
            }
        };
        let done = tokio::select! {
            done = work => done,
            () = pace => unreachable!("it has no end"),
        };
        note();
        done
    }

    /// Holds the job, kept alive, for as long as `script` takes, which must not be lost.
    pub(super) async fn hold<T>(
        &self,
        locks: &Locks,
        at_most: Duration,
        script: impl Future<Output = T>,
    ) -> T {
        let body = self.work("holder".to_owned(), script);
        match Box::pin(kept_job(locks, at_most, body)).await {
            Ok(Outcome::Executed(done)) => done,
            Ok(Outcome::Skipped(reason)) => panic!("the holder was skipped: {reason}"),
            Err(error) => panic!("the holder has failed: {error}: {:?}", error.kind()),
        }
    }

    /// Does `scenario` while these nodes ask for the job, and looks whether two were ever at work at once.
    pub(super) async fn beside<T>(&self, nodes: &[Locks], scenario: impl Future<Output = T>) -> T {
        let rivals = nodes.iter().enumerate();
        let rivals = join_all(rivals.map(|(number, locks)| self.rival(locks, number)));
        let done = tokio::select! {
            done = Box::pin(scenario) => done,
            _ = rivals => unreachable!("they have no end"),
        };
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(overlaps(&holds), [], "two were at work at once");
        done
    }

    async fn rival(&self, locks: &Locks, number: usize) {
        until(async || self.has_begun.load(Ordering::Relaxed).then_some(())).await;
        loop {
            let body = self.work(format!("rival-{number}"), sleep(PACE));
            match Box::pin(job(locks, RIVALS_LEASE, body)).await {
                Ok(Outcome::Executed(())) => drop(self.runs.fetch_add(1, Ordering::Relaxed)),
                Ok(Outcome::Skipped(_)) => drop(self.skips.fetch_add(1, Ordering::Relaxed)),
                // Its body was dropped, if it had begun.
                Err(error) => {
                    let lost = error.kind() == ErrorKind::Lost;
                    assert!(error.is_transient() || lost, "{error}: {:?}", error.kind());
                    let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
                    failures.push(error.kind());
                }
            }
            sleep(TICK).await;
        }
    }

    /// How often rivals have had the job.
    pub(super) fn runs(&self) -> usize {
        self.runs.load(Ordering::Relaxed)
    }

    /// How rivals have failed so far.
    pub(super) fn failures(&self) -> Vec<ErrorKind> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.clone()
    }

    /// Waits until a rival has been skipped from now on.
    pub(super) async fn until_skipped(&self) {
        let before = self.skips.load(Ordering::Relaxed);
        until(async || (self.skips.load(Ordering::Relaxed) > before).then_some(())).await;
    }

    /// Waits until a rival has had the job from now on.
    pub(super) async fn until_run(&self) {
        let before = self.runs();
        until(async || (self.runs() > before).then_some(())).await;
    }

    /// Waits until a rival has failed from now on.
    pub(super) async fn until_failed(&self) {
        let before = self.failures().len();
        until(async || (self.failures().len() > before).then_some(())).await;
    }
}
