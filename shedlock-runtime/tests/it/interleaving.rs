//! Extensions, releases and the end of a body, each in the middle of another.

use std::time::Duration;

use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockConfiguration, LockingTaskExecutor, OnLost, lock,
};
use tokio::time::{Instant, sleep};

fn config(at_most: &str) -> LockConfiguration {
    LockConfiguration::new("job", at_most).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_shortened_elsewhere_ends_on_time_for_all() {
    let executor = LockingTaskExecutor::new(InMemoryLockProvider::new());
    let begun = Instant::now();
    let outcome = executor.execute(config("10m"), async {
        tokio::spawn(lock::scope(async {
            sleep(Duration::from_secs(1)).await;
            lock::extend("2s", "0s").await.unwrap();
        }));
        lock::lost().await;
        begun.elapsed()
    });
    let told = outcome.await.unwrap().executed().unwrap();
    assert!(told < Duration::from_millis(3_010), "{told:?}");

    let begun = Instant::now();
    let cancelled = executor.execute(config("10m").with_on_lost(OnLost::Cancel), async {
        tokio::spawn(lock::scope(async {
            sleep(Duration::from_secs(1)).await;
            lock::extend("2s", "0s").await.unwrap();
        }));
        std::future::pending::<()>().await;
    });
    assert_eq!(cancelled.await.unwrap_err().kind(), ErrorKind::Lost);
    let told = begun.elapsed();
    assert!(told < Duration::from_millis(3_010), "{told:?}");
}
