//! What the accepted shapes do: the name each asks for, and what each returns when it may not run.

use shedlock::testing::{Fault, FaultyProvider, always_held, with_provider};
use shedlock::{
    ErrorKind, EventKind, HistoryOptions, InMemoryLockProvider, LockAdmin as _, LockError,
    LockEvent, LockProviderExt as _, Outcome, RunOutcome, RunRecord, SchedulerLock, SkipReason,
    scheduler_lock,
};
use shedlock_runtime::Operation;
use shedlock_ui_tests::scheduler_lock::{
    arguments, async_trait, bodies, generics, impl_future, methods, name_expression, name_template,
    on_skip, other_attributes, provider, return_types,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Awaits the call twice: as it is, and while somebody holds the lock of this name.
///
/// A wrong name would let the second call run as well.
macro_rules! assert_name {
    ($name:expr, $call:expr) => {{
        let memory = InMemoryLockProvider::new();
        let ran = with_provider(memory.clone(), async { $call.await }).await;
        assert_ne!(ran, Default::default(), "the call did not run");
        let skipped = with_provider(memory, always_held($name, async { $call.await })).await;
        assert_eq!(skipped, Default::default(), "`{}` is not the name", $name);
    }};
}

#[tokio::test]
async fn names_are_formatted_from_arguments() {
    let tenant = || name_template::Tenant {
        name: "acme".to_owned(),
        r#type: (1, 2),
    };
    assert_name!("sync-acme", name_template::moved("acme".to_owned()));
    assert_name!("{shard}-007-\"a\"", name_template::specified(7, "a"));
    assert_name!("acme-2", name_template::field(&tenant()));
    assert_name!("acme-2", name_template::destructured(tenant()));
    assert_name!("shard-3", name_template::const_parameter::<3>());
    assert_name!("9", name_template::raw(9));
    assert_name!("shard-4-5", name_template::constant(5));
    assert_name!("shard-007", name_template::Job::<7>.run());
    assert_name!("typed-5", generics::typed(5));
    assert_name!("first", generics::longer("first", "second"));
    assert_name!("impl-x", generics::implemented("x", async { 1 }));
    assert_name!("mutable-1", arguments::mutable(1, "y".to_owned()));
}

#[tokio::test]
async fn names_are_computed_before_the_body() {
    assert_name!("sync-acme", name_expression::formatted("ACME".to_owned()));
    assert_name!("acme", name_expression::borrowed("acme".to_owned()));
}

#[tokio::test]
async fn methods_name_their_fields() {
    let mut job = methods::Job::in_region("eu");
    assert_name!("associated", async {
        methods::Job::associated().await.map(drop)
    });
    assert_name!("by-reference-eu", job.by_reference());
    assert_name!("by-mut-eu", job.by_mut());
    assert_name!("by-value-eu", methods::Job::in_region("eu").by_value());
    let shared = Arc::new(job);
    assert_name!("by-arc-eu", Arc::clone(&shared).by_arc());
    assert_name!("by-arc-reference", shared.by_arc_reference());
}

#[tokio::test]
async fn futures_of_plain_functions_run_inside_the_lock() {
    assert_name!("opaque-4", impl_future::opaque(4));
    assert_name!("text", impl_future::aliased("text"));
}

#[tokio::test]
async fn async_trait_methods_are_locked() {
    use async_trait::Job as _;

    let job = async_trait::Nightly::in_region("eu");
    assert_name!("provided", job.provided());
    assert_name!("run-eu-2", async {
        job.run(2).await.expect("the store answers")
    });
}

#[test]
fn functions_of_tokio_main_are_locked() {
    // The body asserts its lock.
    assert_eq!(other_attributes::entry(7), Some(7));
}

#[tokio::test]
async fn attributes_above_and_below_leave_the_lock_in_place() {
    assert_name!("above", other_attributes::above(1));
    with_provider(InMemoryLockProvider::new(), async {
        assert!(other_attributes::below(1).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn bodies_return_early() {
    with_provider(InMemoryLockProvider::new(), async {
        assert_eq!(bodies::tail(0).await, None);
        assert_eq!(bodies::nested(2).await, Some(3));
        assert_eq!(bodies::nested(0).await, None);
        assert!(bodies::inferred("1,x").await.is_err());
        assert_eq!(bodies::recursive(3).await, Some(0));
        assert!(return_types::result(false).await.is_err());
        assert!(return_types::result(true).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn arguments_reach_the_body() {
    with_provider(InMemoryLockProvider::new(), async {
        let range = || arguments::Range { from: 3, to: 4 };
        let sum = arguments::destructured((1, 2), range(), &5, [6, 7], range(), 0);
        // 1 + (2 + 4) + 3 + 4 + 5 + 6
        assert_eq!(sum.await, Some(25));
        let mut values = Vec::new();
        arguments::referenced(&mut values).await;
        assert_eq!(values, [1]);
    })
    .await;
}

#[tokio::test]
async fn skipped_calls_return_the_value_of_their_type() {
    with_provider(InMemoryLockProvider::new(), async {
        always_held("option", async {
            assert_eq!(return_types::option().await, None);
        })
        .await;
        always_held("alias", async {
            assert!(matches!(return_types::alias().await, Ok(None)));
        })
        .await;
        always_held("outcome", async {
            assert_eq!(
                return_types::outcome().await,
                Outcome::Skipped(SkipReason::Held)
            );
        })
        .await;
    })
    .await;
}

/// Both are awaited, one of them fails, and neither is what the body took.
#[scheduler_lock(
    name = "awaited",
    at_most = "1m",
    on_skip = {
        let number: u32 = text.parse()?;
        tokio::task::yield_now().await;
        Ok(number.max("12".parse()?))
    },
    on_error = Err(error)?
)]
async fn awaited_result(text: String, owned: String) -> Result<u32, Box<dyn std::error::Error>> {
    Ok(owned.parse()?)
}

#[tokio::test]
async fn on_skip_sees_the_reason_and_the_arguments() {
    with_provider(InMemoryLockProvider::new(), async {
        let held = on_skip::Report::Skipped("Held".to_owned());
        always_held("reason", async {
            assert_eq!(on_skip::reason().await, held);
        })
        .await;
        always_held("both", async { assert_eq!(on_skip::both().await, held) }).await;
        always_held("alias", async {
            assert_eq!(on_skip::alias().await.expect("a skip is no error"), 0);
            let awaited = on_skip::awaited_alias().await;
            assert_eq!(awaited.expect("a skip is no error"), 0);
        })
        .await;
        always_held("argument", async {
            assert_eq!(on_skip::argument(7).await, 7);
        })
        .await;
        always_held("result", async {
            assert_eq!(on_skip::result().await.expect("a skip is no error"), 0);
        })
        .await;
        assert_eq!(on_skip::argument(7).await, 8);
        always_held("awaited", async {
            assert_eq!(
                on_skip::awaited("abc").await,
                7,
                "its length and that of `held`"
            );
            let awaited = |text: &str| awaited_result(text.to_owned(), String::new());
            assert_eq!(awaited("7").await.expect("a number"), 12);
            assert!(awaited("seven").await.is_err(), "`?` ends the call");
            assert_eq!(on_skip::awaited_error().await, None);
        })
        .await;
        assert_eq!(on_skip::awaited("abc").await, 3);
    })
    .await;
}

/// Awaits the call with a store that cannot be reached.
async fn unreachable<F: Future>(call: F) -> F::Output {
    let store = FaultyProvider::new(InMemoryLockProvider::new());
    store.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
    with_provider(store, call).await
}

#[tokio::test]
async fn store_errors_are_no_skips() {
    let failed = unreachable(on_skip::both()).await;
    assert!(matches!(failed, on_skip::Report::Failed(_)), "{failed:?}");
    assert!(unreachable(on_skip::error()).await.is_some());
    assert_eq!(
        unreachable(on_skip::awaited_error()).await.as_deref(),
        Some("12")
    );
    assert!(unreachable(on_skip::result()).await.is_err());
    assert!(unreachable(on_skip::alias()).await.is_err());
    assert!(unreachable(on_skip::awaited_alias()).await.is_err());
    assert_eq!(unreachable(on_skip::value()).await, on_skip::Answer::Failed);
    assert_eq!(unreachable(on_skip::perhaps()).await, None);
    assert!(unreachable(return_types::alias()).await.is_err());
    assert!(unreachable(return_types::boxed_error("1")).await.is_err());
    assert_eq!(unreachable(return_types::option()).await, None);
    assert_eq!(
        unreachable(return_types::outcome()).await,
        Outcome::Skipped(SkipReason::StoreError)
    );
}

#[tokio::test]
async fn on_skip_answers_a_store_error_where_the_type_has_no_place_for_it() {
    let expected = on_skip::Report::Skipped("StoreError".to_owned());
    assert_eq!(unreachable(on_skip::reason()).await, expected);
    assert_eq!(unreachable(on_skip::constant()).await, 0);
    let store_error = "store_error".len();
    assert_eq!(unreachable(on_skip::awaited("")).await, store_error);
}

#[tokio::test]
async fn nothing_registered_is_an_error_where_there_is_a_place_for_it() {
    for called in [
        on_skip::result().await,
        on_skip::alias().await,
        on_skip::awaited_alias().await,
    ] {
        let error = called.expect_err("no provider");
        assert_eq!(error.kind(), ErrorKind::NoProvider);
    }
}

#[tokio::test]
#[should_panic(expected = "enable_scheduler_lock!")]
async fn nothing_registered_panics_elsewhere() {
    on_skip::reason().await;
}

#[tokio::test]
async fn a_given_provider_keeps_the_lock() {
    let memory = InMemoryLockProvider::new();
    let config = shedlock::LockConfiguration::new("held", "1m").expect("it is valid");
    let lock = memory.try_lock(config).await.expect("the store answers");
    assert!(lock.is_some());
    let shared: Arc<dyn shedlock::LockProvider> = Arc::new(memory.clone());
    assert_eq!(provider::answer(&shared).await, None);
    drop(lock);
    assert_eq!(
        provider::concrete_answer(InMemoryLockProvider::new()).await,
        Some(42)
    );
}

mod failing {
    use super::{LockError, Outcome, scheduler_lock};
    use std::future::Future;

    type Alias = Result<Outcome<u8>, LockError>;

    fn error() -> LockError {
        LockError::new(super::ErrorKind::Other, "a failure of the job")
    }

    #[scheduler_lock(name = "fails")]
    pub(super) async fn plain() -> Result<(), LockError> {
        Err(error())
    }

    #[scheduler_lock(name = "fails")]
    pub(super) async fn by_another_name() -> Alias {
        Err(error())
    }

    #[scheduler_lock(name = "fails")]
    pub(super) async fn generic<T: Send, E: From<LockError>>(
        value: Option<T>,
    ) -> Result<Option<T>, E> {
        value.map(Some).ok_or_else(|| error().into())
    }

    #[scheduler_lock(name = "fails")]
    pub(super) async fn part_unnamed() -> Result<Option<impl Send>, LockError> {
        if true { Err(error()) } else { Ok(Some(1)) }
    }

    #[scheduler_lock(name = "fails")]
    pub(super) fn future() -> impl Future<Output = Result<(), LockError>> {
        async { Err(error()) }
    }

    #[scheduler_lock(name = "fails")]
    pub(super) async fn in_an_outcome(fails: bool) -> Outcome<Result<u8, LockError>> {
        Outcome::Executed(if fails { Err(error()) } else { Ok(1) })
    }

    #[scheduler_lock(name = "fails")]
    pub(super) async fn in_an_option(fails: bool) -> Option<Result<u8, Mute>> {
        fails.then_some(Err(Mute))
    }

    /// An error that cannot be shown to people.
    #[derive(Debug)]
    pub(super) struct Mute;

    impl From<LockError> for Mute {
        fn from(_error: LockError) -> Self {
            Self
        }
    }

    #[scheduler_lock(name = "fails")]
    pub(super) async fn without_a_text() -> Result<(), Mute> {
        Err(Mute)
    }

    #[scheduler_lock(name = "fails", on_skip = value)]
    pub(super) async fn of_any_type<T: Copy + Send>(value: T) -> T {
        value
    }
}

/// Held by a test that runs the functions of `failing`: each listener hears of the runs of all tests.
static FAILING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn a_result_says_whether_the_run_has_failed() {
    let _alone = FAILING.lock().await;
    let (tell, told) = std::sync::mpsc::channel();
    let listening = SchedulerLock::listen(move |event: &LockEvent| {
        if event.lock.as_str() == "fails"
            && let EventKind::Finished { outcome, .. } = &event.kind
        {
            let _ = tell.send(*outcome);
        }
    })
    .unwrap();
    with_provider(InMemoryLockProvider::new(), async {
        failing::plain().await.unwrap_err();
        failing::by_another_name().await.unwrap_err();
        failing::generic::<u8, LockError>(None).await.unwrap_err();
        failing::part_unnamed().await.map(drop).unwrap_err();
        failing::future().await.unwrap_err();
        let in_an_outcome = failing::in_an_outcome(true).await;
        in_an_outcome.executed().unwrap().unwrap_err();
        failing::in_an_option(true).await.unwrap().unwrap_err();
        failing::generic::<u8, LockError>(Some(1)).await.unwrap();
        let in_an_outcome = failing::in_an_outcome(false).await;
        in_an_outcome.executed().unwrap().unwrap();
        assert!(failing::in_an_option(false).await.is_none());
        // What stands for a type that is not known there is not looked into.
        failing::of_any_type(Err::<(), ()>(())).await.unwrap_err();
    })
    .await;
    let wait = std::time::Duration::from_secs(10);
    let found: Vec<_> = (0..11).map(|_| told.recv_timeout(wait).unwrap()).collect();
    let (failed, completed) = (RunOutcome::Failed, RunOutcome::Completed);
    assert_eq!(found[..7], [failed; 7]);
    assert_eq!(found[7..], [completed; 4]);
    drop(listening);
}

#[tokio::test]
async fn the_text_of_an_error_is_in_the_history() {
    let _alone = FAILING.lock().await;
    let memory = InMemoryLockProvider::new().with_history(HistoryOptions::new());
    with_provider(memory.clone(), async {
        failing::plain().await.unwrap_err();
        failing::by_another_name().await.unwrap_err();
        assert!(failing::without_a_text().await.is_err());
        assert!(failing::in_an_outcome(true).await.was_executed());
        // What is not known to have a text there has none.
        failing::generic::<u8, LockError>(None).await.unwrap_err();
    })
    .await;
    let ever = SystemTime::UNIX_EPOCH..SystemTime::now() + Duration::from_hours(24);
    let mut runs = Vec::new();
    // An entry is written in the background.
    while runs.len() < 5 {
        tokio::task::yield_now().await;
        runs = memory.history("fails", ever.clone()).await.unwrap();
    }
    let text = |run: &RunRecord| run.error.clone().unwrap_or_default();
    let mut texts: Vec<_> = runs.iter().map(text).collect();
    texts.sort();
    let told = "a failure of the job";
    assert_eq!(texts, ["", "", told, told, told]);
}
