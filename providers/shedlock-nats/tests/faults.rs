//! What happens when NATS, its cluster or the network misbehaves.

#[path = "support/place.rs"]
mod place;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shedlock_nats::NatsLockProvider;
use shedlock_nats::async_nats::ConnectOptions;
use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, Lock, LockAdmin as _, LockConfiguration, LockError,
    LockProvider as _, LockProviderExt as _,
};
use shedlock_testkit::proxy::{Direction, Ending, Rule, Trigger};
use shedlock_testkit::servers::{Nats, NatsCluster};
use shedlock_testkit::{Proxy, server_or_skip};
use tokio::time::sleep;

use place::Place;

/// What hangs longer than this hangs for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10m").expect("a legal configuration")
}

/// A provider that reaches the server through the proxy.
async fn behind_proxy(server: &Nats, place: &Place) -> (Proxy, NatsLockProvider) {
    let proxy = Proxy::start(server.address())
        .await
        .expect("a port is free");
    let provider = NatsLockProvider::builder_from_url(&proxy.url(&server.url()));
    let provider = provider.bucket(&place.bucket).build().expect("valid");
    (proxy, provider)
}

async fn taken(provider: &NatsLockProvider, name: &str) -> Lock {
    let lock = provider.try_lock(config(name)).await;
    lock.expect("NATS answers").expect("is free")
}

/// Asks until there is an answer, as a scheduler does.
async fn until_answered(provider: &NatsLockProvider, name: &str) -> Option<Lock> {
    let start = Instant::now();
    loop {
        match provider.try_lock(config(name)).await {
            Ok(answer) => return answer,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error:?}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn problem(provider: &NatsLockProvider) -> LockError {
    let asked = provider.try_lock(config("mail")).await;
    asked.expect_err("the lock cannot be taken")
}

#[tokio::test]
async fn held_locks_outlive_a_kill_of_the_server() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let (one, other) = (place.provider(), place.provider());
    let lock = taken(&one, "mail").await;
    let token = lock.fencing_token();
    server.kill().await.expect("signals can be sent");
    assert!(problem(&other).await.is_transient());
    server.restart().await.expect("it comes back");
    assert!(
        until_answered(&other, "mail").await.is_none(),
        "the lock is held"
    );
    lock.unlock().await.expect("NATS is back");
    let next = until_answered(&other, "mail").await.expect("was released");
    assert!(next.fencing_token() > token);
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_in_time() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let provider = place.provider();
    drop(taken(&provider, "warm").await);
    server.pause().await.expect("signals can be sent");
    let start = Instant::now();
    let limited = config("mail").with_timeout("2s").expect("legal");
    let error = provider.try_lock(limited).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    server.resume().await.expect("signals can be sent");
    assert!(until_answered(&provider, "other").await.is_some());
}

/// A firewall has forgotten the connection: nothing comes, and nothing says so.
#[tokio::test]
async fn a_dead_connection_is_replaced_in_the_same_call() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let (proxy, provider) = behind_proxy(&server, &place).await;
    let lock = taken(&provider, "held").await;
    proxy.forget();
    taken(&provider, "mail")
        .await
        .unlock()
        .await
        .expect("the same call");
    lock.unlock().await.expect("NATS answers");
}

/// The reply to a write is lost. The question is asked again, and the id in the entry tells that it has been done.
#[tokio::test]
async fn a_write_whose_reply_is_lost_is_done_once_and_granted() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let (proxy, provider) = behind_proxy(&server, &place).await;
    let mut lock = taken(&provider, "mail").await;
    let before = place.get("mail").await.expect("an entry").sequence;
    proxy.set(Rule::Discard(Direction::ToClient));
    let back = async || {
        sleep(Duration::from_millis(700)).await;
        proxy.set(Rule::Pass);
    };
    let sequence = async || place.get("mail").await.expect("an entry").sequence;
    let (extended, ()) = tokio::join!(lock.extend("20m", Duration::ZERO), back());
    extended.expect("asked again");
    assert_eq!(sequence().await, before + 1);

    // Without an id, the second question would find a lock that is free already, and nothing to release.
    let write = Trigger::containing("Shedlock-Write");
    proxy.on(write, Rule::Discard(Direction::ToClient));
    let forcing = provider.force_release("mail", "its node is gone");
    let (forced, ()) = tokio::join!(forcing, back());
    assert!(forced.expect("asked again"), "it was this call's");
    assert_eq!(sequence().await, before + 2);
}

