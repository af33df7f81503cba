//! Requests that arrive late, asked at the provider itself: `Lease::replica` numbers what it asks by itself, as the copy of a
//! request does that is still on its way: what is late is the first request's second copy. So SQLite has them, too, whose files may be slow as a network is.

use std::time::Duration;

use shedlock_runtime::{
    AcquireRequest, Lease, LockConfiguration, LockProvider as _, Ownership, SkipReason,
};
use shedlock_sqlx::SqlxLockProvider;

use crate::place::{Place, Via};
use crate::support::{
    Night, WORKS, end_of, in_time, keep_for, left_of, once, refused, request, take, until,
};

on_databases! {
    an_extension_after_a_longer_one on sqlite postgres mysql;
    an_extension_after_a_shorter_one on sqlite postgres mysql;
    an_extension_after_a_release on sqlite postgres mysql;
    an_extension_after_a_release_with_at_least on sqlite postgres mysql;
    an_extension_after_an_heir on sqlite postgres mysql;
    a_release_after_an_extension on sqlite postgres mysql;
    a_release_after_its_retry on sqlite postgres mysql;
    a_release_with_at_least_after_it_is_over on sqlite postgres mysql;
    a_release_after_an_heir on sqlite postgres mysql;
    an_acquisition_after_an_extension on sqlite postgres mysql;
    an_acquisition_after_a_release on sqlite postgres mysql;
    an_acquisition_after_a_release_with_at_least on sqlite postgres mysql;
    an_acquisition_after_an_heir on sqlite postgres mysql;
    the_same_request_twice on sqlite postgres mysql;
}

const NAME: &str = "late";
const SHORT: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_mins(10);

/// A node, and a lease that it holds.
struct Held<DB: Night> {
    place: Place<DB>,
    node: SqlxLockProvider<DB>,
    request: AcquireRequest,
    lease: Lease,
}

impl<DB: Night> Held<DB> {
    async fn new(place: Place<DB>, at_most: Duration, at_least: Duration) -> Self {
        let node = place.provider(Via::Url);
        let config = LockConfiguration::new(NAME, at_most);
        let config = config.and_then(|config| config.with_at_least(at_least));
        let request = request(&node, config.expect("legal"));
        let granted = in_time(node.acquire(&request)).await;
        let lease = granted.expect("an answer").granted();
        let lease = lease.expect("it is free");
        Self {
            place,
            node,
            request,
            lease,
        }
    }

    async fn extend(&self, by: Duration) {
        let extended = in_time(self.node.extend(&self.lease, by)).await;
        assert_eq!(extended.expect("an answer"), Ownership::Ours);
    }

    async fn release(&self) {
        let released = in_time(
            self.node
                .release(&self.lease, keep_for(&self.node, &self.lease)),
        )
        .await;
        assert_eq!(released.expect("an answer"), Ownership::Ours);
    }

    async fn end(&self) -> i64 {
        end_of(&self.place.pool, NAME).await.expect("a row")
    }

    /// What is late, whatever its answer, leaves the end of the lease where it is.
    async fn changes_nothing<T>(&self, late: impl Future<Output = T>) {
        let before = self.end().await;
        drop(in_time(late).await);
        let moved = self.end().await - before;
        // What is said twice may be reckoned twice, and rounded.
        assert!(moved.abs() < 5_000, "the end moved by {moved} microseconds");
    }

    async fn is_free(&self) {
        let other = self.place.provider(Via::Url);
        assert_eq!(once(&other, NAME).await, WORKS, "nobody holds it");
    }
}

async fn an_extension_after_a_longer_one<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, SHORT, Duration::ZERO).await;
    let late = held.lease.replica();
    held.extend(SHORT).await;
    held.extend(LONG).await;
    held.changes_nothing(held.node.extend(&late, SHORT)).await;
    held.release().await;
    held.is_free().await;
}

async fn an_extension_after_a_shorter_one<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, LONG, Duration::ZERO).await;
    let late = held.lease.replica();
    held.extend(LONG).await;
    held.extend(SHORT).await;
    held.changes_nothing(held.node.extend(&late, LONG)).await;
    held.release().await;
    held.is_free().await;
}

async fn an_extension_after_a_release<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, LONG, Duration::ZERO).await;
    let late = held.lease.replica();
    held.extend(LONG).await;
    held.release().await;
    held.changes_nothing(held.node.extend(&late, LONG)).await;
    held.is_free().await;
}

