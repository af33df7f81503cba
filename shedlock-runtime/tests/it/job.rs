//! What an expansion calls, without the macro.

use std::time::Duration;

use shedlock_runtime::__private::{
    GivenInstant, IsText as _, Job, error_value, install, skip_value,
};
use shedlock_runtime::testing::{Fault, FaultyProvider, with_provider};
use shedlock_runtime::{
    ErrorKind, InMemoryLockProvider, LockConfiguration, LockError, LockProviderExt as _, Operation,
    Outcome, SchedulerLock, SkipReason,
};

use crate::it::expansion::run;

async fn call<R: shedlock_runtime::SkipValue + shedlock_runtime::ErrorValue>(
    job: Job,
    body: impl Future<Output = R>,
) -> R {
    run(job, body, skip_value, error_value, |_| None).await
}

fn job() -> Job {
    Job::named("job").at_most(Duration::from_secs(60))
}

#[tokio::test]
async fn bad_data_in_a_message_does_not_end_the_task_that_reads_it() {
    let message = || job().instant(GivenInstant(String::new()).__shedlock_instant());
    with_provider(InMemoryLockProvider::new(), async {
        call::<()>(message(), async { panic!("the text is empty") }).await;
        assert_eq!(call::<Option<u8>>(message(), async { Some(1) }).await, None);
        let result = call::<Result<(), LockError>>(message(), async { panic!() }).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Configuration);
    })
    .await;
}

#[tokio::test]
async fn each_return_type_has_its_skip_value() {
    let provider = InMemoryLockProvider::new();
    let _held = provider
        .try_lock(LockConfiguration::new("job", "1m").unwrap())
        .await
        .unwrap();
    with_provider(provider, async {
        call::<()>(job(), async { panic!("held") }).await;
        assert_eq!(call::<Option<u8>>(job(), async { Some(1) }).await, None);
        assert!(
            call::<Result<(), LockError>>(job(), async { panic!("held") })
                .await
                .is_ok()
        );
        assert_eq!(
            call::<Result<Option<u8>, LockError>>(job(), async { Ok(Some(1)) })
                .await
                .unwrap(),
            None
        );
        assert_eq!(
            call::<Outcome<u8>>(job(), async { Outcome::Executed(1) }).await,
            Outcome::Skipped(SkipReason::Held)
        );
        let skipped = run(
            job(),
            async { 1 },
            |reason| {
                assert_eq!(*reason, SkipReason::Held);
                -1
            },
            |_| -2,
            |_| None,
        );
        assert_eq!(skipped.await, -1);
    })
    .await;
}

