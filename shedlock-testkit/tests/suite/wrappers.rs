//! The runtime's wrappers around locks in memory: a wrapper keeps every promise of what it wraps.

use std::future::ready;
use std::sync::Arc;

use shedlock_runtime::{
    InMemoryLockProvider, LockAdmin, LockProvider, NamespacedLockProvider, ProviderInfo,
    RoutingLockProvider, TimeoutLockProvider, TokioClock, TrackingLockProvider, async_trait,
};
use shedlock_testkit::conformance::Harness;

/// Two stores, for the router; the other wrappers use the first.
type Stores = [InMemoryLockProvider; 2];

struct Wrapped {
    stores: Stores,
    wrap: Wrap,
}

/// What stands before the stores, and whether an operator can see through it.
enum Wrap {
    Clear(fn(&Stores) -> Arc<dyn LockAdmin>),
    Opaque(fn(&Stores) -> Arc<dyn LockProvider>),
}

#[async_trait]
impl Harness for Wrapped {
    fn answers_at_once(&self) -> bool {
        true
    }

    async fn node(&self, _name: &str) -> Arc<dyn LockProvider> {
        match self.wrap {
            Wrap::Clear(wrap) => wrap(&self.stores),
            Wrap::Opaque(wrap) => wrap(&self.stores),
        }
    }

    async fn admin(&self, _name: &str) -> Option<Arc<dyn LockAdmin>> {
        match self.wrap {
            Wrap::Clear(wrap) => Some(wrap(&self.stores)),
            Wrap::Opaque(_) => None,
        }
    }
}

fn wrapped(wrap: Wrap) -> Wrapped {
    let stores = Stores::default();
    Wrapped { stores, wrap }
}

fn in_namespace([store, _]: &Stores) -> Arc<dyn LockAdmin> {
    let outer = NamespacedLockProvider::new(store.clone(), "staging").unwrap();
    Arc::new(NamespacedLockProvider::new(outer, "reports").unwrap())
}

fn tracked([store, _]: &Stores) -> Arc<dyn LockAdmin> {
    Arc::new(TrackingLockProvider::new(store.clone()))
}

fn limited([store, _]: &Stores) -> Arc<dyn LockAdmin> {
    Arc::new(TimeoutLockProvider::new(store.clone(), "2s").unwrap())
}

/// Every other lock is in the other store.
fn routed([even, odd]: &Stores) -> Arc<dyn LockProvider> {
    // As the stores behind it.
    let info = ProviderInfo::new("tenants")
        .with_clock(TokioClock)
        .with_capabilities(even.info().capabilities().clone());
    let router = RoutingLockProvider::with_info(info, |name| (name.len() % 2).to_string().into());
    router.insert("0", even.clone()).unwrap();
    router.insert("1", odd.clone()).unwrap();
    Arc::new(router)
}

shedlock_testkit::conformance!(namespaced, ready(wrapped(Wrap::Clear(in_namespace))));
shedlock_testkit::conformance!(tracking, ready(wrapped(Wrap::Clear(tracked))));
shedlock_testkit::conformance!(timeout, ready(wrapped(Wrap::Clear(limited))));
shedlock_testkit::conformance!(routing, ready(wrapped(Wrap::Opaque(routed))));
