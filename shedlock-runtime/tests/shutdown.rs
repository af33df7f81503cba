//! A shutdown ends the locked work of the whole process, so these tests have a program of their own and take turns.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    ErrorKind, EventKind, InMemoryLockProvider, LockAdmin as _, LockConfiguration, LockEvent,
    LockProviderExt as _, LockingTaskExecutor, OnLost, Operation, Outcome, SchedulerLock,
    ShutdownPolicy, SkipReason, lock,
};
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

#[path = "shutdown/ended.rs"]
mod ended;
#[path = "shutdown/guards.rs"]
mod guards;

static TURN: Mutex<()> = Mutex::const_new(());
/// What every step here takes at most on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);
/// What takes no time has been done by then on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// A process that takes locks, in memory.
async fn process() -> (
    InMemoryLockProvider,
    LockingTaskExecutor,
    MutexGuard<'static, ()>,
) {
    let turn = TURN.lock().await;
    let provider = InMemoryLockProvider::new();
    let builder = SchedulerLock::builder().provider(provider.clone());
    builder.default_at_most("10m").install().unwrap();
    (provider.clone(), LockingTaskExecutor::new(provider), turn)
}

fn config(name: &str) -> LockConfiguration {
    LockConfiguration::new(name, "10m").unwrap()
}

/// Starts a body that never ends by itself, and waits until it runs.
async fn start(
    executor: &LockingTaskExecutor,
    config: LockConfiguration,
) -> JoinHandle<Result<Outcome<()>, ErrorKind>> {
    let (executor, (started, running)) = (executor.clone(), oneshot::channel());
    let task = tokio::spawn(async move {
        let body = async {
            started.send(()).unwrap();
            pending::<()>().await;
        };
        executor
            .execute(config, body)
            .await
            .map_err(|error| error.kind())
    });
    running.await.unwrap();
    task
}

/// What a body that was started returns.
async fn over<T>(task: JoinHandle<T>) -> T {
    let over = timeout(LIMIT, task).await;
    over.expect("it ends").expect("it does not panic")
}

async fn taken(provider: &InMemoryLockProvider) -> Vec<String> {
    let locks = provider.list().await.unwrap().into_iter();
    locks
        .filter(shedlock_runtime::LockInfo::is_held)
        .map(|lock| lock.name)
        .collect()
}

#[tokio::test]
async fn cancelling_ends_every_body_and_gives_every_lock_back_at_once() {
    let (provider, executor, _turn) = process().await;
    let mut bodies = Vec::new();
    for n in 0..50 {
        let config = config(&format!("body-{n}"));
        bodies.push(start(&executor, config.with_on_lost(OnLost::Notify)).await);
    }
    for n in 0..50 {
        let config = config(&format!("kept-{n}")).with_keep_alive().unwrap();
        bodies.push(start(&executor, config).await);
    }
    assert_eq!(taken(&provider).await.len(), 100);
    let begun = Instant::now();
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert!(begun.elapsed() < SOON);
    assert_eq!((report.cancelled, report.abandoned), (100, vec![]));
    assert_eq!(report.left, 0);
    assert_eq!(taken(&provider).await, Vec::<String>::new());
    for body in bodies {
        assert_eq!(over(body).await, Err(ErrorKind::ShutDown));
    }
}

#[tokio::test]
async fn no_new_locks_are_taken_until_the_next_install() {
    let (provider, executor, _turn) = process().await;
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!((report.cancelled, report.abandoned), (0, vec![]));
    let skipped = executor.execute(config("job"), async {}).await.unwrap();
    assert_eq!(skipped, Outcome::Skipped(SkipReason::ShuttingDown));
    assert!(provider.try_lock(config("job")).await.unwrap().is_none());
    let begun = Instant::now();
    let waiting = config("job").with_wait("1m").unwrap();
    let skipped = executor.execute(waiting, async {}).await.unwrap();
    assert_eq!(skipped, Outcome::Skipped(SkipReason::ShuttingDown));
    assert!(begun.elapsed() < LIMIT, "it does not wait for better times");
    let builder = SchedulerLock::builder().provider(provider);
    builder.default_at_most("10m").install().unwrap();
    let ran = executor.execute(config("job"), async {}).await.unwrap();
    assert!(ran.was_executed());
}

#[tokio::test]
async fn awaiting_lets_bodies_end_and_cancels_those_that_do_not() {
    let (provider, executor, _turn) = process().await;
    let finished = Arc::new(AtomicBool::new(false));
    let short = tokio::spawn({
        let (executor, finished) = (executor.clone(), Arc::clone(&finished));
        async move {
            let body = async {
                sleep(Duration::from_millis(300)).await;
                assert!(lock::is_held(), "it keeps its lock meanwhile");
                finished.store(true, Ordering::SeqCst);
            };
            executor.execute(config("short"), body).await.unwrap()
        }
    });
    let endless = start(&executor, config("endless")).await;
    let a_while = ShutdownPolicy::Await(Duration::from_secs(3));
    let report = SchedulerLock::shutdown(a_while).await;
    assert!(finished.load(Ordering::SeqCst));
    assert!(over(short).await.was_executed());
    assert_eq!(over(endless).await, Err(ErrorKind::ShutDown));
    assert_eq!((report.cancelled, report.abandoned), (1, vec![]));
    assert_eq!(taken(&provider).await, Vec::<String>::new());
}

