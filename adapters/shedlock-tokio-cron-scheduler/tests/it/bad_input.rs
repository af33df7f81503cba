//! What cannot be meant is refused when the job is added, in words that say what to do.

use std::time::Duration;

use shedlock_runtime::{InMemoryLockProvider, LockConfiguration};
use shedlock_tokio_cron_scheduler::{JobError, LockedScheduler};
use tokio_cron_scheduler::JobScheduler;

async fn scheduler() -> LockedScheduler {
    let scheduler = JobScheduler::new().await.unwrap();
    LockedScheduler::new(scheduler, InMemoryLockProvider::new(), "10m").unwrap()
}

fn message<T>(result: Result<T, JobError>) -> String {
    result.err().expect("it is refused").to_string()
}

#[tokio::test]
async fn schedules() {
    let jobs = scheduler().await;
    for schedule in ["*/5 * * * *", "soon", "", "61 * * * * *"] {
        assert_eq!(
            message(jobs.cron(schedule, "job", || async {}).await),
            format!(
                "cannot read the schedule `{schedule}`; it has six fields: second, minute, hour, day of month, \
                 month, day of week"
            )
        );
    }
    // The scheduler would take this one, and drop it at its first look.
    assert_eq!(
        message(jobs.cron("0 0 0 31 2 *", "job", || async {}).await),
        "the schedule `0 0 0 31 2 *` never comes"
    );
    // What was refused has not taken the name.
    jobs.cron("@daily", "job", || async {}).await.unwrap();
}

#[tokio::test]
async fn intervals() {
    let jobs = scheduler().await;
    // The scheduler would cut the fraction off: half a second would be due all the time.
    for (interval, shown) in [("0s", "0s"), ("500ms", "500ms"), ("1500ms", "1s 500ms")] {
        assert_eq!(
            message(jobs.interval(interval, "job", || async {}).await),
            format!(
                "the interval `{shown}` is not a whole number of seconds, which is what the scheduler counts in"
            )
        );
    }
    let refused = message(jobs.interval("often", "job", || async {}).await);
    assert!(refused.contains("found `often`"), "{refused}");
    jobs.interval(Duration::from_secs(1), "job", || async {})
        .await
        .unwrap();
}

#[tokio::test]
async fn names() {
    let jobs = scheduler().await;
    let refused = message(jobs.cron("* * * * * *", "", || async {}).await);
    assert_eq!(refused, "a lock name cannot be empty");
    jobs.cron("* * * * * *", "job", || async {}).await.unwrap();
    let twice = LockConfiguration::new("job", "1m").unwrap();
    assert_eq!(
        message(jobs.interval("5s", twice, || async {}).await),
        "there is a job `job` already; two jobs under one lock would skip each other's ticks"
    );
    assert!(format!("{jobs:?}").contains("\"job\""), "{jobs:?}");
}

#[tokio::test]
async fn durations() {
    let new = |at_most: &'static str| async move {
        let scheduler = JobScheduler::new().await.unwrap();
        LockedScheduler::new(scheduler, InMemoryLockProvider::new(), at_most)
    };
    let refused = message(new("0s").await);
    assert!(refused.contains("`at_most` cannot be zero"), "{refused}");
    let refused = message(new("10 parsecs").await);
    assert!(refused.contains("found `10 parsecs`"), "{refused}");
    let refused = message(new("1m").await.unwrap().with_default_at_least("often"));
    assert!(refused.contains("found `often`"), "{refused}");
    let refused = message(new("1m").await.unwrap().shutdown("soon").await.map(|_| ()));
    assert!(refused.contains("found `soon`"), "{refused}");
}
