//! The trait for stores that compare and swap: read a record, and write it if nobody has changed it.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::seam::info::ProviderInfo;
use crate::values::error::LockError;
use crate::values::owner::Owner;
use crate::values::position::Position;

mod acquire;
mod change;
mod encoding;
#[cfg(feature = "json")]
mod json;
mod operator;
mod provider;
mod time;

pub use encoding::NameEncoding;
pub use provider::RecordLockProvider;

/// How many records are read or deleted at the same time, by one call.
const AT_ONCE: usize = 16;

/// A store that can read a record, write or delete it on condition that it is unchanged, and list names.
///
/// These four methods make a whole provider: [`RecordLockProvider`] implements [`LockProvider`](crate::LockProvider) and
/// [`LockRecords`](crate::LockRecords) over them.
///
/// A lease is judged by the store's clock if [`read`](Self::read) returns the store's time of day, with [`Snapshot::at`]. Otherwise it is judged
/// by the client's UTC clock, as JVM nodes do in such stores. Declare which of the two by
/// [`Capabilities::with_expiry`](crate::Capabilities::with_expiry).
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
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use shedlock_runtime::{
///     Capabilities, Expiry, Fencing, LockAdmin as _, LockConfiguration, LockError, LockProviderExt as _, LockRecord, ProviderInfo,
///     RecordLockProvider, RecordStore, Snapshot, Written, async_trait,
/// };
///
/// #[derive(Debug, Default)]
/// struct Map {
///     records: Mutex<BTreeMap<String, (LockRecord, u64)>>,
///     // One count for all: no record gets a revision that an earlier one of its name had.
///     last: AtomicU64,
/// }
///
/// #[async_trait]
/// impl RecordStore for Map {
///     type Version = u64;
///
///     async fn read(&self, name: &str) -> Result<Snapshot<u64>, LockError> {
///         Ok(match self.records.lock().unwrap().get(name) {
///             Some((record, revision)) => Snapshot::record(record.clone(), *revision),
///             None => Snapshot::absent(),
///         })
///     }
///
///     async fn write(&self, name: &str, record: &LockRecord, expected: Option<&u64>) -> Result<Written<u64>, LockError> {
///         let mut map = self.records.lock().unwrap();
///         if map.get(name).map(|(_, revision)| revision) != expected {
///             return Ok(Written::Conflict);
///         }
///         let revision = self.last.fetch_add(1, Ordering::Relaxed) + 1;
///         map.insert(name.to_owned(), (record.clone(), revision));
///         Ok(Written::Done(revision))
///     }
///
///     async fn delete(&self, name: &str, expected: &u64) -> Result<Written<()>, LockError> {
///         let mut map = self.records.lock().unwrap();
///         if map.get(name).map(|(_, revision)| revision) != Some(expected) {
///             return Ok(Written::Conflict);
///         }
///         map.remove(name);
///         Ok(Written::Done(()))
///     }
///
///     async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError> {
///         let map = self.records.lock().unwrap();
///         Ok(map.keys().filter(|name| name.starts_with(prefix)).cloned().collect())
///     }
///
///     fn revision(&self, revision: &u64) -> Option<u64> {
///         Some(*revision)
///     }
/// }
///
/// let capabilities = Capabilities::new()
///     // `read` does not tell the store's time.
///     .with_expiry(Expiry::ByClientClock)
///     // The revisions grow until the program ends.
///     .with_fencing(Fencing::UntilRestart)
///     .with_positions();
/// let info = ProviderInfo::new("map").with_capabilities(capabilities);
/// let provider = RecordLockProvider::new(info, Map::default());
/// let _lock = provider.try_lock(LockConfiguration::new("mail", "5m")?).await?.expect("is free");
/// assert!(provider.get("mail").await?.expect("has a record").is_held());
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait RecordStore: fmt::Debug + Send + Sync + 'static {
    /// What tells one state of a record from another, such as an `ETag`, a revision or a generation. A version is never printed.
    type Version: Clone + Send + Sync + 'static;

    /// Reads the record of the lock `name`, with its version.
    async fn read(&self, name: &str) -> Result<Snapshot<Self::Version>, LockError>;

    /// Writes `record` as the record of the lock `name`, on one condition: the stored record, or what its
    /// [deletion left](Snapshot::deleted), has the version `expected`, or, if `expected` is `None`, there is neither.
    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&Self::Version>,
    ) -> Result<Written<Self::Version>, LockError>;

    /// Deletes the record of the lock `name` if the record still has the version `expected`. If there is no record any more, the answer is
    /// [`Written::Conflict`].
    ///
    /// A record that is created later must not get a version that an earlier record of the same name had. Otherwise a delayed write that
    /// expects the earlier version would take the lock from its holder.
    async fn delete(&self, name: &str, expected: &Self::Version) -> Result<Written<()>, LockError>;

    /// Lists the names of all locks that have a record and whose names begin with `prefix`, in any order.
    async fn names(&self, prefix: &str) -> Result<Vec<String>, LockError>;

    /// Reads all records whose names begin with `prefix`, in any order.
    ///
    /// The default reads each record by a request of its own, up to 16 at the same time. Override it for a store that can list records with
    /// their contents.
    async fn list(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, Snapshot<Self::Version>)>, LockError> {
        let names = self.names(prefix).await?;
        stream::iter(names)
            .map(|name| async move {
                let snapshot = read_among_others(self, &name).await?;
                Ok((name, snapshot))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Whether [`list`](Self::list) is overridden, and costs less than reading each record. By default it is not.
    ///
    /// Old records are then deleted from what one list has read. Otherwise each record is read when it is its turn, and deleted before further
    /// ones are read: in a store that is slow or has many records, a call that takes too long has deleted some, and the next one goes on.
    fn lists_contents(&self) -> bool {
        false
    }

    /// The number in `version`, for a store whose versions are numbers that always grow, also when a record is deleted and created anew.
    ///
    /// With such numbers, the version of the write that took the lock is the fencing token. By default there are none, and the fencing token is a
    /// number in the record. The first such number is the time of day in microseconds, so it grows also when a record was deleted: a provider
    /// may declare [`Fencing::Always`](crate::Fencing::Always) as long as the clocks of its nodes agree.
    fn revision(&self, _version: &Self::Version) -> Option<u64> {
        None
    }
}

/// Reads one of many records: one that cannot be read must not hide all others.
async fn read_among_others<S: RecordStore + ?Sized>(
    store: &S,
    name: &str,
) -> Result<Snapshot<S::Version>, LockError> {
    match store.read(name).await {
        Err(error) if !error.is_transient() => Ok(Snapshot::unreadable(error.to_string())),
        read => read,
    }
}

/// The record of one lock, as a [`RecordStore`] keeps it.
///
/// `Debug` shows the holder's node, and never the owner's secret.
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
    /// When the lock becomes free, or became free. The clock is the store's or the client's; see [`RecordStore`].
    pub lock_until: SystemTime,
    /// When the lock was taken, by the same clock as `lock_until`.
    pub locked_at: SystemTime,
    /// The owner, as stored. It contains the owner's secret, so do not print it: see [`Owner::node_of`].
    pub locked_by: String,
    /// The fencing token of the acquisition; zero if the record was written by a JVM node, or if the token is the store's revision.
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

    /// How long the lock stays taken after `now`, which is a time of the same clock as the record's times. Zero if the lock is free.
    #[must_use]
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.lock_until.duration_since(now).unwrap_or_default()
    }

    /// Whether the record is of the same acquisition, or of the same pause, as `other`.
    fn is_same_hold(&self, other: &Self) -> bool {
        let [ours, theirs] = [self, other].map(|it| Owner::acquisition_of(&it.locked_by));
        match ours {
            Some(_) => ours == theirs,
            // JVM nodes write the name of their host alone, the same each time.
            None => (&self.locked_by, self.locked_at) == (&other.locked_by, other.locked_at),
        }
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

/// The answer of [`RecordStore::read`]: what the store has under a lock's name, and the store's time of day if its answer told.
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
    /// The store has nothing under the lock's name.
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

    /// The store has this record of the lock, in this version.
    #[must_use]
    pub fn record(record: LockRecord, version: V) -> Self {
        Self::from_found(Found::Record(record, version))
    }

    /// The store has something under the lock's name that is not a record of a lock. `problem` tells what is wrong, as a lower-case fragment
    /// without a full stop.
    ///
    /// The lock is then not granted, an acquisition fails with [`ErrorKind::Schema`](crate::ErrorKind::Schema), operators see the problem, and
    /// what the store has is left unchanged.
    #[must_use]
    pub fn unreadable(problem: impl Into<String>) -> Self {
        Self::from_found(Found::Unreadable(problem.into()))
    }

    /// Adds the store's time of day at the read. The lease in the record is then judged by this time, and not by the client's clock.
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

/// The answer to a conditional write or delete of a [`RecordStore`].
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
    /// The record was written and now has this version, or was deleted.
    Done(V),
    /// The record did not have the expected version, because somebody else had changed it. Nothing was written.
    Conflict,
}
