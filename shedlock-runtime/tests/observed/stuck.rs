//! A lock that one run has held for longer than it should is said at INFO, and rarely.

use shedlock_runtime::{LockConfiguration, host_node_name};
use tracing::Level;

use super::capture::{Seen, lines, start};
use super::store::{Store, config, hold, run, seconds, store};

/// Asks every `every` seconds for as long as `total`, and says which skips were loud.
async fn ask(store: &Store, config: &LockConfiguration, every: u64, total: u64) -> Vec<Seen> {
    for _ in 0..total / every {
        run(store, config.clone(), async {}).await.unwrap();
        seconds(every).await;
    }
    let mut lines = lines(config.name().as_str());
    lines.retain(|line| line.name == "lock.skipped" && line.level == Level::INFO);
    lines
}

#[tokio::test(start_paused = true)]
async fn a_run_that_outlasts_at_most_is_said_once_and_then_once_an_hour() {
    start();
    let (store, _records) = store();
    hold(&store, "hangs", "12h").await;
    let job = config("hangs", "10m");
    let loud = ask(&store, &job, 60, 600).await;
    assert_eq!(loud.len(), 0, "it may take ten minutes: {loud:?}");
    let loud = ask(&store, &job, 60, 5 * 3600).await;
    assert_eq!(loud.len(), 5, "after 11 m and then every hour: {loud:?}");
    assert_eq!(loud[0].field("seen_ms"), "660000");
    assert_eq!(loud[0].field("lock.outcome"), "held");
    assert_eq!(loud[0].field("lock.node"), &*host_node_name());
    let node = host_node_name();
    let message = loud[0].message();
    assert!(
        message.starts_with(&format!("skipped `hangs`: held by {node} until 20")),
        "{message}"
    );
    let advice = "Z (in 11h 49m), by the same run for 11m, longer than `at_most`: kept alive, or stuck? If stuck, end it \
                  on its node, or free the lock by `LockAdmin::force_release`";
    assert!(message.ends_with(advice), "{message}");
    assert_eq!(loud[4].field("seen_ms"), "15060000");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_first_each_time_is_not_stuck() {
    start();
    let (store, _records) = store();
    for _ in 0..20 {
        // One after the other, each with a lease of its own.
        hold(&store, "brisk", "50s").await;
        let loud = ask(&store, &config("brisk", "2m"), 25, 60).await;
        assert_eq!(loud.len(), 0, "{loud:?}");
        seconds(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_kept_for_its_at_least_is_not_stuck() {
    start();
    let (store, _records) = store();
    let job = config("daily", "10m").with_at_least("20h").unwrap();
    run(&store, job.clone(), seconds(60)).await.unwrap();
    let loud = ask(&store, &job, 600, 19 * 3600).await;
    assert_eq!(loud.len(), 0, "{loud:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_and_not_due_again_is_not_stuck() {
    start();
    let (store, _records) = store();
    let job = config("message", "10m").with_instant_text("order-17");
    let job = job.unwrap();
    run(&store, job.clone(), seconds(60)).await.unwrap();
    let loud = ask(&store, &job, 600, 5 * 3600).await;
    assert_eq!(loud.len(), 0, "{loud:?}");
    let mut skips = lines(job.name().as_str());
    skips.retain(|line| line.name == "lock.skipped");
    assert_eq!(skips.len(), 30);
    assert_eq!(skips[29].field("lock.outcome"), "already_ran");
    assert_eq!(skips[29].field("lock.node"), &*host_node_name());
    let message = format!(
        "skipped `{}`: it ran already by {}",
        job.name(),
        host_node_name()
    );
    assert_eq!(skips[29].message(), message);
}
