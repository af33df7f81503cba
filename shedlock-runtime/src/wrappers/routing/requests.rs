//! Requests go to the provider of their tenant, and leases stay with the provider that granted them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::RoutingLockProvider;
use crate::seam::answer::{Acquisition, Ownership};
use crate::seam::history::RunHistory;
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::seam::request::AcquireRequest;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::name::LockName;

/// The provider that a request was sent to.
struct Home(Arc<dyn LockProvider>);

impl RoutingLockProvider {
    /// Decides where `request` goes, and notes it: what the request wins stays there.
    fn send(&self, request: &AcquireRequest) -> Result<Arc<dyn LockProvider>, LockError> {
        let name = request.name();
        let provider = self.choose(name)?;
        let fits = (*provider).info().check(request.config());
        fits.map_err(with_context(Operation::Acquire, &*provider, name))?;
        request.note(&self.info, Home(Arc::clone(&provider)));
        Ok(provider)
    }

    /// The provider that granted `lease`.
    fn home(&self, lease: &Lease) -> Result<Arc<dyn LockProvider>, LockError> {
        let home = lease.noted::<Home>(&self.info).ok_or_else(|| {
            let problem = "the lease was granted by another provider";
            LockError::new(ErrorKind::Other, problem)
        })?;
        Ok(Arc::clone(&home.0))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl LockProvider for RoutingLockProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        // A request that is made again goes where it went before: it may have been granted there.
        let provider = match request.noted::<Home>(&self.info) {
            Some(home) => Arc::clone(&home.0),
            None => self.send(request)?,
        };
        let answer = (*provider).acquire(request).await;
        answer.map_err(with_context(Operation::Acquire, &*provider, request.name()))
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let provider = self.home(lease)?;
        let keeps = (*provider).info().capabilities().check_lease(at_most);
        keeps.map_err(|beyond| {
            with_context(Operation::Extend, &*provider, lease.name())(beyond.into())
        })?;
        let answer = (*provider).extend(lease, at_most).await;
        answer.map_err(with_context(Operation::Extend, &*provider, lease.name()))
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let provider = self.home(lease)?;
        let longest = (*provider).info().capabilities().longest_lease();
        let answer = (*provider).release(lease, keep_for.min(longest)).await;
        answer.map_err(with_context(Operation::Release, &*provider, lease.name()))
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let provider = self.choose(&LockName::new(prefix)?)?;
        (*provider).forget_claims(prefix, unused_for).await
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        Some(self)
    }
}

/// Has an error tell which store it is about: the tenant's, not the router.
fn with_context(
    operation: Operation,
    provider: &dyn LockProvider,
    lock: &LockName,
) -> impl FnOnce(LockError) -> LockError {
    let name = provider.info().name();
    move |error| error.with_context(operation, name, Some(lock))
}
