//! What stands under the keys of our locks.

use std::time::Duration;

use shedlock_memcached::MemcachedLockProvider;
use shedlock_runtime::{
    ErrorKind, LockAdmin as _, LockConfiguration, LockProviderExt as _, Ownership,
};
use shedlock_testkit::requests::{WORKS, once};
use shedlock_testkit::server_or_skip;

use super::Place;

/// The value with the digits of its time as `0` and those of its owner as `x`.
fn shape(value: &str) -> String {
    let (time, owner) = value.split_once('@').expect("a value");
    let (node, secret) = owner.split_once('#').expect("an owner of ours");
    let digits = |text: &str, as_what: &str| text.replace(|c: char| c.is_ascii_hexdigit(), as_what);
    let time = time.strip_prefix("ADDED:").expect("a value");
    format!("ADDED:{}@{node}#{}", digits(time, "0"), digits(secret, "x"))
}

#[tokio::test]
async fn a_value_is_that_of_jvm_nodes_and_lasts_a_little_longer() {
    let place = server_or_skip!(Place::new().await);
    let with = |owner: &str| format!("ADDED:0000-00-00T00:00:00.000Z@web-2#{owner}");
    let (first, later) = (with(&"x".repeat(32)), with(&"x".repeat(44)));
    let mut lock = place.held("n1", "30s").await;
    let (taken, ttl) = place.item("n1").await.expect("a value");
    assert_eq!(shape(&taken), first);
    assert!((28..=32).contains(&ttl), "{ttl}");
    lock.extend("90500ms", "0s").await.expect("is live");
    let (extended, ttl) = place.item("n1").await.expect("a value");
    assert_eq!(shape(&extended), later);
    assert_eq!(
        extended[..31],
        taken[..31],
        "the time of the acquisition stays"
    );
    assert!((88..=93).contains(&ttl), "{ttl}");
    assert_eq!(lock.unlock().await.expect("answers"), Ownership::Ours);
    assert_eq!(place.item("n1").await, None);

    let config = LockConfiguration::new("n2", "30s").and_then(|it| it.with_at_least("20s"));
    let lock = place.node.try_lock(config.expect("legal")).await;
    let lock = lock.expect("the server answers").expect("is free");
    assert_eq!(lock.unlock().await.expect("answers"), Ownership::Ours);
    let (kept, ttl) = place.item("n2").await.expect("at least 20 s");
    assert_eq!(shape(&kept), later);
    assert!((18..=22).contains(&ttl), "{ttl}");
}

/// A key cannot have a blank. JVM nodes refuse such names; here a byte stands for it that is in no text.
#[tokio::test]
async fn names_are_their_own_keys_but_for_blanks() {
    let place = server_or_skip!(Place::new().await);
    let names = ["a b", "ab", "a%20b", "jób", " "];
    let mut locks = Vec::new();
    for name in names {
        locks.push(place.held(name, "1m").await);
    }
    for key in ["ab", "a%20b", "jób"] {
        assert!(place.item(key).await.is_some(), "{key}");
    }
    let listed = place.node.list().await.expect("the server answers");
    let mut listed: Vec<_> = listed.iter().map(|info| &*info.name).collect();
    listed.sort_unstable();
    assert_eq!(listed, [" ", "a b", "a%20b", "ab", "jób"]);

    // The longest name, all of blanks.
    let longest = " ".repeat(250 - "shedlock:default:".len());
    assert_eq!(once(&place.node, &longest).await, WORKS);
    let longer = LockConfiguration::new(format!("{longest} "), "1m").expect("legal");
    let refused = place.node.try_lock(longer).await.expect_err("is no key");
    assert_eq!(refused.kind(), ErrorKind::InvalidName, "{refused:?}");
}

#[tokio::test]
async fn environments_are_apart() {
    let place = server_or_skip!(Place::new().await);
    let other = MemcachedLockProvider::builder(&place.server.url()).environment("prod");
    let other = other.build().expect("valid");
    let _lock = place.held("n1", "1m").await;
    assert_eq!(other.list().await.expect("the server answers"), []);
    assert_eq!(once(&other, "n1").await, WORKS);
}

/// The server takes a time to live of more than thirty days for a time of day, which has passed.
#[tokio::test]
async fn a_lease_is_less_than_thirty_days() {
    let place = server_or_skip!(Place::new().await);
    let most = Duration::from_secs(30 * 24 * 60 * 60 - 2);
    let config = |lease| LockConfiguration::new("n1", lease).expect("legal");
    let lock = place.node.try_lock(config(most)).await;
    let _lock = lock.expect("the server answers").expect("is free");
    let (_, ttl) = place.item("n1").await.expect("a value");
    assert!((2_591_990..=2_592_000).contains(&ttl), "{ttl}");
    for lease in [most + Duration::from_nanos(1), Duration::from_millis(1999)] {
        let refused = place.node.try_lock(config(lease)).await;
        let refused = refused.expect_err("cannot be kept");
        assert_eq!(refused.kind(), ErrorKind::InvalidDuration, "{refused:?}");
    }
}
