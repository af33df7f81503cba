//! Which locks the jobs of this process have whose ticks are told apart by their times, so that two jobs under one lock are noticed.

use std::sync::{Mutex, MutexGuard, PoisonError};

use shedlock_runtime::{LockName, ProviderInfo};

static JOBS: Mutex<Vec<(ProviderInfo, LockName)>> = Mutex::new(Vec::new());

/// A job whose ticks are told apart, registered until the job is dropped.
#[derive(Debug)]
pub(crate) struct Ticking {
    provider: ProviderInfo,
    name: LockName,
}

impl Ticking {
    pub(crate) fn register(provider: &ProviderInfo, name: &LockName) -> Self {
        jobs().push((provider.clone(), name.clone()));
        Self {
            provider: provider.clone(),
            name: name.clone(),
        }
    }

    /// Whether another job has the same lock of the same provider.
    pub(crate) fn is_shared(&self) -> bool {
        jobs().iter().filter(|job| self.is(job)).count() > 1
    }

    fn is(&self, (provider, name): &(ProviderInfo, LockName)) -> bool {
        self.provider.is_same(provider) && self.name == *name
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        let mut jobs = jobs();
        if let Some(at) = jobs.iter().position(|job| self.is(job)) {
            jobs.swap_remove(at);
        }
    }
}

fn jobs() -> MutexGuard<'static, Vec<(ProviderInfo, LockName)>> {
    // Nothing panics while it is locked.
    JOBS.lock().unwrap_or_else(PoisonError::into_inner)
}
