//! Real servers: each store that is built in, and stores that fail while a command runs; I4, I8.

use std::time::{Duration, Instant};

use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::{MariaDb, Postgres, Redis};

use crate::support::{Running, Site, is_alive, number_in, until};

/// All commands against one store.
fn goes_through(site: &Site) {
    let ran = |arguments: &[&str]| {
        let ran = site.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran
    };
    ran(&["migrate", "print"]);
    ran(&["migrate", "run"]);
    ran(&["migrate", "check"]);
    ran(&[
        "run",
        "--name",
        "a",
        "--once-per",
        "300d",
        "--",
        "sh",
        "-c",
        "test -n \"$SHEDLOCK_FENCE\"",
    ]);
    assert_eq!(
        site.run(["run", "--name", "a", "--once-per", "300d", "--", "true"])
            .code,
        80
    );
    let token = ran(&["lock", "b", "--at-most", "10m"]).out;
    let skipped = site.run(["run", "--name", "b", "--", "true"]);
    assert_eq!(skipped.code, 75, "{skipped:?}");
    for arguments in [&["extend", "b", "--at-most", "20m"][..], &["unlock", "b"]] {
        let mut command = site.command(arguments);
        let ran = crate::support::ended(command.env("SHEDLOCK_TOKEN", token.trim_end()));
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    }
    assert!(site.is_free("b"));
    ran(&["pause", "c", "--for", "1h", "--reason", "x"]);
    assert!(ran(&["list"]).out.contains("paused"));
    ran(&["resume", "c"]);
    ran(&["lock", "d", "--at-most", "10m"]);
    ran(&["release", "d", "--force", "--reason", "x"]);
    assert!(site.is_free("d"));
    let rehearsed = ran(&["run", "--name", "d", "--dry-run", "--", "touch", "ran"]);
    assert!(
        rehearsed.out.contains("the command would run"),
        "{rehearsed:?}"
    );
    assert!(!site.path("ran").exists());
    assert_eq!(ran(&["bench", "--count", "5"]).err, "");
    assert!(!ran(&["list"]).out.contains("shedlock-bench"));
    let found = ran(&["doctor"]);
    assert!(found.out.contains("ok       trial"), "{found:?}");
}

