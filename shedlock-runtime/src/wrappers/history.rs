//! The history of runs through a wrapper.

use std::ops::Range;
use std::time::SystemTime;

use async_trait::async_trait;

use super::{NamespacedLockProvider, RoutingLockProvider, TimeoutLockProvider};
use crate::seam::history::{RunHistory, RunRecord, no_history};
use crate::seam::provider::LockProvider;
use crate::values::error::LockError;
use crate::values::limit::limited;
use crate::values::name::LockName;

/// The runs of the namespace, by the names that the locks have in it.
#[async_trait]
impl<P: LockProvider> RunHistory for NamespacedLockProvider<P> {
    async fn append(&self, run: &RunRecord) -> Result<(), LockError> {
        let stored = RunRecord {
            lock: format!("{}{}", self.prefix(), run.lock),
            ..run.clone()
        };
        let history = self.inner().run_history().ok_or_else(no_history)?;
        history.append(&stored).await
    }

    async fn runs(
        &self,
        lock: &LockName,
        began: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        let history = self.inner().run_history().ok_or_else(no_history)?;
        let mut runs = history.runs(&self.stored(lock)?, began).await?;
        for run in &mut runs {
            lock.as_str().clone_into(&mut run.lock);
        }
        Ok(runs)
    }
}

/// Every question within the limit.
#[async_trait]
impl<P: LockProvider> RunHistory for TimeoutLockProvider<P> {
    async fn append(&self, run: &RunRecord) -> Result<(), LockError> {
        let history = self.inner().run_history().ok_or_else(no_history)?;
        limited(self.limit(), history.append(run)).await
    }

    async fn runs(
        &self,
        lock: &LockName,
        began: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        let history = self.inner().run_history().ok_or_else(no_history)?;
        limited(self.limit(), history.runs(lock, began)).await
    }
}

/// Each run goes to the history of its tenant's provider, if that keeps one.
#[async_trait]
impl RunHistory for RoutingLockProvider {
    async fn append(&self, run: &RunRecord) -> Result<(), LockError> {
        let provider = self.choose(&LockName::new(&*run.lock)?)?;
        match (*provider).run_history() {
            Some(history) => history.append(run).await,
            None => Ok(()),
        }
    }

    async fn runs(
        &self,
        lock: &LockName,
        began: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        let provider = self.choose(lock)?;
        let history = (*provider).run_history().ok_or_else(no_history)?;
        history.runs(lock, began).await
    }
}
