//! A node on the JVM and a node of ours, in turn. The commands are those that the provider of ShedLock 7.9 sends.

use std::time::{Duration, SystemTime};

use mongodb::bson::{DateTime, Document, doc};
use mongodb::error::ErrorKind as Mongo;
use shedlock_mongodb::mongodb;
use shedlock_runtime::{ErrorKind, LockAdmin as _, LockProviderExt as _, SkipReason};
use tokio::time::sleep;

use super::place::Place;
use super::{HOST, JOB, config, places, try_lock};

/// A node on the JVM. All of them on one host have one name.
pub(crate) struct Jvm {
    place: Place,
    locked_at: DateTime,
    lock_until: DateTime,
    at_least: Duration,
}

impl Jvm {
    async fn find_and_modify(
        place: &Place,
        query: Document,
        set: Document,
        upsert: bool,
    ) -> Result<Option<Document>, i32> {
        let mut command = doc! {
            "findAndModify": "shedLock",
            "query": query,
            "update": { "$set": set },
            "writeConcern": { "w": "majority" },
        };
        if upsert {
            command.insert("upsert", true);
        }
        match place.database.run_command(command).await {
            Ok(answer) => Ok(answer.get_document("value").ok().cloned()),
            Err(error) => match &*error.kind {
                Mongo::Command(error) => Err(error.code),
                other => panic!("the server answers: {other}"),
            },
        }
    }

    pub(crate) async fn try_lock(
        place: &Place,
        at_most: Duration,
        at_least: Duration,
    ) -> Option<Self> {
        let now = SystemTime::now();
        let (locked_at, lock_until) = (
            DateTime::from_system_time(now),
            DateTime::from_system_time(now + at_most),
        );
        let query = doc! { "$and": [{ "_id": JOB }, { "lockUntil": { "$lte": locked_at } }] };
        let set = doc! { "lockUntil": lock_until, "lockedAt": locked_at, "lockedBy": HOST };
        match Self::find_and_modify(place, query, set, true).await {
            Ok(_old) => Some(Self {
                place: place.clone(),
                locked_at,
                lock_until,
                at_least,
            }),
            Err(11000) => None,
            Err(code) => panic!("error {code}"),
        }
    }

    async fn extend(&mut self, at_most: Duration) -> bool {
        let now = SystemTime::now();
        let until = DateTime::from_system_time(now + at_most);
        let now = DateTime::from_system_time(now);
        let query = doc! { "$and": [{ "_id": JOB }, { "lockUntil": { "$gt": now } }, { "lockedBy": HOST }] };
        let set = doc! { "lockUntil": until };
        let old = Self::find_and_modify(&self.place, query, set, false).await;
        let is_ours = old.expect("no error").is_some();
        if is_ours {
            self.lock_until = until;
        }
        is_ours
    }

    /// On condition of the name alone.
    pub(crate) async fn unlock(self) {
        let kept = self.locked_at.to_system_time() + self.at_least;
        let end = DateTime::from_system_time(kept.max(SystemTime::now()));
        let set = doc! { "lockUntil": end };
        let unlocked = Self::find_and_modify(&self.place, doc! { "_id": JOB }, set, false).await;
        unlocked.expect("no error");
    }

    async fn is_held(&self) -> bool {
        let found = self.place.get(JOB).await.expect("a document");
        found.get_str("lockedBy").is_ok_and(|by| by == HOST)
            && found
                .get_datetime("lockUntil")
                .is_ok_and(|until| *until == self.lock_until)
    }
}

const MINUTE: Duration = Duration::from_secs(60);

async fn jvm(place: &Place, at_most: Duration) -> Jvm {
    let jvm = Jvm::try_lock(place, at_most, Duration::ZERO).await;
    jvm.expect("the lock is free")
}

async fn jvm_is_refused(place: &Place) -> bool {
    Jvm::try_lock(place, MINUTE, Duration::ZERO).await.is_none()
}

