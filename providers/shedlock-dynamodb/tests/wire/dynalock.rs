//! Dynalock and a node of ours, in turn. The requests are those that Dynalock 0.1 sends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{ErrorKind, LockAdmin as _, LockProvider as _, LockProviderExt as _};

use super::place::{Place, item, number, text};
use super::{JOB, config, try_lock};

each_server! {
    new:
    dynalock_and_rust_honour_each_other
    a_table_of_dynalock_keeps_no_positions
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

/// A program with Dynalock, in the table of a place.
struct Dynalock<'a> {
    place: &'a Place,
    table: &'a str,
}

impl Dynalock<'_> {
    async fn acquire(&self, expire_time: u64) -> bool {
        let locked = item([
            ("id", text(JOB)),
            ("lock_owner", text("deploy@app.example")),
            ("expires", number(now() + expire_time)),
        ]);
        let put = self.place.client.put_item().table_name(self.table);
        let sent = put
            .set_item(Some(locked))
            .condition_expression("attribute_not_exists(expires) OR expires < :expires")
            .expression_attribute_values(":expires", number(now()));
        match sent.send().await {
            Ok(_) => true,
            Err(error) => {
                let error = error.into_service_error();
                assert!(error.is_conditional_check_failed_exception(), "{error:?}");
                false
            }
        }
    }

    async fn refresh(&self, expire_time: u64) -> bool {
        let update = self.place.client.update_item().table_name(self.table);
        let sent = update
            .key("id", text(JOB))
            .update_expression("SET expires = :expires")
            .condition_expression(
                "attribute_exists(expires) AND expires > :now AND lock_owner = :owner",
            )
            .expression_attribute_values(":expires", number(now() + expire_time))
            .expression_attribute_values(":owner", text("deploy@app.example"))
            .expression_attribute_values(":now", number(now()));
        sent.send().await.is_ok()
    }
}

async fn dynalock_and_rust_honour_each_other(place: Place) {
    let table = format!("{}-dynalock", place.table);
    let node = place.builder().dynalock().table(&table).build();
    let node = node.expect("valid");
    node.ensure_schema().await.expect("can be created");
    let peer = Dynalock {
        place: &place,
        table: &table,
    };
    // Rust holds, is extended, and releases.
    let mut lock = try_lock(&node, config("30s")).await.expect("is free");
    let first = lock.fencing_token();
    assert!(!peer.acquire(10).await && !peer.refresh(10).await);
    lock.extend("1m", "0s").await.expect("is held");
    lock.unlock().await.expect("the server answers");
    // Dynalock holds, and is taken over when the second of its end is over.
    assert!(peer.acquire(3).await, "was released");
    assert!(peer.refresh(3).await);
    let refusal = node.lock(config("30s")).await.expect("the server answers");
    let refusal = refusal.expect_err("Dynalock holds it");
    assert_eq!(refusal.node.as_deref(), Some("deploy@app.example"));
    let held = node.get(JOB).await.expect("an answer").expect("a record");
    assert!(held.is_held() && held.problem.is_none(), "{held:?}");
    let wait = Duration::from_millis(20);
    let mut lock = loop {
        if let Some(lock) = try_lock(&node, config("2s")).await {
            break lock;
        }
        tokio::time::sleep(wait).await;
    };
    assert!(!peer.refresh(3).await, "the lock is Rust's");
    assert!(lock.fencing_token() > first, "though the item was replaced");
    lock.release_on_drop(false);
    drop(lock);
    // A lease of Rust that ended without a release.
    while !peer.acquire(60).await {
        tokio::time::sleep(wait).await;
    }
    assert!(try_lock(&node, config("30s")).await.is_none());
    // An operator frees the lock of Dynalock, whose item has no token.
    let released = node.force_release(JOB, "its host is gone").await;
    assert!(released.expect("the server answers"));
    let lock = try_lock(&node, config("30s")).await.expect("was released");
    assert!(lock.fencing_token() > first, "{:?}", lock.fencing_token());
}

async fn a_table_of_dynalock_keeps_no_positions(place: Place) {
    let node = place.builder().dynalock().build().expect("valid");
    assert!(!node.info().capabilities().keeps_positions());
    assert_eq!(node.info().capabilities().grain(), Duration::from_secs(1));
    let slot = config("1m").with_once_per("1h").expect("legal");
    let error = node.try_lock(slot).await.expect_err("before any I/O");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
