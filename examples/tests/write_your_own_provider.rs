//! The conformance suite on the three providers of the example `write_your_own_provider`.

#[path = "../write_your_own_provider/revision_store.rs"]
mod revision_store;
#[path = "../write_your_own_provider/scripted_store.rs"]
mod scripted_store;
#[path = "../write_your_own_provider/servers.rs"]
mod servers;
#[path = "../write_your_own_provider/ttl_store.rs"]
mod ttl_store;

use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::{LockAdmin, LockProvider, LockRecord, ProviderInfo, async_trait};
use shedlock_testkit::conformance::{Harness, Peek, Stored, WrongClock};

use crate::scripted_store::ScriptedProvider;
use crate::servers::{Cache, Revisions, Row, Scripted, Server};
use crate::ttl_store::TtlProvider;

const HOUR: Duration = Duration::from_hours(1);

fn node(name: &str) -> ProviderInfo {
    ProviderInfo::new("toy").with_node_name(name)
}

fn wrong_node(name: &str, ahead: bool) -> ProviderInfo {
    node(name).with_clock(WrongClock { ahead })
}

/// A toy server, and how a provider is made for it.
trait Toy: Send + Sync + 'static {
    fn provider(&self, info: ProviderInfo) -> Arc<dyn LockAdmin>;

    /// The owner in a lock's record, and the whole of it.
    fn look(&self, lock: &str) -> Option<(String, String)>;

    fn delete(&self, lock: &str);

    /// Leaves the record of a free lock as a program of another make would, where there can be one.
    fn insert_foreign(&self, lock: &str) -> bool;
}

impl Toy for Server<Cache> {
    fn provider(&self, info: ProviderInfo) -> Arc<dyn LockAdmin> {
        Arc::new(TtlProvider::new(self.clone(), info))
    }

    fn look(&self, lock: &str) -> Option<(String, String)> {
        let entry = self.now(|cache, now| cache.get(lock, now))?;
        // What is left of its time to live becomes less by itself.
        let record = format!("{} {}", entry.value, entry.write);
        Some((entry.value, record))
    }

    fn delete(&self, lock: &str) {
        self.now(|cache, now| {
            if let Some(entry) = cache.get(lock, now) {
                cache.delete(lock, entry.write, now);
            }
        });
    }

    fn insert_foreign(&self, _lock: &str) -> bool {
        false
    }
}

impl Toy for Server<Scripted> {
    fn provider(&self, info: ProviderInfo) -> Arc<dyn LockAdmin> {
        Arc::new(ScriptedProvider::new(self.clone(), info))
    }

    fn look(&self, lock: &str) -> Option<(String, String)> {
        let row = self.now(|db, _| db.rows.get(lock).cloned())?;
        Some((row.owner.clone(), format!("{row:?}")))
    }

    fn delete(&self, lock: &str) {
        self.now(|db, _| db.rows.remove(lock));
    }

    fn insert_foreign(&self, lock: &str) -> bool {
        self.now(|db, now| {
            let row = Row::new((now - HOUR, now - HOUR), "a-java-host".to_owned(), 0);
            db.rows.insert(lock.to_owned(), row)
        });
        true
    }
}

impl Toy for Server<Revisions> {
    fn provider(&self, info: ProviderInfo) -> Arc<dyn LockAdmin> {
        Arc::new(revision_store::provider(self.clone(), info))
    }

    fn look(&self, lock: &str) -> Option<(String, String)> {
        let key = revision_store::KEYS.encode(lock);
        let (text, revision) = self.now(|store, _| store.texts.get(&*key).cloned())?;
        let record = LockRecord::from_json(&text).expect("only records are written");
        Some((record.locked_by, format!("{text} {revision}")))
    }

    fn delete(&self, lock: &str) {
        let key = revision_store::KEYS.encode(lock);
        self.now(|store, _| {
            let revision = store.texts.get(&*key).map_or(0, |(_, revision)| *revision);
            store.swap(&key, None, revision)
        });
    }

    fn insert_foreign(&self, lock: &str) -> bool {
        let key = revision_store::KEYS.encode(lock);
        let text = r#"{"lockUntil":"2020-01-01T00:00:00Z","lockedAt":"2020-01-01T00:00:00Z","lockedBy":"a-java-host"}"#;
        self.now(|store, _| store.swap(&key, Some(text.to_owned()), 0))
            .is_some()
    }
}

struct Toys<T>(T);

#[async_trait]
impl<T: Toy> Harness for Toys<T> {
    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        self.0.provider(node(name))
    }

    async fn admin(&self, name: &str) -> Option<Arc<dyn LockAdmin>> {
        Some(self.0.provider(node(name)))
    }

    async fn node_with_wrong_clock(
        &self,
        name: &str,
        ahead: bool,
    ) -> Option<Arc<dyn LockProvider>> {
        Some(self.0.provider(wrong_node(name, ahead)))
    }

    async fn peek(&self, lock: &str) -> Peek {
        match self.0.look(lock) {
            None => Peek::Absent,
            Some((owner, record)) => Peek::Found(Stored {
                owner: Some(owner),
                record,
            }),
        }
    }

    async fn delete(&self, lock: &str) -> bool {
        self.0.delete(lock);
        true
    }

    async fn insert_foreign(&self, lock: &str) -> bool {
        self.0.insert_foreign(lock)
    }
}

shedlock_testkit::conformance!(ttl, async { Toys(Server::<Cache>::default()) });
shedlock_testkit::conformance!(scripted, async { Toys(Server::<Scripted>::default()) });
shedlock_testkit::conformance!(revisions, async { Toys(Server::<Revisions>::default()) });

#[test]
fn each_provider_has_fewer_than_150_lines() {
    for source in [
        include_str!("../write_your_own_provider/revision_store.rs"),
        include_str!("../write_your_own_provider/scripted_store.rs"),
        include_str!("../write_your_own_provider/ttl_store.rs"),
    ] {
        assert!(source.lines().count() < 150, "{}", &source[..80]);
    }
}
