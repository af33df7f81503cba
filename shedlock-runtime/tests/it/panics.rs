//! What panics somewhere else harms neither a task's result nor the process.

use std::cell::RefCell;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use shedlock_runtime::testing::{Fault, FaultyProvider};
use shedlock_runtime::{
    AcquireRequest, Acquisition, ErrorKind, InMemoryLockProvider, Lease, LockConfiguration,
    LockError, LockProvider, LockProviderExt as _, LockingTaskExecutor, Operation, Ownership,
    ProviderInfo, async_trait,
};
use tokio::time::sleep;

/// A driver with a bug: its first call of one kind panics.
#[derive(Debug, Clone)]
struct Buggy {
    store: FaultyProvider<InMemoryLockProvider>,
    operation: Operation,
}

impl Buggy {
    fn in_its(operation: Operation) -> Self {
        let store = FaultyProvider::new(InMemoryLockProvider::new());
        Self { store, operation }
    }

    fn panic_first(&self, operation: Operation) {
        let first = self.store.calls(operation) == 1;
        assert!(self.operation != operation || !first, "a driver panics");
    }
}

#[async_trait]
impl LockProvider for Buggy {
    fn info(&self) -> &ProviderInfo {
        self.store.info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let answer = self.store.acquire(request).await;
        self.panic_first(Operation::Acquire);
        answer
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let answer = self.store.extend(lease, at_most).await;
        self.panic_first(Operation::Extend);
        answer
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        if self.store.calls(Operation::Release) == 0 {
            // Counted, and not carried out.
            let fail = Fault::Fail(ErrorKind::Other);
            self.store.next(Operation::Release, fail);
        }
        let answer = self.store.release(lease, keep_for).await;
        self.panic_first(Operation::Release);
        answer
    }
}

fn config() -> LockConfiguration {
    LockConfiguration::new("job", "10s").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_release_that_panics_changes_no_result_and_is_tried_again() {
    let provider = Buggy::in_its(Operation::Release);
    let executor = LockingTaskExecutor::new(provider.clone());
    let outcome = executor.execute(config(), async { 7 }).await.unwrap();
    assert_eq!(outcome.executed(), Some(7));
    sleep(Duration::from_secs(1)).await;
    assert!(provider.try_lock(config()).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_extension_that_panics_is_tried_again() {
    let provider = Buggy::in_its(Operation::Extend);
    let executor = LockingTaskExecutor::new(provider.clone());
    let kept = config().with_keep_alive().unwrap();
    let body = sleep(Duration::from_secs(60));
    assert!(executor.execute(kept, body).await.unwrap().was_executed());
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_that_panics_is_one_without_an_answer() {
    let provider = Buggy::in_its(Operation::Acquire);
    let executor = LockingTaskExecutor::new(provider);
    let error = executor.execute(config(), async {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert_eq!(
        error.to_string(),
        "failed to acquire lock `job` in memory: the provider panicked before it answered"
    );
}

type Call = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    static LEFT: RefCell<Option<Call>> = const { RefCell::new(None) };
}

#[tokio::test]
async fn a_call_that_ends_with_its_thread_ends_no_process() {
    let provider = InMemoryLockProvider::new();
    let executor = LockingTaskExecutor::new(provider.clone());
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::spawn(move || {
        let _runtime = runtime.enter();
        // Made first, so that it is dropped last: after the task-locals of this thread.
        LEFT.with_borrow_mut(|left| {
            let mut call: Call = Box::pin(async move {
                let body = std::future::pending::<()>();
                drop(executor.execute(config(), body).await);
            });
            assert!(call.as_mut().now_or_never().is_none());
            *left = Some(call);
        });
    });
    thread.join().unwrap();
    while provider.try_lock(config()).await.unwrap().is_none() {
        sleep(Duration::from_millis(1)).await;
    }
}
