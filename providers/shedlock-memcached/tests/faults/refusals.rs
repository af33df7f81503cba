//! What happens when the server refuses the login or a command, and when others use our keys.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shedlock_memcached::MemcachedLockProvider;
use shedlock_runtime::{ErrorKind, LockAdmin as _, LockProvider as _, Ownership};
use shedlock_testkit::requests::{problem, take};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Memcached;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::{KEY, is_free, item, node};

#[tokio::test]
async fn a_login_that_is_refused_says_so() {
    let server = server_or_skip!(Memcached::start_with_login("jobs", "open-sesame").await);
    let with = |login: &str| server.url().replace("://", &format!("://{login}"));
    for login in ["", "jobs:close-sesame@", "nobody:open-sesame@"] {
        let provider = node(&with(login));
        let refused = problem(&provider, "a").await;
        assert_eq!(refused.kind(), ErrorKind::Configuration, "{refused:?}");
        let shown = format!("{refused:?} {refused} {provider:?}");
        assert!(shown.contains("memcached://user:password@"), "{shown}");
        assert!(!shown.contains("sesame"), "{shown}");
        let connected = MemcachedLockProvider::connect(&with(login)).await;
        assert_eq!(connected.unwrap_err().kind(), ErrorKind::Configuration);
    }
    let user = node(&with("jobs:open-sesame@"));
    assert!(is_free(&user).await);
    assert_eq!(user.list().await.expect("the user may"), []);
}

#[tokio::test]
async fn a_server_that_may_not_list_its_keys_says_so() {
    let server = server_or_skip!(Memcached::start_with(&["-X"]).await);
    let node = node(&server.url());
    let lease = take(&node, "a").await;
    let refused = node.list().await.expect_err("it may not");
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
    assert!(refused.to_string().contains("without `-X`"), "{refused}");
    let found = node.get("a").await.expect("one lock can be read");
    assert!(found.is_some_and(|info| info.is_held()));
    let released = node.release(&lease, Duration::ZERO).await;
    assert_eq!(released.expect("the server answers"), Ownership::Ours);
}

#[tokio::test]
async fn what_is_no_memcached_is_unsupported() {
    for greeting in [
        "HTTP/1.1 400 Bad Request\r\n",
        "ERROR\r\n",
        "END\r\nEND\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.expect("a client");
            let _asked = client.read(&mut [0; 256]).await;
            client
                .write_all(greeting.as_bytes())
                .await
                .expect("a client");
            // Open until the client leaves.
            let _left = client.read(&mut [0; 256]).await;
        });
        let refused = problem(&node(&format!("memcached://{address}")), "a").await;
        assert_eq!(
            refused.kind(),
            ErrorKind::Unsupported,
            "{greeting}: {refused:?}"
        );
        assert!(
            refused.to_string().contains("proxy"),
            "{greeting}: {refused}"
        );
        serving.await.expect("no panic");
    }
}

#[tokio::test]
async fn what_others_keep_under_our_keys_is_left_alone() {
    let server = server_or_skip!(Memcached::start().await);
    let node = node(&server.url());
    let jvm = "ADDED:2026-11-28T10:41:11.355Z@app.example";
    let big = "x".repeat(100_000);
    for (value, seconds, is_lock) in [("precious", 600, false), (&big, 600, false), (jvm, 0, true)]
    {
        let set = format!("set {KEY} 0 {seconds} {}\r\n{value}\r\n", value.len());
        assert_eq!(server.execute(&set).await, "STORED\r\n");
        let before = item(&server, KEY).await;
        let refused = problem(&node, "a").await;
        assert_eq!(refused.kind(), ErrorKind::Schema, "{refused:?}");
        assert!(refused.to_string().contains(KEY), "{refused}");
        let listed = node.list().await.expect("the server answers");
        assert!(
            matches!(&listed[..], [one] if one.name == "a" && one.problem.is_some()),
            "{listed:?}"
        );
        assert_eq!(item(&server, KEY).await, before);
        if is_lock {
            // It is a lock without an end, which an operator may end.
            assert!(listed[0].is_held(), "{listed:?}");
            let forced = node.force_release("a", "").await;
            assert!(forced.expect("the server answers"));
            assert!(is_free(&node).await);
        } else {
            let forced = node
                .force_release("a", "")
                .await
                .expect_err("it is no lock");
            assert_eq!(forced.kind(), ErrorKind::Schema, "{forced:?}");
            assert_eq!(item(&server, KEY).await, before);
        }
    }
}

/// A foreign value in place of a held lock: the holder has lost it, and the value stays.
#[tokio::test]
async fn a_lock_that_is_overwritten_is_lost() {
    let server = server_or_skip!(Memcached::start().await);
    let node = node(&server.url());
    let lease = take(&node, "a").await;
    let set = format!("set {KEY} 0 600 8\r\nprecious\r\n");
    assert_eq!(server.execute(&set).await, "STORED\r\n");
    let extended = node.extend(&lease, Duration::from_secs(60)).await;
    assert_eq!(extended.expect("the server answers"), Ownership::Lost);
    let released = node.release(&lease, Duration::ZERO).await;
    assert_eq!(released.expect("the server answers"), Ownership::Lost);
    assert!(item(&server, KEY).await.ends_with("precious"));
}

/// The lines of the log that this thread has written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _context: Context<'_, S>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0 = format!("{} {field}={value:?}", self.0);
            }
        }
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.0);
    }
}

#[tokio::test]
async fn the_log_warns_once_that_locks_may_be_lost() {
    let server = server_or_skip!(Memcached::start().await);
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let _listening = tracing::subscriber::set_default(subscriber);
    let warnings = || {
        let lines = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ours = |line: &String| line.contains("store.volatile");
        lines.into_iter().filter(ours).collect::<Vec<_>>()
    };
    let node = MemcachedLockProvider::connect(&server.url()).await;
    let node = node.expect("the server answers");
    let told = warnings();
    assert!(
        matches!(&told[..], [one] if one.starts_with("WARN") && one.contains("restart") && one.contains("`-M`") && one.contains("`flush_all`")),
        "{told:?}"
    );
    node.check_store().await.expect("the server answers");
    assert!(is_free(&node.clone()).await);
    assert_eq!(warnings().len(), 1);
}
