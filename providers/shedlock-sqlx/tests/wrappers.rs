//! The conformance suite on the runtime's wrappers, over a store with owners, records and a clock of its own.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[path = "support/place.rs"]
mod place;

use std::sync::Arc;

use shedlock_runtime::{
    ErrorKind, LockProvider, NamespacedLockProvider, ProviderInfo, RoutingLockProvider,
    TimeoutLockProvider, TrackingLockProvider, async_trait,
};
use shedlock_sqlx::SqliteLockProvider;
use shedlock_testkit::Unavailable;
use shedlock_testkit::conformance::{Broken, Harness, Peek};
use sqlx::Sqlite;

use place::{Place, Table, TestStore as _, Via};

/// What stands between the suite and the store.
struct Wrapper {
    /// Makes it, over providers of the two databases.
    wrap: fn(SqliteLockProvider, SqliteLockProvider) -> Arc<dyn LockProvider>,
    /// In which database a lock is, and under which name.
    stored: fn(&str) -> (usize, String),
    name_chars: usize,
}

struct Wrapped {
    wrapper: Wrapper,
    places: [Place<Sqlite>; 2],
}

impl Wrapped {
    async fn new(wrapper: Wrapper) -> Result<Self, Unavailable> {
        let places = [
            Place::with(Table::Ours).await?,
            Place::with(Table::Ours).await?,
        ];
        Ok(Self { wrapper, places })
    }

    fn stored(&self, lock: &str) -> (&Place<Sqlite>, String) {
        let (place, name) = (self.wrapper.stored)(lock);
        (&self.places[place], name)
    }
}

#[async_trait]
impl Harness for Wrapped {
    fn name_chars(&self) -> usize {
        self.wrapper.name_chars
    }

    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        let [one, other] = self.places.each_ref().map(|place| {
            let built = place.builder(Via::Url).node_name(name).build();
            built.expect("the options are valid")
        });
        (self.wrapper.wrap)(one, other)
    }

    async fn peek(&self, lock: &str) -> Peek {
        let (place, name) = self.stored(lock);
        Sqlite::peek(&place.pool, &name).await
    }

    async fn delete(&self, lock: &str) -> bool {
        let (place, name) = self.stored(lock);
        Sqlite::delete(&place.pool, &name).await;
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        let (place, name) = self.stored(lock);
        Sqlite::insert_foreign(&place.pool, &name).await;
        true
    }

    async fn remove_schema(&self) -> bool {
        for place in &self.places {
            place.execute("DROP TABLE shedlock").await;
        }
        true
    }

    async fn restore_schema(&self) {
        for place in &self.places {
            place.make(Table::Ours).await;
        }
    }

    async fn broken(&self) -> Vec<Broken> {
        let [one, other] = self.places.each_ref().map(|place| {
            let built = place.builder(Via::Url).table_name("nowhere").build();
            built.expect("the options are valid")
        });
        let missing = (self.wrapper.wrap)(one, other);
        vec![
            Broken::new("a missing table", missing, ErrorKind::Schema)
                .mentioning("`nowhere` does not exist")
                .mentioning("CREATE TABLE"),
        ]
    }
}

/// A namespace over tracking.
const NAMESPACED: Wrapper = Wrapper {
    wrap: |store, _| {
        let provider = NamespacedLockProvider::new(TrackingLockProvider::new(store), "staging");
        Arc::new(provider.expect("a legal namespace"))
    },
    stored: |lock| (0, format!("staging/{lock}")),
    name_chars: 64 - "staging/".len(),
};

/// A time limit over a router: every other lock is in the other database.
const ROUTED: Wrapper = Wrapper {
    wrap: |even, odd| {
        let info =
            ProviderInfo::new("sqlite").with_capabilities(even.info().capabilities().clone());
        let router =
            RoutingLockProvider::with_info(info, |name| (name.len() % 2).to_string().into());
        for (tenant, store) in [("0", even), ("1", odd)] {
            let inserted = router.insert(tenant, store);
            inserted.expect("the clock is the machine's");
        }
        Arc::new(TimeoutLockProvider::new(router, "3s").expect("a legal limit"))
    },
    stored: |lock| (lock.len() % 2, lock.to_owned()),
    name_chars: 64,
};

// In pairs, because a suite takes its time; the test kit has each by itself, over locks in memory.
shedlock_testkit::conformance!(namespaced_tracking, Wrapped::new(NAMESPACED));
shedlock_testkit::conformance!(routing_limited, Wrapped::new(ROUTED));
