//! What stands in etcd, byte by byte, and nodes on the JVM beside ours.

mod fuzz;
mod peers;
mod place;

use serde_json::{Value, json};
use shedlock_etcd::EtcdLockProvider;
use shedlock_runtime::{ErrorKind, LockConfiguration, LockProviderExt as _, Ownership};
use shedlock_testkit::server_or_skip;

use place::Place;

/// The value with the digits of its time as `0` and those of its owner as `x`.
fn shape(value: &str) -> String {
    let (time, owner) = value.split_once('@').expect("a value");
    let (node, secret) = owner.split_once('#').expect("an owner of ours");
    let digits = |text: &str, as_what: &str| text.replace(|c: char| c.is_ascii_hexdigit(), as_what);
    let time = time.strip_prefix("ADDED:").expect("a value");
    format!("ADDED:{}@{node}#{}", digits(time, "0"), digits(secret, "x"))
}

#[tokio::test]
async fn keys_are_as_jvm_nodes_write_them() {
    let place = server_or_skip!(Place::new().await);
    let secret = "x".repeat(32);
    let mut lock = place.held("n1", "30s").await;
    let taken = place.found("n1").await;
    assert_eq!(
        shape(&taken.value),
        format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{secret}")
    );
    assert_eq!(taken.version, "1");
    let (granted, left) = place.client.time_to_live(&taken.lease).await;
    assert!(granted == 30 && left >= 28, "{granted} {left}");
    let keys = place
        .server
        .execute(&["get", "", "--prefix", "--keys-only"])
        .await;
    let keys: Vec<_> = keys.split_whitespace().collect();
    assert_eq!(keys, ["shedlock-holder:default:n1", "shedlock:default:n1"]);
    let holder = place.client.get("shedlock-holder:default:n1").await;
    let holder = holder.expect("it was written with the lock");
    assert_eq!((holder.value, &*holder.lease), (taken.value.clone(), ""));

    lock.extend("50s", "0s").await.expect("the lease is live");
    let extended = place.found("n1").await;
    assert_eq!(
        extended.value,
        format!("{}000000000002", taken.value),
        "the time stays, the write has a number"
    );
    assert_eq!(place.client.time_to_live(&extended.lease).await.0, 50);
    assert_eq!(
        place.server.leases().await.len(),
        1,
        "the old lease has ended"
    );
    assert_eq!(lock.unlock().await.expect("etcd answers"), Ownership::Ours);
    let left = place.server.execute(&["get", "", "--prefix"]).await;
    assert_eq!(left, "", "neither the lock nor its holder");
    assert_eq!(place.server.leases().await, [""; 0]);

    let config = LockConfiguration::new("n2", "30s").and_then(|it| it.with_at_least("10s"));
    let lock = place
        .node
        .try_lock(config.expect("legal"))
        .await
        .expect("etcd answers");
    lock.expect("it is free")
        .unlock()
        .await
        .expect("etcd answers");
    let kept = place.found("n2").await;
    assert_eq!(
        shape(&kept.value),
        format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{secret}xxxxxxxxxxxx")
    );
    assert_eq!(kept.version, "2", "the same key, put once more");
    let (granted, left) = place.client.time_to_live(&kept.lease).await;
    assert!((9..=10).contains(&granted) && left >= 7, "{granted} {left}");
}

/// Whole seconds, and never less than was asked for.
#[tokio::test]
async fn leases_are_rounded_up() {
    let place = server_or_skip!(Place::new().await);
    for (at_most, seconds) in [("2s", 2), ("2001ms", 3), ("2500ms", 3), ("1h", 3600)] {
        let lock = place.held("n1", at_most).await;
        let lease = place.found("n1").await.lease;
        assert_eq!(
            place.client.time_to_live(&lease).await.0,
            seconds,
            "{at_most}"
        );
        lock.unlock().await.expect("etcd answers");
    }
    let config = LockConfiguration::new("n1", "1999ms").expect("a legal configuration");
    let short = place.node.try_lock(config).await.expect_err("etcd cannot");
    assert_eq!(short.kind(), ErrorKind::InvalidDuration);
    // What etcd makes longer stays taken for longer, and ends all the same.
    let config = LockConfiguration::new("n1", "10s").and_then(|it| it.with_at_least("300ms"));
    let lock = place
        .node
        .try_lock(config.expect("legal"))
        .await
        .expect("etcd answers");
    lock.expect("it is free")
        .unlock()
        .await
        .expect("etcd answers");
    let lease = place.found("n1").await.lease;
    assert_eq!(place.client.time_to_live(&lease).await.0, 2);
}

#[tokio::test]
async fn prefix_and_environment_are_where_jvm_nodes_put_them() {
    let place = server_or_skip!(Place::new().await);
    let node = EtcdLockProvider::builder_from_url(&place.server.url());
    let node = node.prefix("locks").environment("prod").build();
    let config = LockConfiguration::new("a:b/c é", "30s").and_then(|it| it.with_step(1));
    let lock = node
        .expect("a valid URL")
        .try_lock(config.expect("legal"))
        .await;
    let lock = lock.expect("etcd answers").expect("it is free");
    assert!(place.client.get("locks:prod:a:b/c é").await.is_some());
    lock.complete().await.expect("etcd answers");
    let position = place.client.get("locks-position:prod:a:b/c é").await;
    let position = position.expect("there is a position");
    let value: Value = serde_json::from_str(&position.value).expect("JSON");
    assert_eq!(
        (&value["number"], &value["done"], &value["tries"]),
        (&json!(1), &json!(true), &json!(1))
    );
    assert_eq!(position.lease, "", "it does not end by itself");
}

#[tokio::test]
async fn tokens_are_revisions_of_the_store() {
    let place = server_or_skip!(Place::new().await);
    let mut last = None;
    for _ in 0..3 {
        let mut lock = place.held("n1", "30s").await;
        let token = lock.fencing_token();
        assert_eq!(token, Some(place.found("n1").await.create_revision));
        assert!(token > last, "{token:?} after {last:?}");
        lock.extend("50s", "0s").await.expect("the lease is live");
        assert_eq!(token, Some(place.found("n1").await.create_revision));
        last = token;
        lock.unlock().await.expect("etcd answers");
    }
}
