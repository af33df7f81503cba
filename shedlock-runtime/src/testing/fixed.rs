//! Providers with one answer.

use std::time::Duration;

use async_trait::async_trait;

use crate::seam::answer::{Acquisition, Ownership, Refusal};
use crate::seam::capabilities::Capabilities;
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::seam::request::AcquireRequest;
use crate::values::clock::TokioClock;
use crate::values::error::LockError;

/// Grants every lock.
#[derive(Debug, Clone)]
pub(crate) struct AlwaysFree(ProviderInfo);

/// Grants no lock.
#[derive(Debug, Clone)]
pub(crate) struct AlwaysHeld(ProviderInfo);

impl AlwaysFree {
    pub(crate) fn new() -> Self {
        Self(
            ProviderInfo::new("always_locked")
                .with_clock(TokioClock)
                .with_capabilities(Capabilities::new().with_positions()),
        )
    }
}

impl AlwaysHeld {
    pub(crate) fn new() -> Self {
        Self(
            ProviderInfo::new("always_held")
                .with_clock(TokioClock)
                .with_capabilities(Capabilities::new().with_positions()),
        )
    }
}

#[async_trait]
impl LockProvider for AlwaysFree {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        Ok(Acquisition::Granted(request.grant(None)))
    }

    async fn extend(&self, _lease: &Lease, _at_most: Duration) -> Result<Ownership, LockError> {
        Ok(Ownership::Ours)
    }

    async fn release(&self, _lease: &Lease, _keep_for: Duration) -> Result<Ownership, LockError> {
        Ok(Ownership::Ours)
    }
}

#[async_trait]
impl LockProvider for AlwaysHeld {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }

    async fn acquire(&self, _request: &AcquireRequest) -> Result<Acquisition, LockError> {
        Ok(Acquisition::Refused(Refusal::held()))
    }

    async fn extend(&self, _lease: &Lease, _at_most: Duration) -> Result<Ownership, LockError> {
        Ok(Ownership::Lost)
    }

    async fn release(&self, _lease: &Lease, _keep_for: Duration) -> Result<Ownership, LockError> {
        Ok(Ownership::Lost)
    }
}
