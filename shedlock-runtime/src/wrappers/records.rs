//! What an operator reads and overrules through a wrapper.

use std::time::Duration;

use async_trait::async_trait;

use super::{NamespacedLockProvider, TimeoutLockProvider, TrackingLockProvider};
use crate::seam::lock_info::LockInfo;
use crate::seam::records::{LockRecords, Overrule, Selection};
use crate::values::error::LockError;
use crate::values::limit::limited;
use crate::values::name::LockName;

/// Only the locks of the namespace, by the names that they have in it; those of namespaces inside of it among them.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockRecords> LockRecords for NamespacedLockProvider<P> {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let mut infos = match selection {
            Selection::Name(name) => {
                let stored = self.stored(name)?;
                let found = self.inner().records(Selection::Name(&stored)).await;
                found.map_err(|error| error.renamed(name))?
            }
            Selection::Prefix(prefix) => {
                let stored = format!("{}{prefix}", self.prefix());
                self.inner().records(Selection::Prefix(&stored)).await?
            }
        };
        infos.retain_mut(|info| match self.own(&info.name) {
            Some(name) => {
                info.name = name.to_owned();
                true
            }
            None => false,
        });
        Ok(infos)
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        let stored = self.stored(name)?;
        let done = self.inner().overrule(&stored, overrule).await;
        done.map_err(|error| error.renamed(name))
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let stored = format!("{}{prefix}", self.prefix());
        self.inner().forget(&stored, unused_for).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockRecords> LockRecords for TrackingLockProvider<P> {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        self.inner().records(selection).await
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        self.inner().overrule(name, overrule).await
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.inner().forget(prefix, unused_for).await
    }
}

/// Every question within the limit, those about many locks too.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<P: LockRecords> LockRecords for TimeoutLockProvider<P> {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        limited(self.limit(), self.inner().records(selection)).await
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        limited(self.limit(), self.inner().overrule(name, overrule)).await
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        limited(self.limit(), self.inner().forget(prefix, unused_for)).await
    }
}
