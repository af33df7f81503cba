//! No answer is not a grant, and what the store granted all the same is taken back.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use shedlock_runtime::testing::{Fault, FaultyProvider, InMemoryRecordStore};
use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, ErrorKind, Lease, LockConfiguration, LockError,
    LockProvider, LockProviderExt as _, LockingTaskExecutor, Operation, Ownership, ProviderInfo,
    RecordLockProvider, Refusal, TokioClock, async_trait,
};

pub(crate) type Store = FaultyProvider<RecordLockProvider<InMemoryRecordStore>>;

pub(crate) fn store() -> (Store, RecordLockProvider<InMemoryRecordStore>) {
    let info = ProviderInfo::new("records")
        .with_clock(TokioClock)
        // Times are kept as they are.
        .with_capabilities(Capabilities::new().with_grain(Duration::from_nanos(1)));
    let records = RecordLockProvider::new(info, InMemoryRecordStore::new());
    (FaultyProvider::new(records.clone()), records)
}

fn config() -> LockConfiguration {
    LockConfiguration::new("job", "10m").unwrap()
}

/// Waits, in paused time, until somebody else can have the lock, and says how long that took.
async fn free_after(records: &RecordLockProvider<InMemoryRecordStore>) -> Duration {
    let start = tokio::time::Instant::now();
    let lock = loop {
        match records.try_lock(config()).await.unwrap() {
            Some(lock) => break lock,
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let elapsed = start.elapsed();
    lock.unlock().await.unwrap();
    elapsed
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_an_error_and_the_orphan_is_cleared() {
    let (faulty, records) = store();
    faulty.next(Operation::Acquire, Fault::LoseReply);
    let error = faulty.try_lock(config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert!(free_after(&records).await < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_is_a_timeout_and_the_orphan_is_cleared() {
    let (faulty, records) = store();
    faulty.next(Operation::Acquire, Fault::HangAfter);
    let start = tokio::time::Instant::now();
    let error = faulty.try_lock(config()).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(5), "the default limit");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.to_string(),
        "failed to acquire lock `job` in records: no answer within 5s"
    );
    assert!(free_after(&records).await < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_is_cancelled_while_asking_leaves_no_orphan() {
    let (faulty, records) = store();
    faulty.next(Operation::Acquire, Fault::HangAfter);
    let asking = faulty.try_lock(config());
    assert!(
        tokio::time::timeout(Duration::from_secs(1), asking)
            .await
            .is_err()
    );
    assert!(free_after(&records).await < Duration::from_secs(1));
}

#[tokio::test]
async fn an_acquisition_that_a_thread_without_a_runtime_drops_leaves_no_orphan() {
    let (faulty, records) = store();
    faulty.next(Operation::Acquire, Fault::HangAfter);
    let mut asking = Box::pin(async move { faulty.try_lock(config()).await });
    while records.store().all().is_empty() {
        std::future::poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx).is_ready())).await;
        tokio::task::yield_now().await;
    }
    let elsewhere = std::thread::spawn(move || drop(asking));
    elsewhere.join().unwrap();
    let free = tokio::time::timeout(Duration::from_secs(20), free_after(&records));
    free.await.expect("the runtime on which it began lives");
}

/// Refuses each request after a request without an answer, and keeps the request, so that the test delivers that request late.
#[derive(Debug)]
struct Doubtful {
    records: RecordLockProvider<InMemoryRecordStore>,
    asked: std::sync::Mutex<Option<AcquireRequest>>,
    says_so: bool,
}

#[async_trait]
impl LockProvider for Doubtful {
    fn info(&self) -> &ProviderInfo {
        self.records.info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        // It has reached the store.
        request.write(self.info())?;
        *self.asked.lock().unwrap() = Some(request.clone());
        let refusal = Refusal::held();
        Ok(Acquisition::Refused(if self.says_so {
            refusal.after_a_request_without_answer()
        } else {
            refusal
        }))
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.records.extend(lease, at_most).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.records.release(lease, keep_for).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_request_is_granted_after_a_refusal_is_given_back() {
    for (says_so, longest) in [(true, 10), (false, 600)] {
        let (_, records) = store();
        let doubtful = Arc::new(Doubtful {
            records: records.clone(),
            asked: std::sync::Mutex::default(),
            says_so,
        });
        let refused = Arc::clone(&doubtful).try_lock(config()).await.unwrap();
        assert!(refused.is_none());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let request = doubtful.asked.lock().unwrap().take().unwrap();
        let late = records.acquire(&request).await.unwrap();
        assert!(matches!(late, Acquisition::Granted(_)));
        let free_after = free_after(&records).await;
        // Nobody looks where nothing was said.
        let range = Duration::from_secs(longest / 2)..=Duration::from_secs(longest);
        assert!(if says_so {
            free_after < *range.end()
        } else {
            range.contains(&free_after)
        });
    }
}

#[tokio::test(start_paused = true)]
async fn an_orphan_is_looked_for_through_failures_until_its_lease_would_end() {
    let (faulty, records) = store();
    faulty.next(Operation::Acquire, Fault::LoseReply);
    for _ in 0..6 {
        faulty.next(Operation::Release, Fault::Fail(ErrorKind::Unavailable));
    }
    faulty.try_lock(config()).await.unwrap_err();
    assert!(free_after(&records).await < Duration::from_secs(60));
    assert_eq!(faulty.calls(Operation::Release), 7);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_arrives_after_the_caller_gave_up_is_taken_back_too() {
    let (faulty, records) = store();
    faulty.next(
        Operation::Acquire,
        Fault::DeliverLate(Duration::from_secs(60)),
    );
    let error = faulty.try_lock(config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(
        faulty.calls(Operation::Release) > 3,
        "the search goes on while the request may be under way"
    );
    while records.store().all().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let cleared = free_after(&records).await;
    assert!(
        cleared < Duration::from_secs(11),
        "as long as the search pauses between two looks: {cleared:?}"
    );
    tokio::time::sleep(Duration::from_secs(60)).await;
    let looks = faulty.calls(Operation::Release);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(
        faulty.calls(Operation::Release),
        looks,
        "found, so the search is over"
    );
}

#[tokio::test(start_paused = true)]
async fn the_search_for_an_orphan_that_never_was_ends_with_its_lease() {
    let (faulty, _records) = store();
    faulty.next(Operation::Acquire, Fault::Hang);
    faulty.try_lock(config()).await.unwrap_err();
    // The store was never reached, so no owner was made and nothing is looked for.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(faulty.calls(Operation::Release), 0);
    faulty.next(
        Operation::Acquire,
        Fault::DeliverLate(Duration::from_secs(6_000)),
    );
    faulty.try_lock(config()).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(610)).await;
    let looks = faulty.calls(Operation::Release);
    assert!(looks > 50);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(faulty.calls(Operation::Release), looks);
}

#[tokio::test(start_paused = true)]
async fn the_search_for_an_orphan_asks_no_more_often_for_a_longer_lease() {
    let (faulty, _records) = store();
    let day = 24 * 60 * 60;
    let never = Fault::DeliverLate(Duration::from_secs(2 * day));
    faulty.next(Operation::Acquire, never);
    let config = LockConfiguration::new("job", Duration::from_secs(day)).unwrap();
    faulty.try_lock(config).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(day)).await;
    let looks = faulty.calls(Operation::Release);
    assert!((60..200).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_never_reached_needs_no_search() {
    let (faulty, _records) = store();
    faulty.next(Operation::Acquire, Fault::Fail(ErrorKind::Unavailable));
    faulty.try_lock(config()).await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(faulty.calls(Operation::Release), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_the_lease_is_no_grant() {
    let (faulty, records) = store();
    faulty.next(Operation::Acquire, Fault::Delay(Duration::from_secs(2)));
    let config = LockConfiguration::new("job", "1s").unwrap();
    let error = faulty.try_lock(config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(free_after(&records).await < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_extension_to_an_earlier_end_counts() {
    let (faulty, _records) = store();
    let mut lock = faulty.try_lock(config()).await.unwrap().unwrap();
    faulty.next(Operation::Extend, Fault::LoseReply);
    assert_eq!(
        lock.extend("2s", "0s").await.unwrap_err().kind(),
        ErrorKind::Indeterminate
    );
    assert!(
        lock.remaining().unwrap() <= Duration::from_secs(2),
        "the store may have shortened the lease"
    );
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_extension_to_a_later_end_does_not_count() {
    let (faulty, _records) = store();
    let mut lock = faulty.try_lock(config()).await.unwrap().unwrap();
    faulty.next(Operation::Extend, Fault::LoseReply);
    lock.extend("1h", "0s").await.unwrap_err();
    assert!(
        lock.remaining().unwrap() <= Duration::from_secs(600),
        "only a confirmed extension counts"
    );
    lock.extend("1h", "0s").await.unwrap();
    assert!(lock.remaining().unwrap() > Duration::from_secs(3599));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_at_any_of_its_awaits_leaves_the_lock_free() {
    let mut ended = false;
    let mut polls = 0;
    while !ended {
        let (_faulty, records) = store();
        let executor = LockingTaskExecutor::new(records.clone());
        let mut call = Box::pin(executor.execute(config(), tokio::task::yield_now()));
        for _ in 0..polls {
            ended = std::future::poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx)))
                .await
                .is_ready();
        }
        drop(call);
        assert!(
            free_after(&records).await < Duration::from_secs(1),
            "dropped after {polls} polls"
        );
        // Whatever was handed to the background has an end, and changes nothing for the next holder.
        let next = records.try_lock(config()).await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert!(records.try_lock(config()).await.unwrap().is_none());
        drop(next);
        polls += 1;
    }
    assert!(polls > 6, "{polls}");
}
