//! Clocks that run at another speed than the store's.
//!
//! The tolerated ratio. A holder that is not kept alive counts the whole of `at_most`, so its clock must not be slower than
//! the store's: at `r` times the speed (`r < 1`) its last poll is up to `at_most * (1/r - 1)` after the end of its lease. One
//! that is kept alive asks the store at half of its lease, and tolerates any `r > 1/2`. A fast clock only ends a run early.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use shedlock::{ErrorKind, LockError, LockProviderExt as _, Outcome, scheduler_lock};
use shedlock_sqlx::PostgresLockProvider;
use shedlock_testkit::server_or_skip;
use shedlock_tests::holds::monotonic_nanos;

use crate::support::{
    Child, FakeTime, LATENESS, Locks, Place, RateClock, Scenario, cases, config, in_time, is_free,
    nanos, take,
};

cases! {
    c2_kept_alive_with_a_clock_at_six_tenths on postgres;
    c2_kept_alive_with_a_clock_at_double_speed on postgres;
    c2_kept_alive_with_a_clock_too_slow on postgres;
}

const LEASE: Duration = Duration::from_secs(3);
/// Less than what tells a clock of another speed from a true one.
const SLACK: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

#[scheduler_lock(name = "job", at_most = LEASE, on_lost = "cancel", provider = locks)]
async fn job(locks: &Locks, last: &AtomicU64) -> Result<Outcome<()>, LockError> {
    loop {
        last.store(monotonic_nanos(), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Runs the job with a clock of that speed. Gives how long the body worked, and how long it overlapped with an heir.
async fn run_at(rate: f64, place: &Place) -> (Duration, Duration) {
    let provider = PostgresLockProvider::builder_from_url(&place.url)
        .time_source(RateClock::new(rate))
        .build();
    let locks: Locks = Arc::new(provider.expect("legal options"));
    let near = place.connect().await;
    // Connects, which is not to be measured.
    is_free(&locks, "warm-up").await;
    let (asked, last) = (monotonic_nanos(), AtomicU64::new(0));
    let heir = async {
        while last.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        take(&near, "job", MINUTE).await
    };
    let both = async { tokio::join!(job(&locks, &last), heir) };
    let (answer, (heir, granted)) = in_time(both).await;
    assert_eq!(answer.expect_err("no end").kind(), ErrorKind::Lost);
    heir.unlock().await.expect("the store answers");
    let last = last.load(Ordering::Relaxed);
    let since = |from: u64| Duration::from_nanos(last.saturating_sub(from));
    (since(asked), since(granted))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c2_client_clock_at_double_speed() {
    let place = server_or_skip!(Place::postgres().await);
    let (worked, overlap) = run_at(2.0, &place).await;
    assert_eq!(overlap, Duration::ZERO);
    assert!(worked <= LEASE / 2 + SLACK, "{worked:?}");
}

/// Beyond the ratio: an overlap, within the bound that is printed above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c2_client_clock_at_half_speed() {
    let place = server_or_skip!(Place::postgres().await);
    let (worked, overlap) = run_at(0.5, &place).await;
    println!("worked {worked:?}, {overlap:?} beside another");
    assert!(overlap > LEASE / 2, "there is no way to know better");
    assert!(overlap <= LEASE + SLACK, "{overlap:?}");
    assert!(worked <= LEASE * 2 + SLACK, "{worked:?}");
}

/// A lease that leaves a slow clock's extension time to come late on a busy machine.
const KEPT: Duration = Duration::from_secs(8);

/// Starts a child all of whose clocks run at `rate`: libfaketime's those of the C library, and with them its timers.
fn child_at(rate: f64, lease: Duration, time: &FakeTime, place: &Place) -> Child {
    time.set(&format!("+0 x{rate}"));
    let mut variables = time.all_clocks();
    variables.push((crate::support::RATE.into(), rate.to_string().into()));
    Child::start_with(Scenario::KeepAlive, &place.url, lease, variables)
}

/// Nobody else gets the lock through one lease and a half: the extension comes in time.
async fn is_kept(rate: f64, place: &Place) {
    let time = server_or_skip!(FakeTime::new());
    let near = place.connect().await;
    let mut child = child_at(rate, KEPT, &time, place);
    let entered = child.until("enter").await.at;
    while monotonic_nanos() < entered + nanos(KEPT * 3 / 2) {
        let answer = near.try_lock(config("job", MINUTE)).await;
        let stolen = answer.expect("the store answers").is_some();
        assert!(!stolen, "{:?}", child.notes());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(
        child.last_step() > entered + nanos(KEPT * 5 / 4),
        "it works on"
    );
    child.tell_to_stop();
    child.until("executed").await;
    child.kill().await;
}

async fn c2_kept_alive_with_a_clock_at_six_tenths(place: Place) {
    is_kept(0.6, &place).await;
}

async fn c2_kept_alive_with_a_clock_at_double_speed(place: Place) {
    is_kept(2.0, &place).await;
}

/// Its first extension comes after the end of its lease: it is told then, and does no more.
async fn c2_kept_alive_with_a_clock_too_slow(place: Place) {
    let time = server_or_skip!(FakeTime::new());
    let near = place.connect().await;
    let rate = 0.4;
    let mut child = child_at(rate, LEASE, &time, &place);
    child.until("enter").await;
    let asked = child.until("ask").await.at;
    let (heir, granted) = take(&near, "job", MINUTE).await;
    assert!(granted >= asked + nanos(LEASE), "taken over too early");
    child.until("failed: Lost").await;
    let overlap = Duration::from_nanos(child.last_step().saturating_sub(granted));
    println!("{overlap:?} beside another");
    let extension = (LEASE / 2).div_f64(rate);
    assert!(
        overlap < extension.saturating_sub(LEASE) + LATENESS,
        "{overlap:?}"
    );
    child.kill().await;
    heir.unlock().await.expect("the store answers");
}
