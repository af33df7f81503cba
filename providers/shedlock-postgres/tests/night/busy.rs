//! Nobody holds the lock, and another session is at its row or its table for long; and what that means for the other locks of the
//! process, whose statements wait for each other on the one connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{
    Acquisition, ErrorKind, LockConfiguration, LockProvider as _, LockProviderExt as _, Ownership,
    SkipReason,
};

use crate::asking::{WORKS, config, in_time, once, once_with, refused, request, take, until};
use crate::place::{Place, Via, client, rows};

tests! {
    a_busy_store_is_no_refusal
    a_new_name_beside_a_busy_row
    a_held_lock_in_a_busy_store_is_held
    a_store_that_is_busy_for_a_moment
    rows_that_others_have_locked_hold_up_nobody
    a_refusal_waits_for_no_row
    many_rows_that_others_have_locked
    a_slow_server_is_not_a_dead_one
}

/// So long a call may take.
const LIMIT: Duration = Duration::from_secs(2);
/// So much later its end may be noticed on a busy machine.
const LATENESS: Duration = Duration::from_millis(1_500);

/// What another session does, whether the row can still be read meanwhile, and whether a statement waits for it before it can say for
/// how long: the sessions of the program must, then.
const BUSY: [(&str, bool, bool); 3] = [
    (
        "BEGIN; SELECT name FROM shedlock WHERE name = 'a' FOR UPDATE",
        true,
        false,
    ),
    ("BEGIN; LOCK TABLE shedlock IN EXCLUSIVE MODE", true, true),
    (
        "BEGIN; LOCK TABLE shedlock IN ACCESS EXCLUSIVE MODE",
        false,
        true,
    ),
];

async fn a_busy_store_is_no_refusal(place: Place) {
    let other = client(&place.direct).await;
    for via in Via::ALL {
        let node = place.provider(*via).await;
        for (holds, _, is_before_statements) in BUSY {
            if is_before_statements && *via != Via::Url {
                continue;
            }
            // There is a free row, and the connection is warm.
            assert_eq!(once(&node, "a").await, WORKS, "{holds}");
            rows(&other, holds).await;
            let limited = config("a").with_timeout(LIMIT).expect("legal");
            let began = Instant::now();
            let asked = in_time(node.try_lock(limited)).await;
            let took = began.elapsed();
            let error = match asked {
                Err(error) => error,
                Ok(asked) => panic!("{holds}: nobody holds it, and the answer is {asked:?}"),
            };
            let kind = error.kind();
            assert_eq!(kind, ErrorKind::Unavailable, "{via:?}, {holds}: {error}");
            assert!(took < LIMIT + LATENESS, "{via:?}, {holds}: {took:?}");
            rows(&other, "ROLLBACK").await;
            let began = Instant::now();
            assert_eq!(once(&node, "a").await, WORKS, "at once after {holds}");
            assert!(began.elapsed() < LATENESS, "{holds}: {:?}", began.elapsed());
        }
    }
}

/// Holds the row of `a` in another session.
async fn with_busy_row(place: &Place, test: impl AsyncFn()) {
    let other = client(&place.direct).await;
    rows(&other, BUSY[0].0).await;
    test().await;
    rows(&other, "ROLLBACK").await;
}

async fn a_new_name_beside_a_busy_row(place: Place) {
    for via in Via::ALL {
        let node = place.provider(*via).await;
        assert_eq!(once(&node, "a").await, WORKS);
        with_busy_row(&place, async || assert_eq!(once(&node, "b").await, WORKS)).await;
    }
}

async fn a_held_lock_in_a_busy_store_is_held(place: Place) {
    let _lease = take(&place.provider_past_proxy(), "a").await;
    let other = client(&place.direct).await;
    for (holds, is_readable, is_before_statements) in BUSY {
        rows(&other, holds).await;
        for via in Via::ALL.iter().filter(|_| is_readable) {
            if *via == Via::Url || !is_before_statements {
                let said = refused(&place.provider(*via).await, "a").await.reason;
                assert_eq!(said, SkipReason::Held, "{holds}, {via:?}");
            }
        }
        rows(&other, "ROLLBACK").await;
    }
}

/// It is waited for, and granted within the call.
async fn a_store_that_is_busy_for_a_moment(place: Place) {
    for (holds, ..) in BUSY {
        for via in Via::ALL {
            let node = place.provider(*via).await;
            assert_eq!(once(&node, "a").await, WORKS, "{holds}");
            let other = client(&place.direct).await;
            rows(&other, holds).await;
            let long = LockConfiguration::new("a", "10m").and_then(|long| long.with_timeout("8s"));
            let long = long.expect("legal");
            let asking = tokio::spawn(async move { node.try_lock(long).await });
            // Longer than one statement waits.
            tokio::time::sleep(Duration::from_millis(700)).await;
            assert!(!asking.is_finished(), "{holds}, {via:?}: it waits");
            rows(&other, "ROLLBACK").await;
            let asked = in_time(asking).await.expect("no panic");
            let lock = asked.unwrap_or_else(|error| panic!("{holds}, {via:?}: {error}"));
            let lock = lock.unwrap_or_else(|| panic!("{holds}, {via:?}: nobody holds it"));
            in_time(lock.unlock()).await.expect("an answer");
            let free = async || once(&place.provider_past_proxy(), "a").await == WORKS;
            until("nothing is left behind", free).await;
        }
    }
}

