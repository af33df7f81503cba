//! The runtime's wrappers around locks in memory: a wrapper keeps every promise of what it wraps.

use std::future::ready;
use std::sync::Arc;

use shedlock_runtime::{
    InMemoryLockProvider, LockProvider, NamespacedLockProvider, ProviderInfo, RoutingLockProvider,
    TimeoutLockProvider, TokioClock, TrackingLockProvider, async_trait,
};
use shedlock_testkit::conformance::{Capabilities, Fencing, Harness};

/// Two stores, for the router; the other wrappers use the first.
type Stores = [InMemoryLockProvider; 2];

struct Wrapped {
    stores: Stores,
    wrap: fn(&Stores) -> Arc<dyn LockProvider>,
}

#[async_trait]
impl Harness for Wrapped {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
            .with_fencing(Fencing::UntilRestart)
            .answering_at_once()
    }

    async fn node(&self, _name: &str) -> Arc<dyn LockProvider> {
        (self.wrap)(&self.stores)
    }
}

fn wrapped(wrap: fn(&Stores) -> Arc<dyn LockProvider>) -> Wrapped {
    let stores = Stores::default();
    Wrapped { stores, wrap }
}

fn in_namespace([store, _]: &Stores) -> Arc<dyn LockProvider> {
    Arc::new(NamespacedLockProvider::new(store.clone(), "staging").unwrap())
}

fn tracked([store, _]: &Stores) -> Arc<dyn LockProvider> {
    Arc::new(TrackingLockProvider::new(store.clone()))
}

fn limited([store, _]: &Stores) -> Arc<dyn LockProvider> {
    Arc::new(TimeoutLockProvider::new(store.clone(), "2s").unwrap())
}

/// Every other lock is in the other store.
fn routed([even, odd]: &Stores) -> Arc<dyn LockProvider> {
    let info = ProviderInfo::new("tenants").with_clock(TokioClock);
    let router = RoutingLockProvider::with_info(info, |name| (name.len() % 2).to_string().into());
    router.insert("0", even.clone()).unwrap();
    router.insert("1", odd.clone()).unwrap();
    Arc::new(router)
}

shedlock_testkit::conformance!(namespaced, ready(wrapped(in_namespace)));
shedlock_testkit::conformance!(tracking, ready(wrapped(tracked)));
shedlock_testkit::conformance!(timeout, ready(wrapped(limited)));
shedlock_testkit::conformance!(routing, ready(wrapped(routed)));