/// The write passes, its reply does not, and then nothing does: the lock may have been granted.
#[tokio::test]
async fn a_write_that_may_have_been_done_is_in_doubt() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let (proxy, provider) = behind_proxy(&server, &place).await;
    taken(&provider, "warm")
        .await
        .unlock()
        .await
        .expect("NATS answers");
    proxy.refuse_connections().await;
    let write = Trigger::containing("Shedlock-Write");
    proxy.on(write, Rule::EndOnReply(Ending::Reset));
    let clock = provider.info().clock().boot();
    let request = AcquireRequest::new(config("mail"), clock);
    let asked = provider.acquire(&request).await;
    let error = asked.expect_err("there is no answer");
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error:?}");
    assert!(place.get("mail").await.is_some(), "it was granted");
}

/// A client of the user's hears of refusals alone; the provider tells what may be wrong.
#[tokio::test]
async fn no_answer_on_a_client_says_to_look_at_its_rights() {
    let server = server_or_skip!(Nats::shared().await);
    let place = Place::new(server).await;
    let url = server.url_of("reader", "correct-horse");
    let options = ConnectOptions::with_user_and_password("reader".into(), "correct-horse".into());
    let client = options.connect(url).await.expect("the password is right");
    let reader = NatsLockProvider::builder(client).bucket(&place.bucket);
    let error = problem(&reader.build().expect("valid")).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("has the rights"), "{error}");
}

#[tokio::test]
async fn jetstream_that_is_off_is_told_with_the_remedy() {
    let server = server_or_skip!(Nats::start_without_jetstream().await);
    let provider = NatsLockProvider::connect(&server.url())
        .await
        .expect("NATS is there");
    let error = problem(&provider).await;
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("JetStream is off"), "{error}");
    assert!(
        error
            .remedy()
            .is_some_and(|remedy| remedy.contains("store_dir")),
        "{error}"
    );
    let error = provider.check_bucket().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
}

#[tokio::test]
async fn a_bucket_that_is_deleted_under_a_held_lock_is_told() {
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let provider = place.provider();
    let mut lock = taken(&provider, "mail").await;
    place.remove().await;
    let error = lock.extend("20m", Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert_eq!(problem(&provider).await.kind(), ErrorKind::Schema);
    provider.ensure_bucket().await.expect("can be made");
    drop(taken(&provider, "mail").await);
}

#[tokio::test]
async fn a_full_bucket_is_an_error_and_no_refusal() {
    let place = Place::without_bucket(server_or_skip!(Nats::shared().await)).await;
    place.make_with(json!({ "max_msgs": 1 })).await;
    let provider = place.provider();
    let lock = taken(&provider, "first").await;
    let error = problem(&provider).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("there is no room"), "{error}");
    // What is there can still be released.
    lock.unlock().await.expect("the same entry");
}

#[tokio::test]
async fn more_replicas_than_servers_are_told() {
    let place = Place::without_bucket(server_or_skip!(Nats::shared().await)).await;
    let provider = place.builder().replicas(3).build().expect("valid");
    let made = provider.ensure_bucket().await;
    let error = made.expect_err("there is one server");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("fewer servers"), "{error}");
}

#[tokio::test]
async fn a_bucket_for_small_values_is_told() {
    let place = Place::without_bucket(server_or_skip!(Nats::shared().await)).await;
    place.make_with(json!({ "max_msg_size": 16 })).await;
    let error = problem(&place.provider()).await;
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("no values as large"), "{error}");
}

#[tokio::test]
async fn rights_that_are_missing_are_named() {
    let server = server_or_skip!(Nats::shared().await);
    let place = Place::new(server).await;
    let reader = NatsLockProvider::builder_from_url(&server.url_of("reader", "correct-horse"));
    let reader = reader.bucket(&place.bucket).build().expect("valid");
    assert_eq!(reader.list().await.expect("may be read"), []);
    let error = problem(&reader).await;
    assert_eq!(error.kind(), ErrorKind::Permission);
    let right = format!("publish to `$KV.{}.mail`", place.bucket);
    assert!(error.to_string().contains(&right), "{error}");
    let error = reader.ensure_bucket().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(
        error.to_string().contains("$JS.API.STREAM.CREATE.KV_"),
        "{error}"
    );
}

/// The rights that the README lists are enough.
#[tokio::test]
async fn the_least_rights_are_enough() {
    let users = r#"
        no_auth_user: admin
        authorization { users: [
            { user: admin, password: "correct-horse" }
            { user: locks, password: "correct-horse", permissions: {
                publish: ["$KV.shedlock-locks.>", "$JS.API.STREAM.MSG.GET.KV_shedlock-locks", "$JS.API.STREAM.INFO.KV_shedlock-locks"]
                subscribe: "_INBOX.>"
            } }
        ] }
    "#;
    let server = server_or_skip!(Nats::start_configured(users).await);
    let admin = NatsLockProvider::connect(&server.url())
        .await
        .expect("NATS is there");
    admin.ensure_bucket().await.expect("an administrator may");
    let url = server.url_of("locks", "correct-horse");
    let provider = NatsLockProvider::connect(&url)
        .await
        .expect("the password is right");
    taken(&provider, "mail")
        .await
        .unlock()
        .await
        .expect("may be written");
    assert_eq!(provider.list().await.expect("may be listed").len(), 1);
    provider.check_bucket().await.expect("may be looked at");
    sleep(Duration::from_millis(5)).await;
    assert_eq!(
        provider
            .prune(Duration::ZERO)
            .await
            .expect("may be deleted"),
        1
    );
}