/// Contenders find no fault with the store.
fn keeps_holders_apart(site: &Site) {
    let shown = site.run(["torture", "--for", "2s", "--contenders", "4", "--json"]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{shown:?}");
    let report: serde_json::Value = serde_json::from_str(&shown.out).expect("a report");
    assert_eq!(report["tokens_not_growing"], 0, "{report}");
    assert_eq!(report["errors"], serde_json::json!({}), "{report}");
    assert!(
        report["figures"][0]["count"].as_u64() > Some(10),
        "{report}"
    );
    assert!(!site.run(["list"]).out.contains("shedlock-torture"));
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_takes_all_commands() {
    let server = server_or_skip!(Postgres::shared().await);
    let site = Site::with_store(server.fresh_database().await);
    goes_through(&site);
    keeps_holders_apart(&site);
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_takes_all_commands() {
    let server = server_or_skip!(MariaDb::shared().await);
    let site = Site::with_store(server.fresh_database().await);
    goes_through(&site);
    keeps_holders_apart(&site);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_takes_all_commands() {
    let server = server_or_skip!(Redis::start().await);
    let site = Site::with_store(server.url());
    goes_through(&site);
    keeps_holders_apart(&site);
}

/// The stores of features that are off by default.
macro_rules! stores {
    ($($feature:literal $test:ident $server:ident => |$of:ident| $url:expr;)+) => {$(
        #[cfg(feature = $feature)]
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            let $of = server_or_skip!(shedlock_testkit::servers::$server::start().await);
            goes_through(&Site::with_store($url));
        }
    )+};
}

stores! {
    "nats" nats_takes_all_commands Nats => |server| server.url();
    "mongodb" mongodb_takes_all_commands Mongo => |server| server.url("locks");
    "etcd" etcd_takes_all_commands Etcd => |server| server.url().replace("http://", "etcd://");
    "zookeeper" zookeeper_takes_all_commands ZooKeeper => |server| server.url();
    "dynamodb" dynamodb_takes_all_commands Dynalite => |server| {
        format!("dynamodb://eu-central-1/locks?endpoint={}", server.endpoint())
    };
    "object-store" s3_takes_all_commands SeaweedFs => |server| {
        let bucket = server.fresh_bucket().await;
        format!("s3://{bucket}?endpoint={}&region=eu-central-1&allow_http=true", server.url())
    };
}

/// A store whose certificate only the authority in `SSL_CERT_FILE` vouches for.
#[cfg(any(feature = "nats", feature = "etcd"))]
fn goes_through_tls(url: String, certificates: &shedlock_testkit::Certificates) {
    let site = Site::with_store(url);
    let ran = |arguments: &[&str], authority: std::path::PathBuf| {
        let mut command = site.command(arguments);
        crate::support::ended(command.env("SSL_CERT_FILE", authority))
    };
    let locked = ["run", "--name", "a", "--", "true"];
    for arguments in [&["migrate", "run"][..], &locked, &["doctor"]] {
        let trusted = ran(arguments, certificates.authority());
        assert_eq!(trusted.code, 0, "{arguments:?}: {trusted:?}");
    }
    let refused = ran(&locked, certificates.another_authority());
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.err.contains("does not trust"), "{refused:?}");
}

#[cfg(any(feature = "nats", feature = "etcd"))]
fn certificates() -> shedlock_testkit::Certificates {
    shedlock_testkit::Certificates::signed_for(&["127.0.0.1"]).expect("they can be made")
}

#[cfg(feature = "nats")]
#[tokio::test(flavor = "multi_thread")]
async fn nats_with_tls() {
    use shedlock_testkit::servers::Nats;

    let certificates = certificates();
    let server = server_or_skip!(Nats::start_with_tls(&certificates).await);
    goes_through_tls(server.url().replace("nats://", "tls://"), &certificates);
}

#[cfg(feature = "etcd")]
#[tokio::test(flavor = "multi_thread")]
async fn etcd_with_tls() {
    use shedlock_testkit::servers::Etcd;

    let certificates = certificates();
    let server = server_or_skip!(Etcd::start_with_tls(&certificates).await);
    let url = server.https_url().replace("https://", "etcds://");
    goes_through_tls(url, &certificates);
}

#[cfg(feature = "memcached")]
#[tokio::test(flavor = "multi_thread")]
async fn memcached_takes_all_commands_but_positions() {
    let server = server_or_skip!(shedlock_testkit::servers::Memcached::start().await);
    let site = Site::with_store(server.url());
    let token = site.run(["lock", "b", "--at-most", "10m"]).out;
    assert_eq!(site.run(["run", "--name", "b", "--", "true"]).code, 75);
    let mut unlock = site.command(["unlock", "b"]);
    let unlocked = crate::support::ended(unlock.env("SHEDLOCK_TOKEN", token.trim_end()));
    assert_eq!(unlocked.code, 0, "{unlocked:?}");
    assert_eq!(site.run(["run", "--name", "b", "--", "true"]).code, 0);
    let once = ["run", "--name", "b", "--once-per", "1h", "--", "true"];
    assert_eq!(site.run(once).code, 78);
    assert!(site.run(["doctor"]).out.contains("ok       trial"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_rights_is_77() {
    let server = server_or_skip!(Postgres::shared().await);
    let url = server.fresh_database().await;
    assert_eq!(Site::with_store(&*url).run(["migrate", "run"]).code, 0);
    let site = Site::with_store(server.read_only_url(&url).await);
    let refused = site.run(["run", "--name", "a", "--", "touch", "ran"]);
    assert_eq!(refused.code, 77, "{refused:?}");
    assert!(!site.path("ran").exists());
    assert_eq!(site.run(["doctor"]).code, 77);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_78_and_not_repeated() {
    let server = server_or_skip!(Postgres::shared().await);
    let url = server.password_url(&server.fresh_database().await);
    let site = Site::with_store(url.replace("s3cret", "wr0ng"));
    let refused = site.run(["list"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.err.contains("refused the login"), "{refused:?}");
    assert!(!refused.err.contains("wr0ng"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_store_dies_the_command_is_gone_before_the_lease_ends() {
    let server = server_or_skip!(Redis::start().await);
    let site = Site::with_store(server.url());
    let at_most = Duration::from_secs(6);
    let script = "trap '' TERM; echo $$ >id; while :; do date +%s%N >>steps; sleep 0.02; done";
    let running = site.start("a", &["--at-most", "6s"], script);
    number_in(&site, "id");
    server.kill().await.expect("the server can be killed");
    let killed = Instant::now();
    let ran = tokio::task::spawn_blocking(|| running.wait())
        .await
        .unwrap();
    assert_eq!(ran.code, 79, "{ran:?}");
    assert!(
        ran.err.contains("failed to extend") && ran.err.contains("the lock is lost"),
        "{ran:?}"
    );
    // No lease was granted after the server's death, so none lasts longer than this.
    let dead_for = killed.elapsed();
    let last: u64 = site.read("steps").lines().last().unwrap().parse().unwrap();
    let last = std::time::UNIX_EPOCH + Duration::from_nanos(last);
    let since_last = std::time::SystemTime::now().duration_since(last).unwrap();
    assert!(
        dead_for.saturating_sub(since_last) < at_most,
        "{dead_for:?} {since_last:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stands_still_does_not_make_a_lock_held() {
    let server = server_or_skip!(Redis::start().await);
    let site = Site::with_store(server.url());
    server.pause().await.expect("the server can be stopped");
    let waited = site.run(["wait", "a", "--timeout", "1s"]);
    assert_eq!(waited.code, 69, "{waited:?}");
    assert!(
        waited.err.contains("has not answered within 1s"),
        "{waited:?}"
    );
    // Nothing was granted, so nothing is to be tidied up in a store that does not answer.
    let shown = site.run(["torture", "--for", "100ms", "--contenders", "2"]);
    assert_eq!(shown.code, 69, "{shown:?}");
    assert!(shown.out.contains("2 timeout"), "{shown:?}");
    server.resume().await.expect("the server goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_forgets_its_locks_is_found_out() {
    let server = server_or_skip!(Redis::start().await);
    let site = Site::with_store(server.url());
    let trial = ["torture", "--for", "3s", "--locks", "1", "--json"];
    let running = Running::start(&mut site.command(trial));
    while is_alive(running.id()) {
        server.execute(&["FLUSHALL"]).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let shown = running.wait();
    assert_eq!(shown.code, 78, "{shown:?}");
    assert!(shown.err.contains("does not keep locks"), "{shown:?}");
    let report: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    let count = |what: &str| report[what].as_u64().unwrap();
    assert!(count("overlaps") + count("lost_early") > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_outage_is_survived() {
    let server = server_or_skip!(Redis::start().await);
    let site = Site::with_store(server.url());
    let script = "echo $$ >id; while test ! -e go; do sleep 0.05; done; exit 3";
    let running = site.start(
        "a",
        &["--at-most", "20s", "--keep-alive", "1s", "-v"],
        script,
    );
    number_in(&site, "id");
    server.pause().await.expect("the server can be stopped");
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.resume().await.expect("the server goes on");
    until("the lock is held as before", || !site.is_free("a"));
    std::fs::write(site.path("go"), "").unwrap();
    let ran = tokio::task::spawn_blocking(|| running.wait())
        .await
        .unwrap();
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(site.is_free("a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_never_run_at_once() {
    let server = server_or_skip!(Redis::start().await);
    let site = Site::with_store(server.url());
    // Notes an overlap: the directory is there while another one runs.
    let script = "mkdir busy || echo overlap >>overlaps; sleep 0.1; rmdir busy; echo ran >>ran";
    let all: Vec<_> = (0..8)
        .map(|_| site.start("a", &["--wait", "50s"], script))
        .collect();
    for running in all {
        assert_eq!(running.wait().code, 0);
    }
    assert_eq!(site.read("overlaps"), "");
    assert_eq!(site.read("ran").lines().count(), 8);
}
