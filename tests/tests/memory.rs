//! B13 of the catalogue of faults: what a held lock costs, in a program whose allocator counts.

use shedlock::{InMemoryLockProvider, LockConfiguration, LockProviderExt as _};

const LOCKS: u64 = 100_000;

/// What stays allocated after taking so many locks: their guards, their rows in memory, and what this process keeps of them.
fn kept_by(locks: u64) -> i64 {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().expect("a runtime");
    let provider = InMemoryLockProvider::new();
    let mut held = Vec::with_capacity(usize::try_from(LOCKS).expect("64 bit"));
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async {
            for number in 0..locks {
                let wanted = LockConfiguration::new(format!("job-{number}"), "10m");
                let lock = provider.try_lock(wanted.expect("legal")).await;
                held.push(lock.expect("it is in memory").expect("it is free"));
            }
        });
    });
    assert_eq!(held.len() as u64, locks);
    assert!(held.iter().all(shedlock::Lock::is_held));
    counted.bytes_current
}

/// Less than a kilobyte for each, all told, and no more for each the more there are.
#[test]
fn b13_a_hundred_thousand_locks_held_in_one_process() {
    let kept = kept_by(LOCKS);
    let each = kept / i64::try_from(LOCKS).expect("64 bit");
    println!("{each} bytes for each of {LOCKS} locks");
    assert!((1..1_024).contains(&each), "{each} bytes for each lock");
}
