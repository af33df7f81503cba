//! A provider whose calls fail as a test demands.

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::seam::answer::{Acquisition, Ownership};
use crate::seam::history::{RunHistory, RunRecord};
use crate::seam::info::ProviderInfo;
use crate::seam::lease::Lease;
use crate::seam::provider::LockProvider;
use crate::seam::request::AcquireRequest;
use crate::values::error::{ErrorKind, LockError, Operation};
use crate::values::name::LockName;

/// What goes wrong with one call of a [`FaultyProvider`].
///
/// # Examples
///
/// ```
/// use shedlock_runtime::testing::{Fault, FaultyProvider};
/// use shedlock_runtime::{ErrorKind, InMemoryLockProvider, LockConfiguration, LockProviderExt as _, Operation};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// let provider = FaultyProvider::new(InMemoryLockProvider::new());
/// // The store grants the lock, and the answer is lost.
/// provider.next(Operation::Acquire, Fault::LoseReply);
/// let error = provider.try_lock(LockConfiguration::new("mail", "5m")?).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Indeterminate);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The store is not asked; the call fails with an error of this kind.
    Fail(ErrorKind),
    /// The store carries out the request, and the call fails as if the connection broke before the answer came.
    LoseReply,
    /// The store is not asked and the call never ends.
    Hang,
    /// The store carries out the request, and the call never ends.
    HangAfter,
    /// The store is asked after this delay, if the caller is still waiting.
    Delay(Duration),
    /// The store carries out the request at once, and its answer arrives after this delay.
    DelayReply(Duration),
    /// For an acquisition: the call never ends, and the request reaches the store after this delay, even if the caller has given up.
    DeliverLate(Duration),
}

/// A wrapper around a provider, whose next calls fail as a test demands.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_runtime::testing::{Fault, FaultyProvider};
/// use shedlock_runtime::{ErrorKind, InMemoryLockProvider, LockConfiguration, LockProviderExt as _, Operation};
///
/// let provider = FaultyProvider::new(InMemoryLockProvider::new());
/// provider.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
/// let config = LockConfiguration::new("mail", "5m")?;
/// assert!(provider.try_lock(config.clone()).await.is_err());
/// assert!(provider.try_lock(config).await?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultyProvider<P> {
    inner: Arc<P>,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    faults: Vec<(Operation, VecDeque<Fault>)>,
    calls: Vec<Operation>,
}

// Derived, it would ask for `P: Clone`.
impl<P> Clone for FaultyProvider<P> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            script: Arc::clone(&self.script),
        }
    }
}

impl<P: LockProvider> FaultyProvider<P> {
    /// Wraps `inner`. Every call is passed on until [`next`](Self::next) demands a fault.
    #[must_use]
    pub fn new(inner: P) -> Self {
        Self {
            inner: Arc::new(inner),
            script: Arc::default(),
        }
    }

    /// Demands `fault` for the next call of `operation`. Faults demanded before come first.
    pub fn next(&self, operation: Operation, fault: Fault) {
        let mut script = self.script();
        match script.faults.iter_mut().find(|(of, _)| *of == operation) {
            Some((_, faults)) => faults.push_back(fault),
            None => script.faults.push((operation, VecDeque::from([fault]))),
        }
    }

    /// How many calls of `operation` there were, failed ones included.
    #[must_use]
    pub fn calls(&self, operation: Operation) -> usize {
        self.script()
            .calls
            .iter()
            .filter(|call| **call == operation)
            .count()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, operation: Operation) -> Option<Fault> {
        let mut script = self.script();
        script.calls.push(operation);
        script
            .faults
            .iter_mut()
            .find(|(of, _)| *of == operation)?
            .1
            .pop_front()
    }

    fn take_late(&self) -> Option<Duration> {
        let mut script = self.script();
        let (_, faults) = script
            .faults
            .iter_mut()
            .find(|(of, _)| *of == Operation::Acquire)?;
        let Some(Fault::DeliverLate(delay)) = faults.front().copied() else {
            return None;
        };
        faults.pop_front();
        script.calls.push(Operation::Acquire);
        Some(delay)
    }

    async fn call<T: Send>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, LockError>> + Send,
    ) -> Result<T, LockError> {
        match self.take(operation) {
            None => call.await,
            Some(Fault::Fail(kind)) => Err(LockError::new(kind, "a fault on demand")),
            Some(Fault::LoseReply) => {
                drop(call.await);
                Err(LockError::new(
                    ErrorKind::Indeterminate,
                    "the connection broke before the answer came",
                ))
            }
            Some(Fault::Hang) => pending().await,
            Some(Fault::HangAfter) => {
                drop(call.await);
                pending().await
            }
            Some(Fault::DelayReply(delay)) => {
                let answer = call.await;
                tokio::time::sleep(delay).await;
                answer
            }
            Some(Fault::Delay(delay) | Fault::DeliverLate(delay)) => {
                tokio::time::sleep(delay).await;
                call.await
            }
        }
    }
}

#[async_trait]
impl<P: LockProvider> LockProvider for FaultyProvider<P> {
    fn info(&self) -> &ProviderInfo {
        self.inner.info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        if let Some(delay) = self.take_late() {
            // The owner travels with the request, so it is made before the request is sent off.
            request.owner(self.info())?;
            let (inner, request) = (Arc::clone(&self.inner), request.clone());
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                drop(inner.acquire(&request).await);
            });
            return pending().await;
        }
        self.call(Operation::Acquire, self.inner.acquire(request))
            .await
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.call(Operation::Extend, self.inner.extend(lease, at_most))
            .await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.call(Operation::Release, self.inner.release(lease, keep_for))
            .await
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let call = self.inner.forget_claims(prefix, unused_for);
        self.call(Operation::Prune, call).await
    }

    fn run_history(&self) -> Option<&dyn RunHistory> {
        self.inner.run_history().map(|_| self as _)
    }
}

#[async_trait]
impl<P: LockProvider> RunHistory for FaultyProvider<P> {
    async fn append(&self, run: &RunRecord) -> Result<(), LockError> {
        let history = self.inner.run_history().ok_or_else(no_history)?;
        self.call(Operation::History, history.append(run)).await
    }

    async fn runs(
        &self,
        lock: &LockName,
        began: Range<SystemTime>,
    ) -> Result<Vec<RunRecord>, LockError> {
        let history = self.inner.run_history().ok_or_else(no_history)?;
        history.runs(lock, began).await
    }
}

fn no_history() -> LockError {
    LockError::new(ErrorKind::Unsupported, "this provider keeps no history")
}
