//! Requests that arrive late: held back between the program and the server, and delivered after others that were sent
//! later, even though their client has left.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, LockConfiguration, LockProvider as _, LockProviderExt as _,
    LockingTaskExecutor, Outcome, Ownership, lock,
};
use shedlock_testkit::proxy::{LateRequest, Trigger};

use crate::asking::{WORKS, in_time, keep_for, once, request, take, until};
use crate::place::{Place, Via};

tests! {
    acquire_after_an_extension
    acquire_after_its_own_release
    acquire_after_its_own_release_with_at_least
    acquire_after_a_release_and_an_heir
    extend_after_a_longer_extension
    extend_after_a_release_with_at_least
    extend_after_a_release_and_an_heir
    release_after_its_retry_and_an_heir
    release_with_at_least_after_it_is_over
    a_kept_alive_extension_after_one_by_hand
    two_extensions_by_hand
}

/// In the request on the wire, whichever statement it is of.
const NAME: &str = "late-job";
/// So long a client waits for what is held back, once it has sent it.
const GIVES_UP: Duration = Duration::from_millis(400);
const SHORT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(600);

/// A node whose requests can be held back.
struct Late<'a> {
    place: &'a Place,
    node: PostgresLockProvider,
    other: PostgresLockProvider,
    held: Mutex<Vec<LateRequest>>,
}

impl<'a> Late<'a> {
    async fn new(place: &'a Place, via: Via) -> Self {
        let node = place.provider(via).await;
        // Its statements are prepared, so that each of them is one message from now on.
        let lease = take(&node, NAME).await;
        let extended = in_time(node.extend(&lease, SHORT)).await;
        assert_eq!(extended.expect("an answer"), Ownership::Ours);
        let released = in_time(node.release(&lease, keep_for(&node, &lease))).await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
        Self {
            place,
            node,
            other: place.provider_past_proxy(),
            held: Mutex::default(),
        }
    }

    fn hold(&self) {
        let late = self.place.proxy.hold_back(Trigger::containing(NAME));
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.push(late);
    }

    async fn sent(&self) {
        let held = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *held)
        };
        for late in &held {
            in_time(late.sent()).await;
        }
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// Delivers what was held back, even if its client has left, and waits for what the server makes of it.
    async fn deliver(&self) {
        let held = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *held)
        };
        for late in held {
            let _answered = in_time(late.deliver()).await;
        }
    }

    /// Asks, and gives up when what was asked hangs on its way.
    async fn hangs<T>(&self, asked: impl Future<Output = T>) {
        self.hold();
        // A provider may ask again by itself, on another connection.
        let asks = async {
            drop(asked.await);
            std::future::pending::<()>().await;
        };
        let gives_up = async {
            self.sent().await;
            tokio::time::sleep(GIVES_UP).await;
        };
        tokio::select! {
            () = asks => {}
            () = gives_up => {}
        }
    }

    async fn acquire(&self, request: &AcquireRequest) -> Lease {
        match in_time(self.node.acquire(request)).await {
            Ok(Acquisition::Granted(lease)) => lease,
            other => panic!("it is free, or our own: {other:?}"),
        }
    }

    async fn extend(&self, lease: &Lease, by: Duration) {
        let extended = in_time(self.node.extend(lease, by)).await;
        assert_eq!(extended.expect("an answer"), Ownership::Ours);
    }

    async fn release(&self, lease: &Lease) {
        let released = in_time(self.node.release(lease, keep_for(&self.node, lease))).await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
    }

    fn request(&self, at_most: Duration, at_least: Duration) -> AcquireRequest {
        let config = LockConfiguration::new(NAME, at_most).and_then(|config| {
            let config = config.with_at_least(at_least)?;
            config.with_timeout("5s")
        });
        request(&self.node, config.expect("a legal configuration"))
    }

    /// Delivers what was held back, which must change nothing.
    async fn late_changes_nothing(&self) {
        let before = self.place.end_of(NAME).await.expect("a row");
        self.deliver().await;
        let after = self.place.end_of(NAME).await.expect("a row");
        assert_eq!(after - before, 0, "microseconds by which the end moved");
    }
}

