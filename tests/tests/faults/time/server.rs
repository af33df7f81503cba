//! The server's clock steps. It decides when a lease ends, so a step does change that; a fencing token still grows.

use std::time::Duration;

use shedlock::{ErrorKind, LockError, LockProviderExt as _, Outcome, lock, scheduler_lock};
use shedlock_tests::holds::monotonic_nanos;

use super::Shifted;
use crate::support::{Locks, cases, config, is_free, nanos, take};

cases! {
    of crate::time::Shifted:
    c3_server_clock_steps_forward on postgres mariadb;
    c3_server_clock_steps_forward_past_a_kept_lease on postgres mariadb;
    c4_server_clock_steps_back on postgres mariadb;
}

const LEASE: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_mins(1);

#[scheduler_lock(name = "job", at_most = LEASE, on_lost = "cancel", provider = locks)]
async fn job(locks: &Locks, body: impl Future<Output = ()>) -> Result<Outcome<()>, LockError> {
    body.await;
    Ok(Outcome::Executed(()))
}

#[scheduler_lock(name = "job", at_most = LEASE, keep_alive = "200ms", provider = locks)]
async fn kept_job(locks: &Locks, body: impl Future<Output = ()>) -> Result<Outcome<()>, LockError> {
    body.await;
    Ok(Outcome::Executed(()))
}

/// The store grants anew. The holder, which cannot know, ends at its own deadline and harms nobody; its token is old.
async fn c3_server_clock_steps_forward(shifted: Shifted) {
    let locks = shifted.place.connect().await;
    let asked = monotonic_nanos();
    let mut heir = None;
    let body = async {
        let token = lock::fencing_token().expect("the table has the column");
        assert!(!is_free(&locks, "job").await);
        shifted.time.set("+3600");
        let (granted, _) = take(&locks, "job", MINUTE).await;
        assert!(granted.fencing_token() > Some(token), "the token grows");
        assert!(lock::is_held(), "by its own count");
        heir = Some(granted);
        std::future::pending::<()>().await;
    };
    let error = job(&locks, body).await.expect_err("it was lost");
    assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
    assert!(
        monotonic_nanos() >= asked + nanos(LEASE),
        "its own deadline"
    );
    let mut heir = heir.expect("it was granted");
    heir.extend("1m", "0s")
        .await
        .expect("the late release has done nothing");
    heir.unlock().await.expect("the store answers");
}

/// A holder that extends is told at the next extension.
async fn c3_server_clock_steps_forward_past_a_kept_lease(shifted: Shifted) {
    let locks = shifted.place.connect().await;
    let asked = monotonic_nanos();
    let body = async {
        shifted.time.set("+3600");
        std::future::pending::<()>().await;
    };
    let error = kept_job(&locks, body).await.expect_err("it was lost");
    assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
    assert!(
        monotonic_nanos() < asked + nanos(LEASE),
        "long before its deadline"
    );
}

/// The lock stays taken for as much longer as the clock has stepped back, and tokens grow through it all.
async fn c4_server_clock_steps_back(shifted: Shifted) {
    let locks = shifted.place.connect().await;
    let lease = Duration::from_millis(400);
    let (mut dead, granted) = take(&locks, "job", lease).await;
    let token = dead.fencing_token();
    dead.release_on_drop(false);
    drop(dead);
    shifted.time.set("-3600");
    while monotonic_nanos() < granted + nanos(lease * 3) {
        let answer = locks.try_lock(config("job", MINUTE)).await;
        assert!(
            answer.expect("the store answers").is_none(),
            "before its end"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // An operator can free it, and the token grows although the clock has not.
    let free = "UPDATE shedlock SET lock_until = '1999-01-01 00:00:00'";
    shifted.place.execute(free).await;
    let (lock, _) = take(&locks, "job", MINUTE).await;
    assert!(lock.fencing_token() > token, "the token grows");
    lock.unlock().await.expect("the store answers");
}