async fn an_extension_after_a_release_with_at_least<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, LONG, SHORT).await;
    let late = held.lease.replica();
    held.extend(LONG).await;
    held.release().await;
    assert!(left_of(&held.place.pool, NAME).await > 0, "`at_least`");
    held.changes_nothing(held.node.extend(&late, LONG)).await;
}

async fn an_extension_after_an_heir<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, LONG, Duration::ZERO).await;
    let late = held.lease.replica();
    held.extend(LONG).await;
    held.release().await;
    let _heir = take(&held.place.provider(Via::Url), NAME).await;
    held.changes_nothing(held.node.extend(&late, LONG)).await;
    let extended = in_time(held.node.extend(&held.lease, LONG)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Lost);
}

/// No holder extends what it has given back; a copy of it may have been asked before.
async fn a_release_after_an_extension<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, SHORT, Duration::ZERO).await;
    let late = held.lease.replica();
    held.extend(SHORT).await;
    held.extend(LONG).await;
    held.changes_nothing(held.node.release(&late, keep_for(&held.node, &late)))
        .await;
    let other = held.place.provider(Via::Url);
    assert_eq!(refused(&other, NAME).await.reason, SkipReason::Held);
    held.release().await;
    held.is_free().await;
}

async fn a_release_after_its_retry<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, LONG, SHORT).await;
    let late = held.lease.replica();
    held.release().await;
    held.changes_nothing(held.node.release(&late, keep_for(&held.node, &late)))
        .await;
}

async fn a_release_with_at_least_after_it_is_over<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, LONG, Duration::from_millis(600)).await;
    let late = held.lease.replica();
    // Sent early, with a good part of `at_least` to go.
    let early = held.lease.replica();
    held.release().await;
    let over = async || left_of(&held.place.pool, NAME).await < 0;
    until("`at_least` is over", over).await;
    for (late, keep_for) in [(&late, keep_for(&held.node, &late)), (&early, LONG)] {
        drop(in_time(held.node.release(late, keep_for)).await);
        assert!(left_of(&held.place.pool, NAME).await <= 0, "it is locked");
    }
    held.is_free().await;
}

async fn a_release_after_an_heir<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, LONG, Duration::ZERO).await;
    let late = held.lease.replica();
    held.release().await;
    let _heir = take(&held.place.provider(Via::Url), NAME).await;
    held.changes_nothing(held.node.release(&late, keep_for(&held.node, &late)))
        .await;
}

async fn an_acquisition_after_an_extension<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, SHORT, Duration::ZERO).await;
    held.extend(LONG).await;
    held.changes_nothing(held.node.acquire(&held.request)).await;
    held.release().await;
    held.is_free().await;
}

async fn an_acquisition_after_a_release<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, LONG, Duration::ZERO).await;
    held.release().await;
    drop(in_time(held.node.acquire(&held.request)).await);
    held.is_free().await;
}

async fn an_acquisition_after_a_release_with_at_least<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, LONG, SHORT).await;
    held.release().await;
    held.changes_nothing(held.node.acquire(&held.request)).await;
}

async fn an_acquisition_after_an_heir<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, LONG, Duration::ZERO).await;
    held.release().await;
    let other = held.place.provider(Via::Url);
    let heir = take(&other, NAME).await;
    held.changes_nothing(held.node.acquire(&held.request)).await;
    let released = in_time(other.release(&heir, keep_for(&other, &heir))).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
    held.is_free().await;
}

/// Whoever asks the very same again after a lost answer hears that it is done.
async fn the_same_request_twice<DB: Night>(place: Place<DB>) {
    let held = Held::new(place, SHORT, Duration::ZERO).await;
    let again = in_time(held.node.acquire(&held.request)).await;
    let again = again.expect("an answer").granted();
    let again = again.expect("it is our own");
    assert!(again.fencing_token() >= held.lease.fencing_token());
    let copy = held.lease.replica();
    held.extend(LONG).await;
    let extended = in_time(held.node.extend(&copy, LONG)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Ours);
    let copy = held.lease.replica();
    held.release().await;
    let released = in_time(held.node.release(&copy, keep_for(&held.node, &copy))).await;
    assert_eq!(released.expect("an answer"), Ownership::Ours);
    held.is_free().await;
}