#[tokio::test]
async fn a_jvm_peer_skips_while_rust_holds_and_takes_over_afterwards() {
    for place in places!() {
        let node = place.node();
        let lock = try_lock(&node, config("1m")).await.expect("is free");
        assert!(jvm_is_refused(&place).await);
        lock.unlock().await.expect("the server answers");
        let peer = jvm(&place, MINUTE).await;
        assert!(try_lock(&node, config("1m")).await.is_none());
        peer.unlock().await;

        // A lease that ended without a release.
        let lock = try_lock(&node, config("2s")).await.expect("is free");
        sleep(Duration::from_millis(2_100)).await;
        let mut peer = jvm(&place, MINUTE).await;
        drop(lock.unlock().await);
        assert!(
            peer.is_held().await,
            "a late release of ours changes nothing"
        );
        assert!(peer.extend(MINUTE * 2).await);
        assert!(try_lock(&node, config("1m")).await.is_none());
    }
}

#[tokio::test]
async fn rust_skips_while_a_jvm_peer_holds_and_takes_over_afterwards() {
    for place in places!() {
        let node = place.node();
        let peer = jvm(&place, MINUTE).await;
        let refusal = node.lock(config("1m")).await.expect("the server answers");
        let refusal = refusal.expect_err("the peer holds the lock");
        assert_eq!(refusal.node.as_deref(), Some(HOST));
        assert!(
            refusal
                .remaining
                .is_some_and(|left| left > Duration::from_secs(30))
        );
        let held = node.get(JOB).await.expect("the server answers");
        let held = held.expect("a record");
        assert!(
            held.is_held() && held.node == HOST && held.problem.is_none(),
            "{held:?}"
        );
        peer.unlock().await;
        let lock = try_lock(&node, config("1m")).await.expect("was released");
        let token = lock.fencing_token();
        lock.unlock().await.expect("the server answers");

        // A lease that ended without a release.
        let mut peer = jvm(&place, Duration::from_millis(300)).await;
        let found = place.get(JOB).await.expect("a document");
        let kept = found.get_i64("fencingToken").ok();
        assert_eq!(
            kept.and_then(|it| u64::try_from(it).ok()),
            token,
            "a JVM node leaves it"
        );
        sleep(Duration::from_millis(400)).await;
        let lock = try_lock(&node, config("1m")).await.expect("has ended");
        assert!(lock.fencing_token() > token);
        assert!(
            !peer.extend(MINUTE).await,
            "a late extension finds another owner"
        );
    }
}

#[tokio::test]
async fn both_honour_the_others_at_least() {
    for place in places!() {
        let node = place.node();
        let kept = Duration::from_secs(4);
        let peer = Jvm::try_lock(&place, MINUTE, kept).await.expect("is free");
        peer.unlock().await;
        assert!(try_lock(&node, config("1m")).await.is_none());
        sleep(Duration::from_millis(4_100)).await;

        let kept = config("1m").with_at_least("4s").expect("legal");
        let lock = try_lock(&node, kept).await.expect("at least has ended");
        lock.unlock().await.expect("the server answers");
        assert!(jvm_is_refused(&place).await);
        sleep(Duration::from_millis(4_100)).await;
        assert!(!jvm_is_refused(&place).await);
    }
}

/// The limit that the README tells: a JVM node releases on condition of the name alone.
#[tokio::test]
async fn a_late_jvm_release_frees_the_lock_and_the_holder_is_told() {
    for place in places!() {
        let node = place.node();
        let peer = jvm(&place, Duration::from_millis(300)).await;
        sleep(Duration::from_millis(400)).await;
        let mut lock = try_lock(&node, config("10s")).await.expect("has ended");
        peer.unlock().await;
        let error = lock.extend("1m", "0s").await.expect_err("the lock is free");
        assert_eq!(error.kind(), ErrorKind::Lost, "{error:?}");
        assert!(try_lock(&node, config("1m")).await.is_some());
    }
}

/// What a JVM node's run does to our fields: it leaves them. So a slot that a JVM node ran is run again by a Rust node.
#[tokio::test]
async fn a_jvm_takeover_leaves_the_position() {
    for place in places!() {
        let node = place.node();
        let step = |number| config("1m").with_step(number).expect("legal");
        let lock = try_lock(&node, step(1)).await.expect("is due");
        lock.complete().await.expect("the server answers");
        let before = place.get(JOB).await.expect("a document");
        jvm(&place, MINUTE).await.unlock().await;
        let after = place.get(JOB).await.expect("a document");
        assert_eq!(after.get("position"), before.get("position"));
        let refusal = node.lock(step(1)).await.expect("the server answers");
        assert_eq!(
            refusal.expect_err("was done").reason,
            SkipReason::AlreadyRan
        );
        assert!(try_lock(&node, step(2)).await.is_some());
    }
}