#[tokio::test]
async fn awaiting_ends_with_the_last_body() {
    let (_provider, executor, _turn) = process().await;
    let body = start(&executor, config("body")).await;
    let begun = Instant::now();
    let an_hour = ShutdownPolicy::Await(Duration::from_secs(3600));
    let shutdown = tokio::spawn(SchedulerLock::shutdown(an_hour));
    sleep(Duration::from_millis(50)).await;
    body.abort();
    let report = over(shutdown).await;
    assert!(begun.elapsed() < LIMIT);
    assert_eq!(report.cancelled, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_blocks_keeps_its_lock_and_is_reported() {
    let (provider, executor, _turn) = process().await;
    let may_end = Arc::new(AtomicBool::new(false));
    let (started, running) = oneshot::channel();
    let blocks = tokio::spawn({
        let (executor, may_end) = (executor.clone(), Arc::clone(&may_end));
        async move {
            let body = async {
                tokio::task::yield_now().await;
                started.send(()).unwrap();
                while !may_end.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            };
            executor.execute(config("blocks"), body).await
        }
    });
    running.await.unwrap();
    let begun = Instant::now();
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert!(begun.elapsed() < SOON);
    let abandoned: Vec<_> = report.abandoned.iter().map(ToString::to_string).collect();
    assert_eq!((abandoned, report.left), (vec!["blocks".to_owned()], 1));
    assert_eq!(
        taken(&provider).await,
        ["blocks"],
        "nobody may run beside it"
    );
    may_end.store(true, Ordering::SeqCst);
    drop(over(blocks).await);
    assert_eq!(taken(&provider).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_first_waits_after_the_shutdown_ends_there() {
    let (provider, executor, _turn) = process().await;
    let may_wait = Arc::new(AtomicBool::new(false));
    let (started, running) = oneshot::channel();
    let late = tokio::spawn({
        let (executor, may_wait) = (executor.clone(), Arc::clone(&may_wait));
        async move {
            let body = async {
                started.send(()).unwrap();
                while !may_wait.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                pending::<()>().await;
            };
            let ended = executor.execute(config("late"), body).await;
            ended.unwrap_err().kind()
        }
    });
    running.await.unwrap();
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!((report.left, taken(&provider).await.len()), (1, 1));
    may_wait.store(true, Ordering::SeqCst);
    assert_eq!(over(late).await, ErrorKind::ShutDown);
    assert_eq!(taken(&provider).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_store_that_hangs_does_not_hold_the_shutdown_up() {
    let (memory, _executor, _turn) = process().await;
    let provider = FaultyProvider::new(memory);
    for _ in 0..10 {
        provider.next(Operation::Release, Fault::Hang);
    }
    let executor = LockingTaskExecutor::new(provider);
    let body = start(&executor, config("body")).await;
    let begun = Instant::now();
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert!(begun.elapsed() < SOON);
    assert_eq!(report.cancelled, 1);
    let abandoned: Vec<_> = report.abandoned.iter().map(ToString::to_string).collect();
    assert_eq!(abandoned, ["body"]);
    body.abort();
}

#[tokio::test]
async fn an_acquisition_that_is_answered_during_the_shutdown_runs_nothing() {
    let (memory, _executor, _turn) = process().await;
    let provider = FaultyProvider::new(memory.clone());
    provider.next(
        Operation::Acquire,
        Fault::DelayReply(Duration::from_millis(200)),
    );
    let executor = LockingTaskExecutor::new(provider.clone());
    let slot = config("late").with_at_least("5m").unwrap();
    let slot = slot.with_once_per("1d").unwrap();
    let late = slot.clone();
    let call = tokio::spawn(async move {
        executor
            .execute(late, async { panic!("the process is ending") })
            .await
    });
    while provider.calls(Operation::Acquire) == 0 {
        tokio::task::yield_now().await;
    }
    let report = SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!(report.abandoned, vec![]);
    assert_eq!(taken(&memory).await, Vec::<String>::new());
    let outcome: Outcome<()> = over(call).await.unwrap();
    assert_eq!(outcome, Outcome::Skipped(SkipReason::ShuttingDown));
    // `at_least` and the slot are about a run, and there was none: another process runs the job.
    let builder = SchedulerLock::builder().provider(memory.clone());
    builder.default_at_most("10m").install().unwrap();
    assert!(memory.try_lock(slot).await.unwrap().is_some());
}

#[tokio::test]
async fn a_body_that_goes_on_without_its_lock_ends_too() {
    let (provider, executor, _turn) = process().await;
    let config = config("job").with_keep_alive_every("300ms").unwrap();
    let body = start(&executor, config.with_on_lost(OnLost::Notify)).await;
    provider.force_release("job", "by hand").await.unwrap();
    sleep(Duration::from_millis(700)).await;
    assert!(!body.is_finished(), "with notify it goes on");
    SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!(over(body).await, Err(ErrorKind::ShutDown));
}

#[tokio::test]
async fn listeners_hear_the_last_events() {
    let (_provider, executor, _turn) = process().await;
    let heard = Arc::new(AtomicUsize::new(0));
    let listening = SchedulerLock::listen({
        let heard = Arc::clone(&heard);
        move |event: &LockEvent| {
            std::thread::sleep(Duration::from_millis(1));
            if matches!(event.kind, EventKind::Released { .. }) {
                heard.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let listening = listening.unwrap();
    let mut bodies = Vec::new();
    for n in 0..10 {
        bodies.push(start(&executor, config(&format!("job-{n}"))).await);
    }
    SchedulerLock::shutdown(ShutdownPolicy::Cancel).await;
    assert_eq!(heard.load(Ordering::SeqCst), 10);
    drop((listening, bodies));
}
