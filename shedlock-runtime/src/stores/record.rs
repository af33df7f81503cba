//! The seam for stores that compare and swap: read a record, write it if nobody else has.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::seam::info::ProviderInfo;
use crate::values::error::LockError;
use crate::values::owner::Owner;
use crate::values::position::Position;

mod encoding;
#[cfg(feature = "json")]
mod json;
mod operator;
mod provider;

pub use encoding::NameEncoding;
pub use provider::RecordLockProvider;

/// How many records of a list are read at the same time.
const READS_AT_ONCE: usize = 16;

/// A store that can read a record, write it on condition that it is unchanged, delete it likewise, and list names.
///
/// These four make a whole provider: [`RecordLockProvider`] does the rest, operators included.
///
/// A lease ends by the store's clock if [`read`](Self::read) brings the store's time, and by the client's UTC clock otherwise, as with
/// JVM nodes in such stores. The provider declares which, by [`Capabilities::with_expiry`](crate::Capabilities::with_expiry).
///
/// # Cancel safety
///
/// As for [`LockProvider`](crate::LockProvider).
///
/// # Examples
///
/// A map in one process, whose records have revisions:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shedlock_runtime::LockError> {
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
///
/// use shedlock_runtime::{
///     LockAdmin as _, LockConfiguration, LockError, LockProviderExt as _, LockRecord, ProviderInfo, RecordLockProvider, RecordStore,
///     Snapshot, Written, async_trait,
/// };
///
/// #[derive(Debug, Default)]
/// struct Map(Mutex<BTreeMap<String, (LockRecord, u64)>>);
///
/// #[async_trait]
/// impl RecordStore for Map {
///     type Version = u64;
///
///     async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
///         Ok(match self.0.lock().unwrap().get(name) {
///             Some((record, revision)) => Snapshot::record(record.clone(), *revision),
///             None => Snapshot::absent(),
///         })
///     }
///
///     async fn write(&self, name: &str, record: &LockRecord, expected: Option<&u64>) -> Result<Written<u64>, LockError> {
///         let mut map = self.0.lock().unwrap();
///         if map.get(name).map(|(_, revision)| revision) != expected {
///             return Ok(Written::Conflict);
///         }
///         let revision = expected.map_or(1, |revision| revision + 1);
///         map.insert(name.to_owned(), (record.clone(), revision));
///         Ok(Written::Done(revision))
///     }
///
///     async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
///         let mut map = self.0.lock().unwrap();
///         if map.get(name).map(|(_, revision)| revision) != Some(expected) {
///             return Ok(Written::Conflict);
///         }
///         map.remove(name);
///         Ok(Written::Done(()))
///     }
///
///     async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
///         let map = self.0.lock().unwrap();
///         Ok(map.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
///     }
/// }
///
/// let provider = RecordLockProvider::new(ProviderInfo::new("map"), Map::default());
/// let _lock = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?.expect("is free");
/// assert!(provider.get("mail").await?.expect("has a record").is_held());
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait RecordStore: fmt::Debug + Send + Sync + 'static {
    /// What tells one state of a record from another: an `ETag`, a revision, a generation. It is never printed.
    type Version: Clone + Send + Sync + 'static;

    /// The record of the lock `name`, with what it takes to replace it.
    async fn read(&self, name: &str) -> Result<Snapshot<Self::Version>, LockError>;

    /// Writes `record` if the stored one, or what its [deletion left](Snapshot::deleted), still has version `expected`; or if there is none
    /// and `expected` is `None`.
    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&Self::Version>,
    ) -> Result<Written<Self::Version>, LockError>;

    /// Deletes the record of the lock `name` if it still has version `expected`. One that is gone already is a conflict.
    ///
    /// A record that is made anew must not get a version that an earlier record of this name had: a write on its way that
    /// expects that version would take the lock from its holder.
    async fn delete(&self, name: &str, expected: &Self::Version) -> Result<Written<()>, LockError>;

    /// The names of all locks that have a record and begin with `prefix`, in any order.
    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError>;

    /// All records whose names begin with `prefix`, in any order; by default each is read by itself, some at the same time. A store
    /// that lists records with their contents should do it here.
    async fn list(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, Snapshot<Self::Version>)>, LockError> {
        let names = self.names(prefix).await?;
        stream::iter(names)
            .map(|name| async move {
                let snapshot = self.read(&name).await?;
                Ok((name, snapshot))
            })
            .buffer_unordered(READS_AT_ONCE)
            .try_collect()
            .await
    }

    /// The number in `version`, in a store whose versions are numbers that grow for ever, also when a record is deleted and made anew.
    /// The number of the write that took a lock is its fencing token then. By default a store has no such numbers, and the fencing token
    /// is a number in the record.
    fn revision(&self, _version: &Self::Version) -> Option<u64> {
        None
    }
}

