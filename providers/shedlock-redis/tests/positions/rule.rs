//! The script decides as the runtime's rule does, in one round trip.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_redis::RedisLockProvider;
use shedlock_runtime::{
    AcquireRequest, ErrorKind, LockConfiguration, LockProvider as _, LockProviderExt as _,
    Ownership, Position, SkipReason,
};
use shedlock_testkit::server_or_skip;

use super::{DAY, Place, attempts, instant, slot, step};

/// What the runtime's rule says of the position `stored`.
fn by_rule(
    place: &Place,
    config: &LockConfiguration,
    stored: Option<Position>,
    now: SystemTime,
) -> Result<Position, SkipReason> {
    let request = AcquireRequest::new(config.clone(), place.node.info().clock().boot());
    let rule = request.position_rule().expect("a position is asked for");
    rule.next(stored, now)
}

/// What the script says, and the position that it leaves.
async fn by_script(place: &Place, config: &LockConfiguration) -> Result<Position, SkipReason> {
    match place.try_lock(config.clone()).await {
        Ok(lock) => {
            let position = place.position().await;
            let released = lock.unlock().await.expect("the server answers");
            assert_eq!(released, Ownership::Ours);
            assert_eq!(place.position().await, position, "not done");
            Ok(position)
        }
        Err(refusal) => Err(refusal.reason),
    }
}

#[tokio::test]
async fn the_script_decides_as_the_rule() {
    let place = server_or_skip!(Place::new().await);
    // Two numbers that are great, because a script counts in floating-point numbers.
    for base in [5, (1 << 53) - 5] {
        let mut stored = vec![None];
        for number in base - 1..=base + 1 {
            for (is_done, tries) in [(true, 1), (false, 1), (false, 2), (false, 3)] {
                stored.push(Some(Position {
                    number,
                    is_done,
                    tries,
                }));
            }
        }
        for stored in stored {
            for config in [step(base), instant(base), step(1)] {
                for most in [None, Some(1), Some(2), Some(3)] {
                    let config = match most {
                        None => config.clone(),
                        Some(most) => attempts(config.clone(), most),
                    };
                    place.put(stored).await;
                    let expected = by_rule(&place, &config, stored, UNIX_EPOCH);
                    let answer = by_script(&place, &config).await;
                    assert_eq!(answer, expected, "{stored:?}, {config:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn slots_are_those_of_the_rule_by_the_servers_clock() {
    let place = server_or_skip!(Place::new().await);
    for period in [
        Duration::from_millis(1),
        Duration::from_millis(7),
        Duration::from_secs(1),
        Duration::from_secs(3_600),
        DAY + Duration::from_millis(1),
        DAY * 365,
    ] {
        place.put(None).await;
        let early = place.now().await;
        let position = by_script(&place, &slot(period)).await.expect("the first");
        let late = place.now().await;
        let number = |now| by_rule(&place, &slot(period), None, now).map(|it| it.number);
        let slots = number(early).expect("first")..=number(late).expect("first");
        assert!(slots.contains(&position.number), "{position:?}, {slots:?}");
        assert_eq!(
            u128::from(position.number) % period.as_millis(),
            0,
            "{period:?}"
        );
        assert!(!position.is_done && position.tries == 1, "{position:?}");
    }
}

/// One question tells the reason and which node ran.
#[tokio::test]
async fn a_refusal_tells_who_ran_in_one_round_trip() {
    let place = server_or_skip!(Place::new().await);
    place.run(step(1)).await;
    // The script is known by now.
    place.ask(&["CONFIG", "RESETSTAT"]).await;
    let other = RedisLockProvider::builder_from_url(&place.server.url()).node_name("web-3");
    let other = other.build().expect("a valid URL");
    let answer = other.lock(step(1)).await.expect("the server answers");
    let refusal = answer.expect_err("it is done");
    assert_eq!(refusal.reason, SkipReason::AlreadyRan);
    assert_eq!(refusal.node.as_deref(), Some("web-2"));
    assert_eq!(refusal.remaining, None, "nobody holds the lock");
    let asked = place.ask(&["INFO", "commandstats"]).await;
    assert!(asked.contains("cmdstat_evalsha:calls=1,"), "{asked}");
    assert!(!asked.contains("cmdstat_eval:"), "{asked}");
    assert!(!asked.contains("cmdstat_set:"), "{asked}");
}

#[tokio::test]
async fn numbers_that_a_script_cannot_count_are_refused_before_anything_is_sent() {
    let nowhere = RedisLockProvider::builder_from_url("redis://127.0.0.1:1");
    let nowhere = nowhere.build().expect("a valid URL");
    let error = nowhere.lock(step(1 << 53)).await.expect_err("too great");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    assert!(
        error.to_string().contains("counts to 9007199254740991"),
        "{error}"
    );
    let error = nowhere.lock(step((1 << 53) - 1)).await;
    let error = error.expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}
