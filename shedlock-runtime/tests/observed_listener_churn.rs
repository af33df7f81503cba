//! Listeners that come and go: alone in a program, because any other listener would hide what is looked for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Barrier;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime};

use shedlock_runtime::{
    InMemoryLockProvider, ListenerGuard, LockAdmin as _, LockEvent, SchedulerLock, SystemClock,
};
use tokio::runtime::Builder;

fn listen() -> (ListenerGuard, Receiver<()>) {
    let (sender, receiver) = channel();
    let listening = SchedulerLock::listen(move |_: &LockEvent| {
        let _ended = sender.send(());
    });
    (listening.unwrap(), receiver)
}

#[test]
fn a_listener_that_comes_while_another_goes_hears() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let provider = InMemoryLockProvider::with_clock(SystemClock);
    let tomorrow = SystemTime::now() + Duration::from_secs(24 * 60 * 60);
    let (mut last, _) = listen();
    for round in 0..10_000 {
        let together = Barrier::new(2);
        let (next, events) = std::thread::scope(|threads| {
            threads.spawn(|| {
                together.wait();
                // A listener takes a while to come, so that the other has to be late to meet it.
                let late = Duration::from_micros(round % 100);
                let begun = Instant::now();
                while begun.elapsed() < late {}
                drop(last);
            });
            together.wait();
            listen()
        });
        let paused = runtime.block_on(provider.pause("job", tomorrow, "an event"));
        paused.unwrap();
        let heard = events.recv_timeout(Duration::from_secs(10));
        assert!(heard.is_ok(), "round {round}");
        last = next;
    }
}
