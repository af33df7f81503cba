//! What stands beside a lock: the position of its runs, and a holder that has not released it.

use std::time::Duration;

use shedlock_etcd::EtcdLockProvider;
use shedlock_runtime::testing::ManualClock;
use shedlock_runtime::{
    AcquireRequest, Clock as _, LockAdmin as _, LockConfiguration, LockProvider as _,
    LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_testkit::requests::{self, request, taken};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Etcd;

use super::{HOLDER, POSITION, config, node, value};

const HOUR: Duration = Duration::from_secs(3600);

/// Positions stay until an operator forgets them, and not while their lock is held.
#[tokio::test]
async fn positions_are_pruned() {
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    let step = |step| config().with_step(step).expect("a legal step");
    let first = node
        .try_lock(step(1))
        .await
        .expect("etcd answers")
        .expect("it is due");
    let prune = async |unused_for| {
        let unused_for = Duration::from_secs(unused_for);
        node.prune(unused_for).await.expect("etcd answers")
    };
    assert_eq!(prune(0).await, 0, "its lock is held");
    first.complete().await.expect("etcd answers");
    let again = node
        .lock(step(1))
        .await
        .expect("etcd answers")
        .expect_err("it was done");
    assert_eq!(again.reason, SkipReason::AlreadyRan);
    assert!(again.node.is_some(), "which node ran it: {again:?}");
    assert_eq!(prune(3600).await, 0, "it is in use");
    assert_eq!(
        node.prune_prefix("b", Duration::ZERO)
            .await
            .expect("etcd answers"),
        0
    );
    assert_eq!(prune(0).await, 1);
    assert_eq!(server.execute(&["get", "", "--prefix"]).await, "");
    assert!(
        node.try_lock(step(1))
            .await
            .expect("etcd answers")
            .is_some()
    );
}

/// The holder's key costs nothing but its bytes, and is gone with an orderly end.
#[tokio::test]
async fn a_holder_that_never_released_is_remembered_until_it_is_told_or_pruned() {
    let server = server_or_skip!(Etcd::start().await);
    let node = node(&server.url());
    let lock = taken(&node, "a").await;
    assert_ne!(value(&server, HOLDER).await, "");
    lock.unlock().await.expect("etcd answers");
    assert_eq!(value(&server, HOLDER).await, "");

    let die = async || {
        let lease = requests::take(&node, "a").await;
        for lease in server.leases().await {
            server.execute(&["lease", "revoke", &lease]).await;
        }
        lease
    };
    let dead = die().await;
    let heir = requests::take(&node, "a").await;
    let told = heir.predecessor().expect("nobody released the lock");
    assert_eq!(told.fencing_token, dead.fencing_token());
    assert_eq!(
        node.prune(Duration::ZERO).await.expect("etcd answers"),
        0,
        "it is held"
    );
    // The dead holder's late release is not the heir's.
    node.release(&dead, Duration::ZERO)
        .await
        .expect("etcd answers");
    assert_ne!(value(&server, HOLDER).await, "");
    node.release(&heir, Duration::ZERO)
        .await
        .expect("etcd answers");
    assert_eq!(value(&server, HOLDER).await, "");

    let _dead = die().await;
    assert_eq!(
        node.prune(HOUR).await.expect("etcd answers"),
        0,
        "it is young"
    );
    assert_eq!(node.prune(Duration::ZERO).await.expect("etcd answers"), 1);
    assert_eq!(server.execute(&["get", "", "--prefix"]).await, "");
    let next = node
        .acquire(&request(&node, config()))
        .await
        .expect("etcd answers");
    assert_eq!(next.granted().expect("it is free").predecessor(), None);
}

/// A node whose time of day is moved by hand.
struct Timed {
    server: Etcd,
    node: EtcdLockProvider,
    clock: ManualClock,
}

impl Timed {
    async fn new() -> Result<Self, shedlock_testkit::Unavailable> {
        let (server, clock) = (Etcd::start().await?, ManualClock::new());
        let node = EtcdLockProvider::builder_from_url(&server.url()).time_source(clock.clone());
        Ok(Self {
            node: node.build().expect("a valid URL"),
            server,
            clock,
        })
    }

    async fn taken(&self, config: LockConfiguration) -> shedlock_runtime::Lock {
        let lock = self.node.try_lock(config).await.expect("etcd answers");
        lock.expect("it may run")
    }

    fn two_hours_pass(&self) {
        self.clock.step_utc(self.clock.utc() + 2 * HOUR);
    }

    /// The leases end, as they do when nobody extends them.
    async fn all_leases_end(&self) {
        for lease in self.server.leases().await {
            self.server.execute(&["lease", "revoke", &lease]).await;
        }
    }

    /// Whether the position is there after all that has been free for an hour was deleted.
    async fn is_kept(&self) -> bool {
        self.node.prune(HOUR).await.expect("etcd answers");
        !value(&self.server, POSITION).await.is_empty()
    }
}

/// A message that comes again after a long run has failed finds its claim.
#[tokio::test]
async fn a_claim_outlives_a_run_that_is_longer_than_claims_are_kept() {
    let place = server_or_skip!(Timed::new().await);
    let claim = config()
        .with_instant_text("order-17")
        .expect("a legal text");
    let run = place.taken(claim).await;
    place.two_hours_pass();
    assert_eq!(run.unlock().await.expect("etcd answers"), Ownership::Ours);
    let forget = async || {
        let forgotten = place.node.forget_claims("a@=", HOUR).await;
        forgotten.expect("etcd answers")
    };
    assert_eq!(forget().await, 0, "its run has ended this moment");
    place.two_hours_pass();
    assert_eq!(forget().await, 1);
}

/// What counts is for how long the lock has been free, whoever had it.
#[tokio::test]
async fn a_position_is_as_old_as_its_lock_is_free() {
    let place = server_or_skip!(Timed::new().await);
    let step = || config().with_step(1).expect("a legal step");
    let run = place.taken(step()).await;
    place.two_hours_pass();
    run.unlock().await.expect("etcd answers");
    assert!(place.is_kept().await, "after a run that has failed");
    let run = place.taken(config()).await;
    place.two_hours_pass();
    run.unlock().await.expect("etcd answers");
    assert!(place.is_kept().await, "after a run of no step");

    let long = LockConfiguration::new("a", "3h").and_then(|it| it.with_step(1));
    let mut dead = place.taken(long.expect("legal")).await;
    dead.release_on_drop(false);
    place.two_hours_pass();
    place.all_leases_end().await;
    assert!(place.is_kept().await, "a holder may die late in its lease");
    let mut dead = place.taken(step()).await;
    dead.release_on_drop(false);
    dead.extend("3h", "0s").await.expect("the lease is live");
    place.two_hours_pass();
    place.all_leases_end().await;
    assert!(place.is_kept().await, "or when the lease was extended");
    let kept = LockConfiguration::new("a", "3h").and_then(|it| it.with_at_least("3h"));
    let run = place.taken(kept.expect("legal")).await;
    run.unlock().await.expect("etcd answers");
    place.two_hours_pass();
    place.all_leases_end().await;
    assert!(place.is_kept().await, "`at_least` takes the lock as well");

    place.two_hours_pass();
    assert!(!place.is_kept().await, "nobody had the lock");
    let next = place.node.lock(config().with_step(2).expect("legal")).await;
    let next = next.expect("etcd answers").expect_err("was forgotten");
    assert_eq!(next.reason, SkipReason::Gap);
}

#[tokio::test]
async fn operators_keep_a_position_until_the_lock_is_free() {
    let place = server_or_skip!(Timed::new().await);
    let run = place.taken(config().with_step(1).expect("legal")).await;
    run.complete().await.expect("etcd answers");
    let in_three_hours = || place.clock.utc() + 3 * HOUR;
    let pause = async || {
        let paused = place.node.pause("a", in_three_hours(), "upkeep").await;
        paused.expect("etcd answers");
    };
    pause().await;
    place.two_hours_pass();
    assert!(place.node.resume("a").await.expect("etcd answers"));
    assert!(place.is_kept().await, "a pause that was ended");
    pause().await;
    place.two_hours_pass();
    place.all_leases_end().await;
    assert!(place.is_kept().await, "a pause that has ended");
    place.two_hours_pass();
    let run = place.taken(config()).await;
    place.two_hours_pass();
    let released = place.node.force_release("a", "it hangs").await;
    assert!(released.expect("etcd answers"));
    assert!(place.is_kept().await, "a lock that an operator has freed");
    assert_eq!(run.unlock().await.expect("etcd answers"), Ownership::Lost);

    // All that has changed is the time.
    let again = place.node.lock(config().with_step(1).expect("legal")).await;
    let again = again.expect("etcd answers").expect_err("it was done");
    assert_eq!(again.reason, SkipReason::AlreadyRan);
}

/// Another process that has the lock's token changes the position as little as the one that began it.
#[tokio::test]
async fn another_process_keeps_a_position_until_the_lock_is_free() {
    let place = server_or_skip!(Timed::new().await);
    let step = || config().with_step(1).expect("legal");
    let request = request(&place.node, step());
    let taken = place.node.acquire(&request).await.expect("etcd answers");
    let owner = taken.granted().expect("it is free");
    let owner = owner.owner().expect("it has one").stored();
    let resumed = AcquireRequest::resumed(step(), place.clock.boot(), &owner);
    let resumed = resumed.expect("an owner").grant(None);
    place.two_hours_pass();
    let released = place.node.release(&resumed, Duration::ZERO).await;
    assert_eq!(released.expect("etcd answers"), Ownership::Ours);
    assert!(place.is_kept().await);
    let next = place.node.lock(config().with_step(2).expect("legal")).await;
    let next = next.expect("etcd answers").expect_err("it was not done");
    assert_eq!(next.reason, SkipReason::Gap);
    place
        .taken(step())
        .await
        .unlock()
        .await
        .expect("etcd answers");
}
