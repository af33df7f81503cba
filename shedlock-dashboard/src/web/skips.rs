//! The last skips of this process.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use shedlock_runtime::{EventKind, LockEvent, LockListener, LockName, SkipReason};

/// How many skips are remembered.
const MOST: usize = 4_096;

/// Remembers the last skips of one provider's locks in this process.
#[derive(Debug)]
pub(super) struct Skips {
    provider: &'static str,
    are_heard: AtomicBool,
    last: Mutex<VecDeque<Skip>>,
}

/// One skip.
#[derive(Debug, Clone)]
pub(super) struct Skip {
    pub(super) at: SystemTime,
    pub(super) lock: LockName,
    pub(super) reason: SkipReason,
    /// The node that held the lock, if the store said so.
    pub(super) holder: Option<Box<str>>,
}

/// Hears the events of this process.
#[derive(Debug)]
pub(super) struct SkipListener(Arc<Skips>);

impl Skips {
    pub(super) fn new(provider: &'static str) -> Self {
        Self {
            provider,
            are_heard: AtomicBool::new(false),
            last: Mutex::default(),
        }
    }

    /// Whether the program made a listener. If not, nobody knows of skips.
    pub(super) fn are_heard(&self) -> bool {
        self.are_heard.load(Ordering::Relaxed)
    }

    /// The skips that `wanted` names, the latest first.
    pub(super) fn of(&self, wanted: impl Fn(&str) -> bool) -> Vec<Skip> {
        let last = self.last();
        let of_lock = last.iter().rev().filter(|skip| wanted(skip.lock.as_str()));
        of_lock.cloned().collect()
    }

    fn last(&self) -> std::sync::MutexGuard<'_, VecDeque<Skip>> {
        // Nothing panics while it is locked.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SkipListener {
    pub(super) fn new(skips: &Arc<Skips>) -> Self {
        skips.are_heard.store(true, Ordering::Relaxed);
        Self(Arc::clone(skips))
    }
}

impl LockListener for SkipListener {
    fn on_event(&self, event: &LockEvent) {
        let EventKind::Skipped { reason, node, .. } = &event.kind else {
            return;
        };
        if event.provider != self.0.provider {
            return;
        }
        let mut last = self.0.last();
        if last.len() == MOST {
            last.pop_front();
        }
        last.push_back(Skip {
            at: event.at,
            lock: event.lock.clone(),
            reason: *reason,
            holder: node.clone(),
        });
    }
}
