//! Requests that arrive late because the process that serves them stood still: the second way to the same end as in `late`.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{
    AcquireRequest, Acquisition, LockConfiguration, LockProvider as _, Ownership,
};

use crate::asking::{WORKS, in_time, keep_for, once, refused, request, take, until};
use crate::place::Place;

tests! {
    acquire_of_a_stopped_backend
    extend_of_a_stopped_backend
    release_of_a_stopped_backend
    a_busy_backend_of_a_lock_that_was_lost
}

const NAME: &str = "stopped-job";
const SHORT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(600);
/// So long a client waits for a backend that stands still.
const GIVES_UP: Duration = Duration::from_millis(400);

/// A node that can be told from others by the server.
struct Known {
    place: Place,
    node: PostgresLockProvider,
    called: String,
}

/// Backends that stand still. Dropped, they go on.
struct Stopped(Vec<String>);

impl Stopped {
    fn go_on(&self) {
        signal("-CONT", &self.0);
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.go_on();
    }
}

fn signal(signal: &str, pids: &[String]) {
    let mut kill = Command::new("kill");
    // One that has ended meanwhile cannot be told.
    let sent = kill.arg(signal).args(pids).stderr(Stdio::null()).status();
    assert!(sent.is_ok(), "there is no `kill`");
}

impl Known {
    async fn new(place: Place) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let called = format!("node-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let url = format!("{}?application_name={called}", place.direct);
        let node = PostgresLockProvider::connect(&url).await.expect("there");
        // Its statements are prepared, so that each of them is one message from now on.
        let lease = take(&node, NAME).await;
        let extended = in_time(node.extend(&lease, SHORT)).await;
        assert_eq!(extended.expect("an answer"), Ownership::Ours);
        let released = in_time(node.release(&lease, keep_for(&node, &lease))).await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
        Self {
            place,
            node,
            called,
        }
    }

    async fn stop(&self) -> Stopped {
        let query = format!(
            "SELECT pid FROM pg_stat_activity WHERE application_name = '{}'",
            self.called
        );
        let pids = self.place.rows(&query).await;
        assert_eq!(pids.len(), 1, "it has one connection");
        signal("-STOP", &pids);
        Stopped(pids)
    }

    /// They go on, carry out what they were asked, and find that nobody is there any more.
    async fn end(&self, stopped: Stopped) {
        stopped.go_on();
        let list = stopped.0.join(", ");
        let query = format!("SELECT pid FROM pg_stat_activity WHERE pid IN ({list})");
        let ended = async || self.place.rows(&query).await.is_empty();
        until("the backends are gone", ended).await;
    }

    fn request(&self, at_least: Duration) -> AcquireRequest {
        let config = LockConfiguration::new(NAME, SHORT);
        let config = config.and_then(|config| config.with_at_least(at_least));
        request(&self.node, config.expect("legal"))
    }
}

/// Asks, and gives up.
async fn hangs<T>(asked: impl Future<Output = T>) {
    drop(tokio::time::timeout(GIVES_UP, asked).await);
}

async fn acquire_of_a_stopped_backend(place: Place) {
    let known = Known::new(place).await;
    let request = known.request(Duration::ZERO);
    let stopped = known.stop().await;
    hangs(known.node.acquire(&request)).await;
    let lease = match in_time(known.node.acquire(&request)).await {
        Ok(Acquisition::Granted(lease)) => lease,
        other => panic!("it is free, or our own: {other:?}"),
    };
    let extended = in_time(known.node.extend(&lease, LONG)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Ours);
    let end = known.place.end_of(NAME).await;
    known.end(stopped).await;
    assert_eq!(known.place.end_of(NAME).await, end);
}

async fn extend_of_a_stopped_backend(place: Place) {
    let known = Known::new(place).await;
    let granted = in_time(known.node.acquire(&known.request(Duration::ZERO))).await;
    let lease = granted.expect("an answer").granted().expect("it is free");
    let stopped = known.stop().await;
    hangs(known.node.extend(&lease, Duration::from_secs(3))).await;
    let extended = in_time(known.node.extend(&lease, LONG)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Ours);
    let end = known.place.end_of(NAME).await;
    known.end(stopped).await;
    assert_eq!(known.place.end_of(NAME).await, end);
}

async fn release_of_a_stopped_backend(place: Place) {
    let known = Known::new(place).await;
    let at_least = Duration::from_millis(3_500);
    let granted = in_time(known.node.acquire(&known.request(at_least))).await;
    let lease = granted.expect("an answer").granted().expect("it is free");
    let stopped = known.stop().await;
    hangs(known.node.release(&lease, keep_for(&known.node, &lease))).await;
    let released = in_time(known.node.release(&lease, keep_for(&known.node, &lease))).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
    let over = async || known.place.left_of(NAME).await < 0;
    until("`at_least` is over", over).await;
    known.end(stopped).await;
    let other = known.place.provider_past_proxy();
    assert_eq!(once(&other, NAME).await, WORKS, "nobody holds it");
}

/// What a former holder has on its way does nothing to the next one.
async fn a_busy_backend_of_a_lock_that_was_lost(place: Place) {
    let known = Known::new(place).await;
    let granted = in_time(known.node.acquire(&known.request(Duration::ZERO))).await;
    let lease = granted.expect("an answer").granted().expect("it is free");
    let stopped = known.stop().await;
    hangs(known.node.extend(&lease, LONG)).await;
    let ended = "UPDATE shedlock SET lock_until = timezone('utc', clock_timestamp())";
    known.place.execute(ended).await;
    let other = known.place.provider_past_proxy();
    let heir = take(&other, NAME).await;
    let end = known.place.end_of(NAME).await;
    // Closes the connection that stands still, and asks over another one.
    let _held = refused(&known.node, NAME).await;
    known.end(stopped).await;
    assert_eq!(known.place.end_of(NAME).await, end);
    let released = in_time(other.release(&heir, keep_for(&other, &heir))).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
}
