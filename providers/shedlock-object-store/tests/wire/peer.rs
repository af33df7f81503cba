//! ShedLock 7 on the JVM with S3, request by request.

use std::time::{Duration, SystemTime};

use shedlock_object_store::object_store::{GetOptions, PutMode, UpdateVersion};
use shedlock_runtime::parse_timestamp;
use shedlock_testkit::requests::jvm_now;

use crate::instant;
use crate::place::Place;

const HOST: &str = "jvm-host";

/// A lock that a node on the JVM holds.
pub(crate) struct Peer<'a> {
    place: &'a Place,
    lock: &'a str,
    at_least: SystemTime,
}

/// What the answer to HEAD tells.
struct Head {
    lock_until: SystemTime,
    locked_at: String,
    locked_by: String,
    version: UpdateVersion,
}

async fn head(place: &Place, lock: &str) -> Option<Head> {
    let options = GetOptions::new().with_head(true);
    let got = place.raw().get_opts(&place.key(lock), options).await.ok()?;
    let text = |name: &'static str| {
        let name = shedlock_object_store::object_store::Attribute::Metadata(name.into());
        got.attributes.get(&name).expect("metadata").to_string()
    };
    Some(Head {
        lock_until: parse_timestamp(&text("lock-until")).expect("a time"),
        locked_at: text("locked-at"),
        locked_by: text("locked-by"),
        version: UpdateVersion {
            e_tag: got.meta.e_tag.clone(),
            version: got.meta.version.clone(),
        },
    })
}

impl<'a> Peer<'a> {
    pub(crate) async fn try_lock(
        place: &'a Place,
        lock: &'a str,
        at_most: Duration,
        at_least: Duration,
    ) -> Option<Self> {
        let now = jvm_now();
        let peer = Self {
            place,
            lock,
            at_least: now + at_least,
        };
        let mode = match head(place, lock).await {
            None => PutMode::Create,
            Some(head) if head.lock_until <= now => PutMode::Update(head.version),
            Some(_) => return None,
        };
        let taken = peer.put(now + at_most, &instant(now), HOST, mode).await;
        taken.then_some(peer)
    }

    /// Whether the lock is still this host's.
    pub(crate) async fn extend(&mut self, at_most: Duration) -> bool {
        let now = jvm_now();
        let Some(_exists) = head(self.place, self.lock).await else {
            return false;
        };
        match head(self.place, self.lock).await {
            Some(head) if head.locked_by == HOST && head.lock_until > now => {
                let mode = PutMode::Update(head.version);
                self.put(now + at_most, &head.locked_at, &head.locked_by, mode)
                    .await
            }
            _ => false,
        }
    }

    /// Whether it has changed anything. It does not look at the owner.
    pub(crate) async fn unlock(self) -> bool {
        let Some(_exists) = head(self.place, self.lock).await else {
            return false;
        };
        let Some(head) = head(self.place, self.lock).await else {
            return false;
        };
        let until = self.at_least.max(jvm_now());
        let mode = PutMode::Update(head.version);
        self.put(until, &head.locked_at, &head.locked_by, mode)
            .await
    }

    async fn put(&self, until: SystemTime, at: &str, by: &str, mode: PutMode) -> bool {
        let body: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
        let metadata = [
            ("lock-until", instant(until)),
            ("locked-at", at.to_owned()),
            ("locked-by", by.to_owned()),
        ];
        self.place.put(self.lock, &body, &metadata, mode).await
    }
}
