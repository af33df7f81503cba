//! Helpers for unit tests of locked code: a provider for one test, locks that are always free or always held, asserts switched off.
//!
//! # Examples
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use shedlock_runtime::{InMemoryLockProvider, testing};
//!
//! // Each test has its own locks, so tests can run side by side.
//! testing::with_provider(InMemoryLockProvider::new(), async { /* call the locked function */ }).await;
//! # }
//! ```

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::process::registry::{self, Registry, TestScope, scoped};
use crate::run::assert;
use crate::seam::provider::LockProvider;

mod clock;
mod faulty;
mod fixed;
mod records;

pub use clock::ManualClock;
pub use faulty::{Fault, FaultyProvider};
pub use records::InMemoryRecordStore;

/// The default lease in a test's own registry.
const AT_MOST: Duration = Duration::from_secs(600);

/// With `true`, every `lock_assert!` on this thread passes; with `false`, `lock_assert!` checks again.
///
/// A task may move between threads. Under a multi-threaded runtime use [`asserts_pass`].
pub fn make_all_asserts_pass(pass: bool) {
    assert::set_thread_passes(pass);
}

/// Awaits `future` with every `lock_assert!` in it passing.
///
/// # Cancel safety
///
/// That of `future`.
pub async fn asserts_pass<F: Future>(future: F) -> F::Output {
    assert::task_passes(future).await
}

/// Awaits `future` with `provider` in place of the registered providers, and a default `at_most` of ten minutes.
///
/// `provider` replaces the default provider and every provider given by name. It does not replace a provider given by an expression, and does
/// not reach tasks that `future` spawns.
///
/// # Cancel safety
///
/// That of `future`.
pub async fn with_provider<P: LockProvider, F: Future>(provider: P, future: F) -> F::Output {
    let registry = Some(Arc::new(Registry::only(provider, AT_MOST)));
    scoped(
        TestScope {
            registry,
            overrides: false,
            held: None,
            outer: registry::scope(),
        },
        future,
    )
    .await
}

/// Awaits `future` with every `lock_assert!` in it passing, and every call in it of a function with `#[scheduler_lock]` getting its lock. No
/// store is asked for these.
///
/// Executors and guards ask their own providers. Tasks that `future` spawns are not reached.
///
/// # Cancel safety
///
/// That of `future`.
pub async fn always_locked<F: Future>(future: F) -> F::Output {
    let registry = Some(Arc::new(Registry::only(fixed::AlwaysFree::new(), AT_MOST)));
    let scope = TestScope {
        registry,
        overrides: true,
        held: None,
        outer: registry::scope(),
    };
    asserts_pass(scoped(scope, future)).await
}

/// Awaits `future` as if another node held the lock `name`: calls in `future` that need this lock are skipped.
///
/// # Cancel safety
///
/// That of `future`.
pub async fn always_held<F: Future>(name: impl Into<String>, future: F) -> F::Output {
    let held = Some(name.into());
    scoped(
        TestScope {
            registry: None,
            overrides: false,
            held,
            outer: registry::scope(),
        },
        future,
    )
    .await
}

/// What the test scopes around a locked call replace.
#[derive(Default)]
pub(crate) struct Resolved {
    /// The provider to use, whatever the call asks for.
    pub(crate) provider: Option<Arc<dyn LockProvider>>,
    /// The registry to use for defaults.
    pub(crate) registry: Option<Arc<Registry>>,
}

pub(crate) fn resolve(name: &str, given: bool) -> Resolved {
    let mut resolved = Resolved::default();
    let mut next = registry::scope();
    while let Some(scope) = next.take() {
        if scope.held.as_deref() == Some(name) {
            let provider: Arc<dyn LockProvider> = Arc::new(fixed::AlwaysHeld::new());
            let registry = Arc::new(Registry::only(Arc::clone(&provider), AT_MOST));
            return Resolved {
                provider: Some(provider),
                registry: Some(registry),
            };
        }
        if let Some(registry) = &scope.registry
            && resolved.registry.is_none()
        {
            let answers = scope.overrides || !given;
            resolved.provider = answers
                .then(|| registry.provider(None).ok().cloned())
                .flatten();
            resolved.registry = Some(Arc::clone(registry));
        }
        next.clone_from(&scope.outer);
    }
    resolved
}
