//! Cases for releases: a lock is given back no matter how its holder ended, and a failed release does not change the task's result.

use std::sync::Arc;
use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{ErrorKind, LockProviderExt as _, LockingTaskExecutor, Operation, Outcome};

use super::node::Node;
use super::subject::{LONG, Subject, config, fresh, soon};

fn executor(node: &Node) -> LockingTaskExecutor {
    LockingTaskExecutor::new(Arc::clone(node.provider()))
}

/// The lock is free after the task returned.
pub async fn after_a_return(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("return");
    let inside = async {
        two.must_be_refused(&lock).await;
        7
    };
    let outcome = executor(&one)
        .execute(config(&lock, LONG, Duration::ZERO), inside)
        .await;
    assert_eq!(outcome.ok().and_then(Outcome::executed), Some(7));
    two.must_be_free(&lock).await;
}

/// The task of a call that finds the lock held does not run.
pub async fn a_second_call_does_not_run(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("skip");
    let held = one.seize(&lock, LONG).await;
    let outcome = executor(&two)
        .execute(config(&lock, LONG, Duration::ZERO), async {
            panic!("it ran");
        })
        .await;
    assert!(
        matches!(
            outcome,
            Ok(Outcome::Skipped(shedlock_runtime::SkipReason::Held))
        ),
        "{outcome:?}"
    );
    one.must_be_refused(&lock).await;
    one.release(&held).await;
}

/// The lock is free after the task returned an error, which the executor treats as any other value.
pub async fn after_an_error(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("error");
    let task = async { Err::<(), _>("the task's own error") };
    let outcome = executor(&one)
        .execute(config(&lock, LONG, Duration::ZERO), task)
        .await;
    assert_eq!(
        outcome.ok().and_then(Outcome::executed),
        Some(Err("the task's own error"))
    );
    two.must_be_free(&lock).await;
}

/// The lock is free after the task panicked, and the panic reaches the caller unchanged.
pub async fn after_a_panic(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("panic");
    let (executor, config) = (executor(&one), config(&lock, LONG, Duration::ZERO));
    let body = async { std::panic::resume_unwind(Box::new("the task's own panic")) as () };
    let panic = match tokio::spawn(async move { executor.execute(config, body).await }).await {
        Err(error) => error.into_panic(),
        Ok(outcome) => panic!("the panic was swallowed: {outcome:?}"),
    };
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the task's own panic"));
    two.seize_when_free(&lock).await;
}

/// The lock becomes free soon after the running task was dropped.
pub async fn after_a_dropped_task(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("dropped");
    let (executor, config) = (executor(&one), config(&lock, LONG, Duration::ZERO));
    let (running, runs) = tokio::sync::oneshot::channel();
    let body = async move {
        // The case waits at the other end.
        let _sent = running.send(());
        std::future::pending::<()>().await;
    };
    let task = tokio::spawn(async move { executor.execute(config, body).await });
    let _runs = soon("the start of the task", runs).await;
    two.must_be_refused(&lock).await;
    task.abort();
    two.seize_when_free(&lock).await;
}

/// The lock becomes free soon after the guard was dropped.
pub async fn after_a_dropped_guard(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("dropped-guard");
    drop(one.lock(&lock, LONG, Duration::ZERO).await);
    two.seize_when_free(&lock).await;
}

/// The lock becomes free soon after the guard was dropped on a thread without an async runtime.
pub async fn after_a_guard_dropped_elsewhere(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("dropped-elsewhere");
    let guard = one.lock(&lock, LONG, Duration::ZERO).await;
    std::thread::spawn(move || drop(guard))
        .join()
        .unwrap_or_else(|_panic| panic!("dropping the guard panicked"));
    two.seize_when_free(&lock).await;
}

/// The lock stays taken until its lease ends if the guard was dropped after `release_on_drop(false)`.
pub async fn not_when_told_to_keep_it(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("kept");
    let asked = std::time::Instant::now();
    let mut guard = one.lock(&lock, subject.roomy(), Duration::ZERO).await;
    guard.release_on_drop(false);
    drop(guard);
    let next = two.seize_within(&lock, subject.roomy()).await;
    super::subject::assert_kept(asked, subject.roomy(), &next);
}

/// A release that fails is tried again in the background, and the call returns the task's own result.
pub async fn a_failure_keeps_the_result_and_is_tried_again(subject: &Subject) {
    let two = subject.node("two").await;
    for fault in [Fault::Fail(ErrorKind::Unavailable), Fault::LoseReply] {
        let faulty = FaultyProvider::new(subject.harness().node("one").await);
        let lock = fresh("release-fails");
        faulty.next(Operation::Release, fault);
        let executor = LockingTaskExecutor::new(faulty.clone());
        let outcome = executor
            .execute(config(&lock, LONG, Duration::ZERO), async { 7 })
            .await;
        assert_eq!(
            outcome.ok().and_then(Outcome::executed),
            Some(7),
            "{fault:?}"
        );
        two.seize_when_free(&lock).await;
    }
}

/// After the reply to an extension was lost, the guard still holds the old lease, and the lease can be extended again.
pub async fn a_lost_extension_can_be_repeated(subject: &Subject) {
    let two = subject.node("two").await;
    let faulty = FaultyProvider::new(subject.harness().node("one").await);
    let lock = fresh("extension-lost");
    let guard = faulty.try_lock(config(&lock, LONG, Duration::ZERO)).await;
    let mut guard = guard.ok().flatten().expect("the lock is free");
    faulty.next(Operation::Extend, Fault::LoseReply);
    assert!(guard.extend(LONG, Duration::ZERO).await.is_err());
    assert!(guard.is_held(), "the old lease lives");
    two.must_be_refused(&lock).await;
    guard
        .extend(LONG, Duration::ZERO)
        .await
        .expect("a live lease can be extended");
    guard.unlock().await.expect("the store answers");
    two.must_be_free(&lock).await;
}
