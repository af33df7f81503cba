//! The tenants of a router and their providers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::seam::provider::LockProvider;
use crate::values::clock::Clock;
use crate::values::error::{ErrorKind, LockError};

/// How many tenants, and how much of each one's name, an error tells.
const MOST_NAMED: usize = 8;
const MOST_NAME_CHARS: usize = 40;

type Providers = HashMap<String, Arc<dyn LockProvider>>;

/// Who is known. Nothing of a provider's or a user's runs while it is locked.
#[derive(Default)]
pub(super) struct Tenants(RwLock<Providers>);

impl Tenants {
    pub(super) fn len(&self) -> usize {
        self.read().len()
    }

    /// Their names, in order.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.read().keys().cloned().collect();
        names.sort();
        names
    }

    pub(super) fn get(&self, tenant: &str) -> Option<Arc<dyn LockProvider>> {
        self.read().get(tenant).cloned()
    }

    /// Puts `provider` in the place of the tenant's last one.
    pub(super) fn insert(&self, tenant: String, provider: Arc<dyn LockProvider>) {
        // What is replaced is dropped after the guard: it may close connections.
        let _replaced = self.write().insert(tenant, provider);
    }

    /// The tenant's provider; `provider`, if it had none.
    pub(super) fn get_or_insert(
        &self,
        tenant: &str,
        provider: &Arc<dyn LockProvider>,
    ) -> Arc<dyn LockProvider> {
        let mut providers = self.write();
        let kept = providers.entry(tenant.to_owned());
        Arc::clone(kept.or_insert_with(|| Arc::clone(provider)))
    }

    /// Forgets the tenant; says whether it was known.
    pub(super) fn remove(&self, tenant: &str) -> bool {
        let removed = self.write().remove(tenant);
        removed.is_some()
    }

    /// Nobody knows `tenant`.
    pub(super) fn unknown(&self, tenant: &str) -> LockError {
        let known = self.names();
        let first = known.iter().take(MOST_NAMED);
        let mut list: Vec<_> = first.map(|name| quoted(name)).collect();
        match known.len() - list.len() {
            0 if known.is_empty() => list.push("no tenants".to_owned()),
            0 => {}
            more => list.push(format!("{more} more")),
        }
        let problem = format!("no provider for tenant {}", quoted(tenant));
        LockError::new(ErrorKind::NoProvider, problem)
            .with_remedy(format!("known are {}", list.join(", ")))
    }

    fn read(&self) -> RwLockReadGuard<'_, Providers> {
        // Nothing panics while it is locked.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Providers> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a provider whose readings mean nothing to a router that goes by `clock`: a lease would never end, or be over at
/// once.
pub(super) fn check_clock(
    clock: &dyn Clock,
    tenant: &str,
    provider: &impl LockProvider,
) -> Result<(), LockError> {
    let before = clock.boot();
    let theirs = provider.info().clock().boot();
    let after = clock.boot();
    let apart = before
        .saturating_since(theirs)
        .max(theirs.saturating_since(after));
    // Stores count in milliseconds.
    if apart <= Duration::from_millis(1) {
        return Ok(());
    }
    let name = provider.info().name();
    let problem = format!(
        "{name}, the provider of tenant {}, goes by another clock than the router",
        quoted(tenant)
    );
    Err(
        LockError::new(ErrorKind::Configuration, problem).with_remedy(
            "give `RoutingLockProvider::with_info` the clock that the tenants' providers use",
        ),
    )
}

/// A tenant's name as an error tells it, however long it is.
pub(super) fn quoted(tenant: &str) -> String {
    match tenant.char_indices().nth(MOST_NAME_CHARS) {
        Some((end, _)) => format!("`{}..`", tenant[..end].escape_debug()),
        None => format!("`{}`", tenant.escape_debug()),
    }
}
