//! Where the test of this example kills the program.

use std::sync::atomic::{AtomicU32, Ordering};

static PASSED: AtomicU32 = AtomicU32::new(0);

/// Ends this process as `kill -9` does, if this is the checkpoint that the environment names.
pub(crate) fn checkpoint() {
    let number = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
    let killed_at = std::env::var("KILLED_AT").ok();
    if killed_at.and_then(|at| at.parse().ok()) == Some(number) {
        let this = rustix::process::getpid();
        // Nothing of this process runs after the signal: no destructor, no release.
        let _sent = rustix::process::kill_process(this, rustix::process::Signal::KILL);
    }
}