/// What a store keeps of a lock.
///
/// `Debug` shows the holder's node, and not its secret.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use shedlock_runtime::LockRecord;
///
/// let locked_at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
/// let record = LockRecord::new(locked_at + Duration::from_secs(60), locked_at, "web-2".to_owned(), 33);
/// assert_eq!(record.fencing_token, 33);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockRecord {
    /// When the lock is free again.
    pub lock_until: SystemTime,
    /// When it was taken.
    pub locked_at: SystemTime,
    /// By whom, as stored: it contains the owner's secret.
    pub locked_by: String,
    /// The fencing token; zero where the store or a JVM node keeps none.
    pub fencing_token: u64,
    /// Which run of the lock was begun last, where that was asked for.
    pub position: Option<Position>,
}

impl LockRecord {
    /// A record with these fields.
    #[must_use]
    pub fn new(
        lock_until: SystemTime,
        locked_at: SystemTime,
        locked_by: String,
        fencing_token: u64,
    ) -> Self {
        Self {
            lock_until,
            locked_at,
            locked_by,
            fencing_token,
            position: None,
        }
    }

    /// How long the lock stays taken after `now`, by the clock of the record's times; zero if it is free.
    #[must_use]
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.lock_until.duration_since(now).unwrap_or_default()
    }
}

impl fmt::Debug for LockRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockRecord")
            .field("lock_until", &self.lock_until)
            .field("locked_at", &self.locked_at)
            .field("locked_by", &Owner::node_of(&self.locked_by))
            .field("fencing_token", &self.fencing_token)
            .field("position", &self.position)
            .finish()
    }
}

/// What a read has found, and when.
///
/// # Examples
///
/// ```
/// use std::time::SystemTime;
///
/// use shedlock_runtime::Snapshot;
///
/// // There is no record, and the store's answer told the time.
/// let snapshot: Snapshot<u64> = Snapshot::absent().at(SystemTime::now());
/// # let _ = snapshot;
/// ```
#[derive(Clone)]
pub struct Snapshot<V> {
    found: Found<V>,
    now: Option<SystemTime>,
}

#[derive(Clone)]
enum Found<V> {
    /// There is no record; the version of what its deletion left, where that leaves something.
    Absent(Option<V>),
    Record(LockRecord, V),
    Unreadable(String),
}

impl<V> Snapshot<V> {
    /// The lock has no record.
    #[must_use]
    pub fn absent() -> Self {
        Self::from_found(Found::Absent(None))
    }

    /// The lock has no record, but its deletion has left something in this version, which the next [`write`](RecordStore::write) is to
    /// replace.
    #[must_use]
    pub fn deleted(version: V) -> Self {
        Self::from_found(Found::Absent(Some(version)))
    }

    /// The lock has this record in this version.
    #[must_use]
    pub fn record(record: LockRecord, version: V) -> Self {
        Self::from_found(Found::Record(record, version))
    }

    /// What lies under the lock's key is no record of a lock: `problem` says why, as a lower-case fragment without a full stop. The lock
    /// is not granted, operators see the problem, and nothing changes what lies there.
    #[must_use]
    pub fn unreadable(problem: impl Into<String>) -> Self {
        Self::from_found(Found::Unreadable(problem.into()))
    }

    /// Adds the store's time of day when it read, which then decides whether leases have ended.
    #[must_use]
    pub fn at(mut self, now: SystemTime) -> Self {
        self.now = Some(now);
        self
    }

    fn from_found(found: Found<V>) -> Self {
        Self { found, now: None }
    }

    /// The time by which the lease of this record is judged.
    fn now(&self, info: &ProviderInfo) -> SystemTime {
        self.now.unwrap_or_else(|| info.clock().utc())
    }
}

// A version is never printed: it may hold the owner's secret.
impl<V> fmt::Debug for Snapshot<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Found::Absent(_) => f.write_str("absent")?,
            Found::Record(record, _) => record.fmt(f)?,
            Found::Unreadable(problem) => write!(f, "unreadable: {problem}")?,
        }
        self.now.map_or(Ok(()), |now| write!(f, " at {now:?}"))
    }
}

/// The answer to a conditional write.
///
/// # Examples
///
/// ```
/// use shedlock_runtime::Written;
///
/// // A store says of a write on condition that there is no record: "precondition failed".
/// fn answer(status: u16, etag: &str) -> Written<String> {
///     match status {
///         412 => Written::Conflict,
///         _ => Written::Done(etag.to_owned()),
///     }
/// }
/// assert_eq!(answer(412, ""), Written::Conflict);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written<V> {
    /// The record was written, and has this version now.
    Done(V),
    /// Somebody else has written or deleted the record first: nothing was changed.
    Conflict,
}