#[tokio::test]
async fn a_bucket_is_looked_at() {
    let server = server_or_skip!(Nats::shared().await);
    let check = async |options: Value| {
        let place = Place::without_bucket(server).await;
        place.make_with(options).await;
        place.provider().check_bucket().await
    };
    let warnings = async |options| check(options).await.expect("no problem").to_string();
    assert_eq!(warnings(json!({})).await.lines().count(), 1);
    assert!(warnings(json!({})).await.contains("one replica"));
    assert!(
        warnings(json!({ "storage": "memory" }))
            .await
            .contains("in memory")
    );
    let minute = Duration::from_secs(60).as_nanos();
    let forgets = warnings(json!({ "max_age": minute, "duplicate_window": minute })).await;
    assert!(forgets.contains("forgets records after 60s"), "{forgets}");
    let error = check(json!({ "discard": "old", "max_msgs": 9 }))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("drops the oldest"), "{error}");
}

/// A write that comes after its caller has given up finds another sequence.
#[tokio::test]
async fn a_late_write_changes_nothing() {
    let server = server_or_skip!(Nats::start().await);
    let place = Place::new(&server).await;
    let (proxy, slow) = behind_proxy(&server, &place).await;
    let lock = taken(&slow, "mail").await;
    proxy.set(Rule::Hold(Direction::ToServer));
    let unlocking = tokio::time::timeout(Duration::from_millis(300), lock.unlock()).await;
    assert!(unlocking.is_err(), "nothing passes");
    let forced = place
        .provider()
        .force_release("mail", "its node is slow")
        .await;
    assert!(forced.expect("NATS answers"));
    let next = taken(&place.provider(), "mail").await;
    let entry = place.get("mail").await;
    proxy.set(Rule::Pass);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(place.get("mail").await, entry);
    assert!(next.is_held());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_goes_on_without_its_leader() {
    let cluster = server_or_skip!(NatsCluster::start().await);
    let place = Place::at(&cluster.url()).await;
    let builder = || place.builder().replicas(3);
    let provider = builder().build().expect("valid");
    let start = Instant::now();
    while let Err(error) = provider.ensure_bucket().await {
        assert!(start.elapsed() < PATIENCE, "{error:?}");
        sleep(Duration::from_millis(200)).await;
    }
    let report = provider.check_bucket().await.expect("no problem");
    assert_eq!(report.warnings, [""; 0]);

    let lock = until_answered(&provider, "mail").await.expect("is free");
    let info = place.api("STREAM.INFO", &json!({})).await;
    let leader = info["cluster"]["leader"].as_str().expect("a leader");
    let mut servers = cluster.servers().iter();
    let leader = servers
        .find(|server| server.name() == leader)
        .expect("one of the three");
    leader.kill().await.expect("signals can be sent");

    let other = builder().build().expect("valid");
    assert!(
        until_answered(&other, "mail").await.is_none(),
        "the lock is held"
    );
    let start = Instant::now();
    while let Err(error) = provider.try_lock(config("probe")).await {
        assert!(start.elapsed() < PATIENCE, "{error:?}");
    }
    lock.unlock().await.expect("two of three are enough");
    let next = until_answered(&other, "mail").await.expect("was released");

    // The old leader comes back, and learns what it has missed.
    leader.restart().await.expect("it comes back");
    assert!(until_answered(&provider, "mail").await.is_none());
    next.unlock().await.expect("NATS answers");
}

/// Contenders on many names at once: each name is granted once, and nobody sees an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_is_granted_once() {
    const NAMES: usize = 40;
    let place = Place::new(server_or_skip!(Nats::shared().await)).await;
    let contenders: Vec<_> = (0..16)
        .map(|_| {
            let provider = place.provider();
            tokio::spawn(async move {
                let mut won = 0;
                for name in 0..NAMES {
                    let clock = provider.info().clock().boot();
                    let request = AcquireRequest::new(config(&format!("race-{name}")), clock);
                    match provider
                        .acquire(&request)
                        .await
                        .expect("contention is no error")
                    {
                        Acquisition::Granted(_) => won += 1,
                        Acquisition::Refused(_) => {}
                    }
                }
                won
            })
        })
        .collect();
    let mut won = 0;
    for contender in contenders {
        won += contender.await.expect("no panic");
    }
    assert_eq!(won, NAMES);
}
