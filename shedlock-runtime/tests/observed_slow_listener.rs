//! A listener that does not come back. In a program of its own: whoever else listens would be flooded.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "observed/capture.rs"]
#[expect(dead_code, reason = "the lines of a lock are another test's")]
mod capture;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shedlock_runtime::{
    InMemoryLockProvider, LockConfiguration, LockEvent, LockingTaskExecutor, SchedulerLock,
};

/// How long a thread may take that has little to do.
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_listener_that_is_blocked_stops_nobody_and_misses_events() {
    capture::start();
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    let listening = SchedulerLock::listen(move |_event: &LockEvent| {
        // Blocked until the test lets it go.
        let _open = gate.lock().unwrap().recv();
        counted.fetch_add(1, Ordering::SeqCst);
    })
    .unwrap();
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let config = LockConfiguration::new("job", "10s").unwrap();
    let calls = 2_000;
    for _ in 0..calls {
        let ran = executor.execute(config.clone(), async {}).await;
        assert!(ran.unwrap().was_executed());
    }
    // All but those that wait, and perhaps the one that it is busy with.
    let missed = listening.missed();
    let kept = 3 * calls - missed;
    assert!(kept == 1_024 || kept == 1_024 + 1, "missed {missed}");
    let mut lines = capture::other_lines();
    lines.retain(|line| line.field("event") == "listener.slow");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        lines[0].message(),
        "a listener is 1024 events behind, so it misses some"
    );
    drop(open);
    let limit = Instant::now() + LIMIT;
    // What waited is told as soon as it can be.
    while heard.load(Ordering::SeqCst) as u64 != kept {
        assert!(Instant::now() < limit, "{heard:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
