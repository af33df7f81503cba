//! Cases for acquisitions whose reply is lost: the task does not run, and the lock becomes free again soon.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, Lease, LockError, LockProvider, LockProviderExt as _,
    LockingTaskExecutor, Operation, Ownership, ProviderInfo, async_trait,
};

use tokio::sync::Notify;

use super::fault::StoreFault;
use super::node::Node;
use super::subject::{LONG, PATIENCE, Subject, config, fresh, soon};

/// The time limit of a call that gets no answer.
const LIMIT: Duration = Duration::from_millis(400);
/// How much longer than its time limit a call may take on a busy machine.
const LATENESS: Duration = Duration::from_secs(2);

async fn faulty(subject: &Subject) -> FaultyProvider<Arc<dyn LockProvider>> {
    let provider = subject.harness().node("one").await;
    Node::from_provider(Arc::clone(&provider)).warm_up().await;
    FaultyProvider::new(provider)
}

/// Tries to run a task that must not run, and returns the error.
async fn must_fail(provider: impl LockProvider, lock: &str, limit: Duration) -> LockError {
    let limited = config(lock, LONG, Duration::ZERO)
        .with_timeout(limit)
        .expect("a legal timeout");
    let asked = Instant::now();
    let never = async { panic!("the task ran without a lock") as () };
    let outcome = LockingTaskExecutor::new(provider)
        .execute(limited, never)
        .await;
    let took = asked.elapsed();
    assert!(
        took <= limit + LATENESS,
        "the call took {took:?} with a limit of {limit:?}"
    );
    match outcome {
        Err(error) => error,
        Ok(outcome) => panic!("there was no answer, and the call says {outcome:?}"),
    }
}

/// If the reply to an acquisition is lost, the call returns an error, and the lock that the store granted becomes free soon.
pub async fn a_lost_grant_is_given_back(subject: &Subject) {
    if subject.harness().answers_at_once() {
        return subject.not_applicable("no reply can be lost");
    }
    let (one, two) = (faulty(subject).await, subject.node("two").await);
    for (fault, limit, kind) in [
        // The store answers, so it is given the time.
        (Fault::LoseReply, PATIENCE, ErrorKind::Indeterminate),
        (Fault::HangAfter, LIMIT, ErrorKind::Timeout),
    ] {
        let lock = fresh("orphan");
        one.next(Operation::Acquire, fault);
        let error = must_fail(one.clone(), &lock, limit).await;
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.is_transient(), "asking again may help: {error:?}");
        two.seize_when_free(&lock).await;
    }
}

/// If the caller cancels an acquisition that the store has granted, the lock becomes free soon.
pub async fn a_cancelled_acquisition_leaves_nothing(subject: &Subject) {
    if subject.harness().answers_at_once() {
        return subject.not_applicable("no acquisition can be interrupted");
    }
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("cancelled");
    let deaf = Arc::new(Deaf {
        inner: Arc::clone(one.provider()),
        granted: Notify::new(),
    });
    let (asking, config) = (Arc::clone(&deaf), config(&lock, LONG, Duration::ZERO));
    let asking = tokio::spawn(async move { asking.try_lock(config).await });
    soon("the grant", deaf.granted.notified()).await;
    two.must_be_refused(&lock).await;
    asking.abort();
    two.seize_when_free(&lock).await;
}

/// A provider that never receives the answer to an acquisition.
#[derive(Debug)]
struct Deaf {
    inner: Arc<dyn LockProvider>,
    granted: Notify,
}

#[async_trait]
impl LockProvider for Deaf {
    fn info(&self) -> &ProviderInfo {
        self.inner.info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let _unheard = self.inner.acquire(request).await;
        self.granted.notify_one();
        std::future::pending().await
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.inner.extend(lease, at_most).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.inner.release(lease, keep_for).await
    }
}

/// An acquisition that is dropped at any await point leaves no lock behind, and the next acquisition works.
pub async fn an_acquisition_dropped_anywhere_leaves_nothing(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    for polls in 1..=4 {
        let lock = fresh("dropped-anywhere");
        {
            let mut asking =
                std::pin::pin!(one.provider().try_lock(config(&lock, LONG, Duration::ZERO)));
            for _ in 0..polls {
                let poll = std::future::poll_fn(|cx| {
                    std::task::Poll::Ready(asking.as_mut().poll(cx).is_ready())
                })
                .await;
                if poll {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        two.seize_when_free(&lock).await;
        one.must_be_refused(&lock).await;
        one.warm_up().await;
    }
}

/// If the store does not answer, a call fails at its time limit, and the lock can be taken once the store answers again.
pub async fn a_silent_store_is_given_up_in_time(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("silent");
    if !subject.harness().inject(StoreFault::Stall).await {
        return subject.not_applicable("the harness cannot silence the store");
    }
    let error = must_fail(Arc::clone(one.provider()), &lock, LIMIT).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert!(error.is_transient());
    subject.harness().end_faults().await;
    two.seize_when_free(&lock).await;
}

/// If the store grants a lock and the network loses the reply, the task does not run, and the lock becomes free soon.
pub async fn a_reply_lost_on_the_way_is_no_grant(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let lock = fresh("lost-reply");
    if !subject.harness().inject(StoreFault::LoseReplies).await {
        return subject.not_applicable("the harness cannot lose replies");
    }
    let error = must_fail(Arc::clone(one.provider()), &lock, LIMIT).await;
    assert!(error.kind().is_ambiguous(), "{error:?}");
    subject.harness().end_faults().await;
    two.seize_when_free(&lock).await;
    one.warm_up().await;
}
