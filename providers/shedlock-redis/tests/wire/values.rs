//! Keys, values and times to live are those of JVM nodes.

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{LockConfiguration, LockProviderExt as _, Ownership};
use shedlock_testkit::server_or_skip;

use super::{Place, shape};

#[tokio::test]
async fn values_are_as_jvm_nodes_write_them() {
    let place = server_or_skip!(Place::new().await);
    let key = "job-lock:default:n1";
    let secret = "x".repeat(32);
    let mut lock = place.held("n1", "30s").await;
    let taken = place.ask(&["GET", key]).await;
    assert_eq!(
        shape(&taken),
        format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{secret}")
    );
    assert!((29_000..=30_000).contains(&place.pttl(key).await));
    let keys = place.ask(&["KEYS", "*"]).await;
    let mut keys: Vec<&str> = keys.lines().collect();
    keys.sort_unstable();
    assert_eq!(keys, [key, "shedlock-fence:{job-lock:default:n1}"]);

    lock.extend("50s", "0s").await.expect("the lease is live");
    let extended = place.ask(&["GET", key]).await;
    assert_eq!(
        extended,
        format!("{taken}000000000002"),
        "the time stays, the write has a number"
    );
    assert!((49_000..=50_000).contains(&place.pttl(key).await));
    assert_eq!(
        lock.unlock().await.expect("the server answers"),
        Ownership::Ours
    );
    assert_eq!(place.ask(&["EXISTS", key]).await, "0");

    let config = LockConfiguration::new("n2", "30s").and_then(|config| config.with_at_least("10s"));
    let lock = place
        .node
        .try_lock(config.expect("legal"))
        .await
        .expect("the server answers");
    lock.expect("it is free")
        .unlock()
        .await
        .expect("the server answers");
    let kept = place.ask(&["GET", "job-lock:default:n2"]).await;
    assert_eq!(
        shape(&kept),
        format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{secret}xxxxxxxxxxxx")
    );
    assert!((8_000..=10_000).contains(&place.pttl("job-lock:default:n2").await));
}

#[tokio::test]
async fn prefix_and_environment_are_where_jvm_nodes_put_them() {
    let place = server_or_skip!(Place::new().await);
    let node = RedisLockProvider::builder_from_url(&place.server.url());
    let node = node
        .prefix("locks")
        .environment("prod")
        .build()
        .expect("a valid URL");
    let config = LockConfiguration::new("a:b {c} é", "30s").expect("a legal configuration");
    let _lock = node
        .try_lock(config)
        .await
        .expect("the server answers")
        .expect("it is free");
    assert_eq!(place.ask(&["EXISTS", "locks:prod:a:b {c} é"]).await, "1");
    assert_eq!(
        place
            .ask(&["EXISTS", "shedlock-fence:locks:prod:a:b {c} é"])
            .await,
        "1"
    );
}

#[tokio::test]
async fn a_token_is_greater_than_any_before_also_without_its_fence() {
    let place = server_or_skip!(Place::new().await);
    let mut last = None;
    for _ in 0..3 {
        let lock = place.held("n1", "30s").await;
        assert!(
            lock.fencing_token() > last,
            "{:?} after {last:?}",
            lock.fencing_token()
        );
        last = lock.fencing_token();
        place.ask(&["FLUSHALL"]).await;
    }
    // And where the server's clock was set back.
    let ahead = last.expect("there is one") + 1_000_000_000_000;
    let fence = "shedlock-fence:{job-lock:default:n1}";
    place
        .ask(&["HSET", fence, "token", &ahead.to_string()])
        .await;
    assert_eq!(
        place.held("n1", "30s").await.fencing_token(),
        Some(ahead + 1)
    );
    let stays: u64 = place.ask(&["TTL", fence]).await.parse().expect("seconds");
    assert!(
        (2_592_000..=2_592_030).contains(&stays),
        "30 days after the lease: {stays}"
    );
}