/// On a connection of its own, and on a pool's.
async fn both(place: Place, test: impl AsyncFn(&Late<'_>)) {
    for via in Via::REPLACING {
        test(&Late::new(&place, *via).await).await;
        place.execute("DELETE FROM shedlock").await;
    }
}

async fn acquire_after_an_extension(place: Place) {
    both(place, async |late| {
        let request = late.request(SHORT, Duration::ZERO);
        late.hangs(late.node.acquire(&request)).await;
        let lease = late.acquire(&request).await;
        late.extend(&lease, LONG).await;
        late.late_changes_nothing().await;
        late.release(&lease).await;
    })
    .await;
}

async fn acquire_after_its_own_release(place: Place) {
    both(place, async |late| {
        let request = late.request(SHORT, Duration::ZERO);
        late.hangs(late.node.acquire(&request)).await;
        let lease = late.acquire(&request).await;
        late.release(&lease).await;
        late.deliver().await;
        assert_eq!(once(&late.other, NAME).await, WORKS, "nobody holds it");
    })
    .await;
}

async fn acquire_after_its_own_release_with_at_least(place: Place) {
    both(place, async |late| {
        let request = late.request(LONG, SHORT);
        late.hangs(late.node.acquire(&request)).await;
        let lease = late.acquire(&request).await;
        late.release(&lease).await;
        assert!(late.place.left_of(NAME).await > 0, "`at_least`");
        late.late_changes_nothing().await;
    })
    .await;
}

async fn acquire_after_a_release_and_an_heir(place: Place) {
    both(place, async |late| {
        let request = late.request(SHORT, Duration::ZERO);
        late.hangs(late.node.acquire(&request)).await;
        let lease = late.acquire(&request).await;
        late.release(&lease).await;
        let heir = take(&late.other, NAME).await;
        late.late_changes_nothing().await;
        let released = late.other.release(&heir, Duration::ZERO).await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
        assert_eq!(once(&late.other, NAME).await, WORKS, "nobody holds it");
    })
    .await;
}

async fn extend_after_a_longer_extension(place: Place) {
    both(place, async |late| {
        let lease = late.acquire(&late.request(SHORT, Duration::ZERO)).await;
        late.hangs(late.node.extend(&lease, SHORT)).await;
        late.extend(&lease, LONG).await;
        late.late_changes_nothing().await;
        late.release(&lease).await;
    })
    .await;
}

async fn extend_after_a_release_with_at_least(place: Place) {
    both(place, async |late| {
        let lease = late.acquire(&late.request(SHORT, SHORT)).await;
        late.hangs(late.node.extend(&lease, LONG)).await;
        late.release(&lease).await;
        assert!(late.place.left_of(NAME).await > 0, "`at_least`");
        late.late_changes_nothing().await;
    })
    .await;
}

async fn extend_after_a_release_and_an_heir(place: Place) {
    both(place, async |late| {
        let lease = late.acquire(&late.request(SHORT, Duration::ZERO)).await;
        late.hangs(late.node.extend(&lease, LONG)).await;
        late.release(&lease).await;
        let _heir = take(&late.other, NAME).await;
        late.late_changes_nothing().await;
    })
    .await;
}

async fn release_after_its_retry_and_an_heir(place: Place) {
    both(place, async |late| {
        let lease = late.acquire(&late.request(SHORT, Duration::ZERO)).await;
        late.hangs(late.node.release(&lease, keep_for(&late.node, &lease)))
            .await;
        late.release(&lease).await;
        let _heir = take(&late.other, NAME).await;
        late.late_changes_nothing().await;
    })
    .await;
}

/// It must not lock the free record again.
async fn release_with_at_least_after_it_is_over(place: Place) {
    both(place, async |late| {
        let at_least = Duration::from_millis(3_500);
        let lease = late.acquire(&late.request(SHORT, at_least)).await;
        late.hangs(late.node.release(&lease, keep_for(&late.node, &lease)))
            .await;
        late.release(&lease).await;
        let over = async || late.place.left_of(NAME).await < 0;
        until("`at_least` is over", over).await;
        late.deliver().await;
        assert_eq!(once(&late.other, NAME).await, WORKS, "nobody holds it");
    })
    .await;
}

/// What the holder counts is never later than what the database keeps.
async fn counts_no_longer(late: &Late<'_>, remaining: impl FnOnce() -> Option<Duration>) {
    let left = late.place.left_of(NAME).await;
    // After the database was asked, so with no more left, except for the steps of its clock.
    let counted = remaining().unwrap_or_default().as_millis();
    assert!(
        counted <= u128::try_from(left + 10).unwrap_or_default(),
        "the holder counts {counted} ms, the database keeps {left} ms"
    );
}

async fn a_kept_alive_extension_after_one_by_hand(place: Place) {
    both(place, async |late| {
        // Half of it is left for the extension by hand, on a machine with much else to do.
        let config = LockConfiguration::new(NAME, "6s").and_then(|config| {
            let config = config.with_keep_alive()?;
            config.with_timeout("5s")
        });
        let body = async {
            late.hold();
            late.sent().await;
            // To an end that the one on its way would move.
            in_time(lock::extend("12s", "0s")).await.expect("extended");
            late.deliver().await;
            counts_no_longer(late, lock::remaining).await;
        };
        let executor = LockingTaskExecutor::new(late.node.clone());
        let ran = in_time(executor.execute(config.expect("legal"), body)).await;
        assert!(matches!(ran, Ok(Outcome::Executed(()))), "{ran:?}");
    })
    .await;
}

async fn two_extensions_by_hand(place: Place) {
    both(place, async |late| {
        let config = LockConfiguration::new(NAME, SHORT).expect("legal");
        let asked = in_time(late.node.try_lock(config)).await;
        let mut lock = asked.expect("an answer").expect("it is free");
        late.hangs(lock.extend("3s", "0s")).await;
        in_time(lock.extend(LONG, "0s")).await.expect("extended");
        late.deliver().await;
        counts_no_longer(late, || lock.remaining()).await;
        in_time(lock.unlock()).await.expect("an answer");
    })
    .await;
}
