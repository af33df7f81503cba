use std::time::Duration;

use shedlock_runtime::__private::{Job, assert_locked, error_value, skip_value};
use shedlock_runtime::testing::{always_held, always_locked, with_provider};
use shedlock_runtime::{InMemoryLockProvider, LockProviderExt as _};

use crate::it::expansion::run;

async fn runs(job: Job) -> bool {
    run(
        job.at_most(Duration::from_secs(60)),
        async { Some(()) },
        skip_value,
        error_value,
        |_| None,
    )
    .await
    .is_some()
}

#[tokio::test]
async fn always_locked_needs_no_provider_and_never_skips() {
    always_locked(async {
        assert_locked();
        assert!(runs(Job::named("a")).await);
        assert!(runs(Job::named("a").provider_named("reports")).await);
        let held = InMemoryLockProvider::new();
        assert!(runs(Job::named("a").provider(held.to_shared())).await);
    })
    .await;
}

#[tokio::test]
async fn always_held_skips_one_name_and_leaves_the_others_alone() {
    let test = always_held("a", async {
        assert!(!runs(Job::named("a")).await);
        assert!(!runs(Job::named("a").provider_named("reports")).await);
        assert!(runs(Job::named("b")).await);
    });
    with_provider(InMemoryLockProvider::new(), test).await;
    let test = with_provider(InMemoryLockProvider::new(), async {
        assert!(!runs(Job::named("a")).await);
    });
    always_held("a", test).await;
}

#[tokio::test]
async fn tests_with_their_own_providers_do_not_meet() {
    let job = || Job::named("a");
    let one = with_provider(InMemoryLockProvider::new(), async {
        run(
            job().at_most(Duration::from_secs(60)),
            async { Some(with_provider(InMemoryLockProvider::new(), runs(job())).await) },
            skip_value,
            error_value,
            |_| None,
        )
        .await
    });
    assert_eq!(Box::pin(one).await, Some(true));
}
