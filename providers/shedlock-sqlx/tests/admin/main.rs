//! What operators do to locks, on each database with each kind of table.

#![cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]

#[macro_use]
#[path = "../support/each_database.rs"]
mod each_database;
#[path = "../support/place.rs"]
mod place;

mod paused;
mod refused;
mod rows;
mod tables;

use std::time::{Duration, SystemTime};

use shedlock_runtime::{
    AcquireRequest, Acquisition, LockAdmin, LockConfiguration, LockProvider, Refusal, SkipReason,
};

const HOUR: Duration = Duration::from_hours(1);
/// The end of a pause is rounded up to milliseconds.
const GRAIN: Duration = Duration::from_millis(10);

/// An hour from now.
fn later() -> SystemTime {
    SystemTime::now() + HOUR
}

/// Asks for a lock: `None` if it was granted, and else why it was not.
async fn skipped(provider: &impl LockProvider, name: &str) -> Option<SkipReason> {
    refused(provider, name).await.map(|refusal| refusal.reason)
}

/// As [`skipped`], with what else is said of the holder.
async fn refused(provider: &impl LockProvider, name: &str) -> Option<Refusal> {
    let config = LockConfiguration::new(name, "10m").expect("a legal configuration");
    let request = AcquireRequest::new(config, provider.info().clock().boot());
    match provider.acquire(&request).await {
        Ok(Acquisition::Granted(_)) => None,
        Ok(Acquisition::Refused(refusal)) => Some(refusal),
        Err(error) => panic!("the database answers: {error:?}"),
    }
}

/// One round of all that an operator does, on a database without rows.
async fn works(provider: &impl LockAdmin) {
    let (held, paused) = ("held", "pa'us\"ed");
    assert_eq!(skipped(provider, held).await, None);
    provider
        .pause(paused, later(), "it's `upkeep`")
        .await
        .expect("a lock can be paused");
    assert_eq!(skipped(provider, held).await, Some(SkipReason::Held));
    assert_eq!(skipped(provider, paused).await, Some(SkipReason::Paused));
    let listed = provider.list().await.expect("the rows can be read");
    let shown: Vec<_> = listed
        .iter()
        .map(|info| (info.name.as_str(), info.is_held(), info.paused))
        .collect();
    assert_eq!(shown, [(held, true, false), (paused, true, true)]);
    for (info, length) in listed.iter().zip([Duration::from_mins(10), HOUR]) {
        assert!(info.problem.is_none(), "{info:?}");
        let (Some(since), Some(until)) = (info.since, info.until) else {
            panic!("{info:?}");
        };
        let lasts = until.duration_since(since).unwrap_or_default();
        let near = |a: Duration, b: Duration| a.abs_diff(b) < Duration::from_mins(1);
        assert!(
            near(lasts, length) && near(info.remaining, length),
            "{info:?}"
        );
        let ahead = since.duration_since(SystemTime::now());
        assert!(
            ahead.is_ok_and(|ahead| ahead < Duration::from_mins(1))
                || since
                    .elapsed()
                    .is_ok_and(|ago| ago < Duration::from_mins(1)),
            "in UTC: {info:?}"
        );
        let alone = provider.get(&info.name).await.expect("it can be read");
        let alone = alone.expect("it is known");
        assert_eq!(
            (&alone.node, alone.since, alone.until, alone.fencing_token),
            (&info.node, info.since, info.until, info.fencing_token)
        );
    }
    let reason = listed[1].reason.as_deref();
    assert_eq!(reason, Some("it's `upkeep`"));
    assert!(provider.resume(paused).await.expect("it is paused"));
    let freed = provider.force_release(held, "gone").await;
    assert!(freed.expect("it is held"));
    for name in [held, paused] {
        assert_eq!(skipped(provider, name).await, None);
        let freed = provider.force_release(name, "gone").await;
        assert!(freed.expect("it is held"));
    }
    let pruned = provider.prune_prefix("pa'us\"", Duration::ZERO).await;
    assert_eq!(pruned.expect("rows can be deleted"), 1);
    let pruned = provider.prune(Duration::ZERO).await;
    assert_eq!(pruned.expect("rows can be deleted"), 1);
    assert_eq!(provider.list().await.expect("the rows can be read"), []);
}