async fn a_refusal_waits_for_no_row(place: Place) {
    for via in Via::ALL {
        let holder = place.provider_past_proxy();
        let lease = take(&holder, "a").await;
        with_busy_row(&place, async || {
            let node = place.provider(*via).await;
            let strict = config("a").with_timeout("3s").expect("legal");
            assert_eq!(once_with(&node, strict).await, "refused");
        })
        .await;
        let released = in_time(holder.release(&lease, Duration::ZERO)).await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
    }
}

/// How long the calls of a task take while `others` go on, over the same connection: the median, and the slowest.
#[expect(clippy::print_stdout, reason = "the README has the figures")]
async fn beside(place: &Place, names: &[String]) -> (Duration, Duration) {
    let node = place.provider(Via::Url).await;
    for name in names {
        assert_eq!(once(&node, name).await, WORKS);
    }
    assert_eq!(once(&node, "free").await, WORKS);
    let other = client(&place.direct).await;
    rows(
        &other,
        "BEGIN; SELECT name FROM shedlock WHERE name LIKE 'busy-%' FOR UPDATE",
    )
    .await;
    let over = Arc::new(AtomicBool::new(false));
    let waiting = names.iter().map(|name| {
        let (node, name, over) = (node.clone(), name.clone(), Arc::clone(&over));
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                // Whoever waits for a row is told that it is busy, and asks again.
                match node.acquire(&request(&node, config(&name))).await {
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
                    Ok(asked) => assert!(over.load(Ordering::Relaxed), "{asked:?}"),
                }
            }
        })
    });
    let waiting: Vec<_> = waiting.collect();
    let (began, mut cycles) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(4) {
        let asked = Instant::now();
        assert_eq!(once(&node, "free").await, WORKS);
        cycles.push(asked.elapsed());
    }
    over.store(true, Ordering::Relaxed);
    rows(&other, "ROLLBACK").await;
    for task in waiting {
        in_time(task).await.expect("each call had an answer");
    }
    cycles.sort();
    let (median, slowest) = (cycles[cycles.len() / 2], cycles[cycles.len() - 1]);
    println!(
        "beside {}: {} cycles in 4 s of {median:?} in the median, the slowest took {slowest:?}",
        names.len(),
        cycles.len()
    );
    (median, slowest)
}

/// No cycle takes longer, whatever else a busy machine does.
const SLOWEST: Duration = Duration::from_secs(3);

/// A statement waits for a row for 50 ms at most, and the others behind it as long. A cycle is two statements, and so may wait twice.
async fn rows_that_others_have_locked_hold_up_nobody(place: Place) {
    let (median, slowest) = beside(&place, &["busy-0".to_owned()]).await;
    assert!(median < Duration::from_millis(400), "{median:?}");
    assert!(slowest < SLOWEST, "{slowest:?}");
}

/// No call fails for that. Those that wait take turns, so that the others wait behind one of them at most, and behind each of them once at its
/// first try.
async fn many_rows_that_others_have_locked(place: Place) {
    let names: Vec<_> = (0..8).map(|number| format!("busy-{number}")).collect();
    let (median, slowest) = beside(&place, &names).await;
    // One of them retries at a time: eight waits one after the other would take longer.
    assert!(median < Duration::from_millis(700), "{median:?}");
    assert!(slowest < SLOWEST, "{slowest:?}");
}

/// As with a synchronous replica that is far away: the last of the tasks waits for longer than a dead connection is given, and the answers
/// to the others tell it that the connection lives.
async fn a_slow_server_is_not_a_dead_one(place: Place) {
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END $$; \
         CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON shedlock FOR EACH ROW EXECUTE FUNCTION slow()";
    place.execute(slow).await;
    let node = PostgresLockProvider::connect(&place.url).await;
    let node = node.expect("the database is there");
    let began = Instant::now();
    let tasks = (0..25).map(|number| {
        let node = node.clone();
        tokio::spawn(async move {
            let patient = config(&format!("job-{number}"))
                .with_timeout("30s")
                .expect("legal");
            let asked = node.acquire(&request(&node, patient)).await;
            assert!(matches!(asked, Ok(Acquisition::Granted(_))), "{asked:?}");
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        in_time(task).await.expect("it is granted");
    }
    assert!(
        began.elapsed() > Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        place.proxy.connections().len(),
        1,
        "no call took it for dead"
    );
}
