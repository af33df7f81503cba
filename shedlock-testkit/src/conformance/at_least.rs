//! Cases for `at_least`: the lock stays taken for that long after the acquisition, no matter how its holder ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, Lock, LockError, LockProvider, LockProviderExt as _,
    LockingTaskExecutor, Ownership, ProviderInfo, async_trait,
};

use super::node::Node;
use super::subject::{LONG, Subject, assert_kept, config, fresh, soon};

/// One lock whose holder ends before `at_least` has passed.
struct Early {
    one: Node,
    two: Node,
    lock: String,
    at_least: Duration,
    asked: Instant,
}

impl Early {
    async fn new(subject: &Subject) -> Self {
        let (one, two) = subject.two_nodes().await;
        Self {
            one,
            two,
            lock: fresh("at-least"),
            at_least: subject.short() * 2,
            asked: Instant::now(),
        }
    }

    async fn guard(&self, at_most: Duration) -> Lock {
        self.one.lock(&self.lock, at_most, self.at_least).await
    }

    /// Asserts that the lock is granted again, and not before `at_least` has passed.
    async fn assert_kept(self) {
        let next = self.two.seize_within(&self.lock, self.at_least).await;
        assert_kept(self.asked, self.at_least, &next);
        self.two.release(&next).await;
        self.one.must_be_free(&self.lock).await;
    }

    fn executor(&self) -> LockingTaskExecutor {
        LockingTaskExecutor::new(Arc::clone(self.one.provider()))
    }
}

/// The lock stays taken for `at_least` after a release right after the acquisition.
pub async fn holds_after_a_release(subject: &Subject) {
    let early = Early::new(subject).await;
    let held = early.one.seize_for(&early.lock, LONG, early.at_least).await;
    early.one.release(&held).await;
    early.assert_kept().await;
}

/// The lock stays taken for `at_least` after the task returned.
pub async fn holds_after_a_return(subject: &Subject) {
    let early = Early::new(subject).await;
    let outcome = early
        .executor()
        .execute(config(&early.lock, LONG, early.at_least), async { 7 })
        .await;
    assert_eq!(
        outcome.ok().and_then(shedlock_runtime::Outcome::executed),
        Some(7)
    );
    early.assert_kept().await;
}

/// The lock stays taken for `at_least` after the task returned an error, which the executor treats as any other value.
pub async fn holds_after_an_error(subject: &Subject) {
    let early = Early::new(subject).await;
    let task = async { Err::<(), _>("the task's own error") };
    let outcome = early
        .executor()
        .execute(config(&early.lock, LONG, early.at_least), task)
        .await;
    assert_eq!(
        outcome.ok().and_then(shedlock_runtime::Outcome::executed),
        Some(Err("the task's own error"))
    );
    early.assert_kept().await;
}

/// The lock stays taken for `at_least` after the task panicked.
pub async fn holds_after_a_panic(subject: &Subject) {
    let early = Early::new(subject).await;
    let (executor, config) = (early.executor(), config(&early.lock, LONG, early.at_least));
    let task = tokio::spawn(async move {
        executor
            .execute(config, async {
                std::panic::resume_unwind(Box::new("panic"));
            })
            .await
    });
    assert!(
        task.await.is_err_and(|error| error.is_panic()),
        "the panic goes on to the caller"
    );
    early.assert_kept().await;
}

/// The lock stays taken for `at_least` after the running task was dropped.
pub async fn holds_after_a_dropped_task(subject: &Subject) {
    let early = Early::new(subject).await;
    let (executor, config) = (early.executor(), config(&early.lock, LONG, early.at_least));
    let (running, runs) = tokio::sync::oneshot::channel();
    let body = async move {
        // The case waits at the other end.
        let _sent = running.send(());
        std::future::pending::<()>().await;
    };
    let task = tokio::spawn(async move { executor.execute(config, body).await });
    let _runs = soon("the start of the task", runs).await;
    task.abort();
    early.assert_kept().await;
}

/// The lock stays taken for `at_least` after the guard was dropped.
pub async fn holds_after_a_dropped_guard(subject: &Subject) {
    let early = Early::new(subject).await;
    drop(early.guard(LONG).await);
    early.assert_kept().await;
}

/// An extension with a shorter `at_least` does not shorten the `at_least` of the acquisition.
pub async fn survives_an_extension(subject: &Subject) {
    let early = Early::new(subject).await;
    let mut guard = early.guard(LONG).await;
    guard
        .extend(LONG, Duration::ZERO)
        .await
        .expect("a live lease can be extended");
    guard.unlock().await.expect("the store answers");
    early.assert_kept().await;
}

/// An extension can lengthen `at_least`, counted from the extension.
pub async fn can_be_extended(subject: &Subject) {
    let mut early = Early::new(subject).await;
    let at_least = std::mem::take(&mut early.at_least);
    let mut guard = early.guard(LONG).await;
    // Time has passed, so that counting from the acquisition shows.
    super::subject::until(Instant::now() + subject.short()).await;
    (early.at_least, early.asked) = (at_least, Instant::now());
    guard
        .extend(LONG, at_least)
        .await
        .expect("a live lease can be extended");
    guard.unlock().await.expect("the store answers");
    early.assert_kept().await;
}

/// An extension can lengthen `at_least` after a slow reply to the acquisition, when the store counts from earlier than the holder.
pub async fn can_be_extended_after_a_slow_reply(subject: &Subject) {
    let mut early = Early::new(subject).await;
    let (lock, at_least) = (early.lock.clone(), early.at_least);
    let slow: Arc<dyn LockProvider> = Arc::new(SlowReply(Arc::clone(early.one.provider())));
    let guard = slow.try_lock(config(&lock, LONG, Duration::ZERO)).await;
    let mut guard = guard.ok().flatten().expect("the lock is free");
    early.asked = Instant::now();
    guard
        .extend(LONG, at_least)
        .await
        .expect("a live lease can be extended");
    guard.unlock().await.expect("the store answers");
    early.assert_kept().await;
}

/// A provider whose answers to acquisitions arrive late.
#[derive(Debug)]
struct SlowReply(Arc<dyn LockProvider>);

#[async_trait]
impl LockProvider for SlowReply {
    fn info(&self) -> &ProviderInfo {
        self.0.info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let answer = self.0.acquire(request).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        answer
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.0.extend(lease, at_most).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.0.release(lease, keep_for).await
    }
}

/// If `at_least` is longer than `at_most`, a run that ended keeps the lock for `at_least`.
pub async fn may_be_longer_than_at_most(subject: &Subject) {
    let mut early = Early::new(subject).await;
    early.at_least = subject.roomy() * 2;
    let guard = early.guard(subject.roomy()).await;
    guard.unlock().await.expect("the store answers");
    early.assert_kept().await;
}

/// If the holder crashes, the lock becomes free after `at_most`, even if `at_least` is longer.
pub async fn does_not_outlive_a_crash(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("at-least-crash");
    let held = one.seize_for(&lock, subject.short(), LONG).await;
    let next = two.seize_within(&lock, subject.short()).await;
    assert_kept(held.asked, subject.short(), &next);
}

/// If the run took longer than `at_least`, its release frees the lock at once.
pub async fn is_over_after_a_long_run(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("at-least-long-run");
    let held = one.seize_for(&lock, LONG, subject.short()).await;
    super::subject::until(
        held.answered + subject.short() + subject.slack() + Duration::from_millis(20),
    )
    .await;
    two.must_be_refused(&lock).await;
    one.release(&held).await;
    two.must_be_free(&lock).await;
}