#[tokio::test]
async fn each_return_type_has_its_error_value() {
    let bad = || Job::named_by("").at_most(Duration::from_secs(60));
    with_provider(InMemoryLockProvider::new(), async {
        call::<()>(bad(), async { panic!("no lock") }).await;
        assert_eq!(call::<Option<u8>>(bad(), async { Some(1) }).await, None);
        assert!(
            call::<Result<(), LockError>>(bad(), async { Ok(()) })
                .await
                .is_err()
        );
        assert_eq!(
            call::<Outcome<u8>>(bad(), async { Outcome::Executed(1) }).await,
            Outcome::Skipped(SkipReason::StoreError)
        );
        assert_eq!(
            run(bad(), async { 1 }, |_| -1, |_error| -2, |_| None).await,
            -2
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_made_at_run_time_is_checked_at_run_time() {
    let long = "x".repeat(2000);
    let job = Job::formatted(format_args!("sync-{long}"), "sync-{tenant}")
        .at_most(Duration::from_secs(1));
    let error = with_provider(
        InMemoryLockProvider::new(),
        call::<Result<(), LockError>>(job, async { Ok(()) }),
    )
    .await
    .unwrap_err();
    let message = error.to_string();
    let expected = "a lock name can have at most 1024 bytes here; this one has 2005: `sync-xxx";
    assert!(message.starts_with(expected), "{message}");
}

// One test, because the registry is the process's.
#[tokio::test]
async fn the_registry_serves_defaults_and_names_and_can_be_replaced() {
    let missing = call::<Result<(), LockError>>(job(), async { Ok(()) })
        .await
        .unwrap_err();
    assert!(
        missing
            .to_string()
            .contains("call `enable_scheduler_lock!(provider = .., "),
        "{missing}"
    );
    let panic = tokio::spawn(call::<()>(job(), async {})).await.unwrap_err();
    assert!(
        panic.is_panic(),
        "where there is no Result, a missing provider is a panic"
    );
    let message = panic.into_panic().downcast::<String>().unwrap();
    assert!(
        message.starts_with("lock `job`: no lock provider is registered; call `enable_"),
        "{message}"
    );

    let reports = InMemoryLockProvider::new();
    SchedulerLock::builder()
        .named_provider("reports", reports.clone())
        .default_at_most("10m")
        .install()
        .unwrap();
    let named = || Job::named("job").provider_named("reports");
    assert_eq!(
        call::<Option<u8>>(named(), async { Some(1) }).await,
        Some(1)
    );
    let unknown =
        call::<Result<(), LockError>>(job().provider_named("mail"), async { Ok(()) }).await;
    assert_eq!(
        unknown.unwrap_err().to_string(),
        "lock `job`: no lock provider is registered as `mail`; registered are `reports`"
    );
    assert!(
        call::<Result<(), LockError>>(job(), async { Ok(()) })
            .await
            .is_err(),
        "no default provider"
    );

    install(
        SchedulerLock::builder()
            .provider(InMemoryLockProvider::new())
            .default_at_most("1m"),
    );
    assert_eq!(call::<Option<u8>>(job(), async { Some(1) }).await, Some(1));
    let gone = call::<Result<(), LockError>>(named(), async { Ok(()) })
        .await
        .unwrap_err();
    assert!(
        gone.to_string().ends_with(
            "no lock provider is registered as `reports`; none has a name: add \
             `providers = { \"reports\" = .. }` to `enable_scheduler_lock!`"
        ),
        "{gone}"
    );

    default_timeout_is_the_limit_of_a_question().await;
    bad_builders_are_refused(&reports);
    assert_eq!(
        call::<Option<u8>>(job(), async { Some(1) }).await,
        Some(1),
        "a bad install changes nothing"
    );
}

async fn default_timeout_is_the_limit_of_a_question() {
    let store = FaultyProvider::new(InMemoryLockProvider::new());
    install(
        SchedulerLock::builder()
            .provider(store.clone())
            .default_at_most("1m")
            .default_timeout("30ms"),
    );
    for (job, limit) in [
        (job(), "30ms"),
        (job().timeout(Duration::from_millis(20)), "20ms"),
        (job().at_most(Duration::from_millis(10)), "10ms"),
    ] {
        store.next(Operation::Acquire, Fault::Hang);
        let error = call::<Result<(), LockError>>(job, async { Ok(()) }).await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("no answer within {limit}")),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn timeout_is_the_attributes_in_scopes_of_tests_too() {
    let store = FaultyProvider::new(InMemoryLockProvider::new());
    let slow = || store.next(Operation::Acquire, Fault::Delay(Duration::from_secs(8)));
    let nested = || {
        let inner = with_provider(store.clone(), async {
            slow();
            let patient = job().timeout(Duration::from_secs(30));
            assert_eq!(
                call::<Option<u8>>(patient, async { Some(1) }).await,
                Some(1)
            );
            slow();
            call::<Result<(), LockError>>(job(), async { Ok(()) }).await
        });
        with_provider(InMemoryLockProvider::new(), inner)
    };
    let error = nested().await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::Timeout,
        "the default is five seconds"
    );
    let hurried = job().timeout(Duration::from_micros(1));
    let error = with_provider(
        InMemoryLockProvider::new(),
        call::<Result<(), LockError>>(hurried, async { Ok(()) }),
    );
    assert_eq!(error.await.unwrap_err().kind(), ErrorKind::InvalidDuration);
}

fn bad_builders_are_refused(reports: &InMemoryLockProvider) {
    for (builder, expected) in [
        (
            SchedulerLock::builder().default_at_most("1m"),
            "no lock provider is given; add one by `provider` or `named_provider`",
        ),
        (
            SchedulerLock::builder().provider(reports.clone()),
            "no default `at_most` is given; add one by `default_at_most`",
        ),
        (
            SchedulerLock::builder()
                .provider(reports.clone())
                .default_at_most("0s"),
            "`default_at_most`: `at_most` cannot be zero",
        ),
        (
            SchedulerLock::builder()
                .provider(reports.clone())
                .default_at_most("1m")
                .default_at_least("soon"),
            "`default_at_least`: expected a duration",
        ),
        (
            SchedulerLock::builder()
                .provider(reports.clone())
                .default_at_most("1m")
                .default_timeout("0s"),
            "`default_timeout`: a time limit cannot be shorter than a millisecond",
        ),
        (
            SchedulerLock::builder()
                .named_provider("", reports.clone())
                .default_at_most("1m"),
            "a provider's name is empty; give it one, such as `reports`",
        ),
        (
            SchedulerLock::builder()
                .named_provider("reports", reports.clone())
                .named_provider("reports", reports.clone())
                .default_at_most("1m"),
            "provider `reports` is given twice; give the other one another name",
        ),
        (
            SchedulerLock::builder()
                .provider(reports.clone())
                .provider(reports.clone())
                .default_at_most("1m"),
            "the default provider is given twice; give one of them a name by `named_provider`",
        ),
    ] {
        let message = builder.install().unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[tokio::test]
async fn the_future_is_send_when_the_body_is_and_works_when_it_is_not() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    with_provider(
        InMemoryLockProvider::new(),
        send(call::<()>(job(), async {})),
    )
    .await;
    let not_send = std::rc::Rc::new(1);
    let body = async move { Some(*not_send) };
    assert_eq!(
        with_provider(InMemoryLockProvider::new(), call(job(), body)).await,
        Some(1)
    );
}
