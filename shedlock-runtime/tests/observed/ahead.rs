//! A position that lies in the future, as a clock that was far ahead leaves it, is said at WARN: nobody runs until then.

use std::time::{Duration, SystemTime};

use shedlock_runtime::{Clock as _, TokioClock, format_timestamp};
use tracing::Level;

use super::capture::{Seen, lines, start};
use super::store::{config, run, seconds, store};

fn warnings(name: &str) -> Vec<Seen> {
    let mut lines = lines(name);
    lines.retain(|line| line.name == "lock.skipped" && line.level == Level::WARN);
    lines
}

fn now() -> SystemTime {
    TokioClock.utc()
}

#[tokio::test(start_paused = true)]
async fn an_instant_that_a_wrong_clock_has_left_is_said_once_a_minute() {
    start();
    let (store, _records) = store();
    let tick = |at| config("ahead", "10m").with_instant(at).unwrap();
    let wrong = now() + Duration::from_secs(3 * 24 * 3600);
    assert!(run(&store, tick(wrong), async {}).await.unwrap().is_some());
    for _ in 0..13 {
        assert!(run(&store, tick(now()), async {}).await.unwrap().is_none());
        seconds(10).await;
    }
    let said = warnings("ahead");
    assert_eq!(said.len(), 3, "at 0, 60 and 120 seconds: {said:?}");
    let message = said[0].message();
    let until = &format_timestamp(wrong)[..19];
    assert!(message.contains(&format!("for {until}Z")), "{message}");
    assert!(message.contains("is in the future"), "{message}");
    assert!(message.contains("prune_prefix"), "{message}");
    assert_eq!(said[0].field("lock.outcome"), "already_ran");
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_a_wrong_clock_has_left_is_said() {
    start();
    let (store, _records) = store();
    let wrong = now() + Duration::from_secs(10 * 24 * 3600);
    let wrong = config("ahead-slot", "10m").with_instant(wrong).unwrap();
    run(&store, wrong, async {}).await.unwrap();
    let slot = config("ahead-slot", "10m").with_once_per("1d").unwrap();
    assert!(run(&store, slot, async {}).await.unwrap().is_none());
    assert_eq!(warnings("ahead-slot").len(), 1);
}

/// The nearest multiple of a period may be later than now, an instant may be asked for early, and clocks differ a little.
#[tokio::test(start_paused = true)]
async fn what_other_calls_mean_too_is_not_said() {
    start();
    let (store, _records) = store();
    for hours in 0..48 {
        let slot = config("daily-slot", "10m").with_once_per("1d").unwrap();
        run(&store, slot, async {}).await.unwrap();
        let early = now() + Duration::from_secs((48 - hours) * 3600);
        let early = config("early", "10m").with_instant(early).unwrap();
        run(&store, early, async {}).await.unwrap();
        let tick = |at| config("nearly", "10m").with_instant(at).unwrap();
        run(&store, tick(now() + Duration::from_secs(50)), async {})
            .await
            .unwrap();
        run(&store, tick(now()), async {}).await.unwrap();
        seconds(3600).await;
    }
    for name in ["daily-slot", "early", "nearly"] {
        assert!(warnings(name).is_empty(), "{:?}", warnings(name));
        assert!(
            lines(name).iter().any(|line| line.name == "lock.skipped"),
            "{name}"
        );
    }
    // A chain counts steps, and no milliseconds.
    let step = config("chain", "10m").with_step(1).unwrap();
    for _ in 0..2 {
        run(&store, step.clone(), async {}).await.unwrap();
    }
    assert!(warnings("chain").is_empty());
}
