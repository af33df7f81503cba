//! The seam for compare-and-swap stores: read a record, write it if nobody else has.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use crate::seam::answer::{Acquisition, Ownership, Refusal};
use crate::seam::info::ProviderInfo;
use crate::seam::lease::{AcquireRequest, Lease};
use crate::seam::provider::LockProvider;
use crate::values::error::{ErrorKind, LockError};
use crate::values::name::LockName;
use crate::values::owner::{Owner, Standing, host_node_name, node_name};

mod admin;

pub use admin::RecordCatalogue;

/// How often a lost race is run again before the lock counts as contended.
const MOST_RACES: usize = 4;

/// A store that can read a record and write it on condition that it is unchanged.
///
/// These two make a provider: [`RecordLockProvider`] does the rest. Expiry is judged by the client's UTC clock, as JVM
/// nodes do in such stores; keep the nodes' clocks in step.
///
/// # Cancel safety
///
/// As for [`LockProvider`].
#[async_trait]
pub trait RecordStore: fmt::Debug + Send + Sync + 'static {
    /// The record of lock `name` and what it takes to replace it, or `None` if there is none.
    async fn read(&self, name: &str) -> Result<Option<(LockRecord, Version)>, LockError>;

    /// Writes `record` if the stored one still has version `expected`, or if there is none and `expected` is `None`.
    async fn write_if(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<Version>,
    ) -> Result<Result<Version, Conflict>, LockError>;
}

/// What a store keeps of a lock.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockRecord {
    /// When the lock is free again.
    pub lock_until: SystemTime,
    /// When it was taken.
    pub locked_at: SystemTime,
    /// By whom, as stored: it contains the owner's secret.
    pub locked_by: String,
    /// The fencing token; zero where the store or a JVM peer keeps none.
    pub fencing_token: u64,
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
        }
    }

    fn is_held(&self, now: SystemTime) -> bool {
        self.lock_until > now
    }
}

impl fmt::Debug for LockRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockRecord")
            .field("lock_until", &self.lock_until)
            .field("locked_at", &self.locked_at)
            .field("locked_by", &Owner::node_of(&self.locked_by))
            .field("fencing_token", &self.fencing_token)
            .finish()
    }
}

/// What a store says of the state of a record: an `ETag`, a revision, a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// The version as the store writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: ToString> From<T> for Version {
    fn from(version: T) -> Self {
        Self(version.to_string())
    }
}

/// Somebody else wrote the record first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict;

/// A [`LockProvider`] over any [`RecordStore`].
#[derive(Debug)]
pub struct RecordLockProvider<S> {
    info: ProviderInfo,
    node: Arc<str>,
    store: Arc<S>,
}

// Derived, it would ask for `S: Clone`.
impl<S> Clone for RecordLockProvider<S> {
    fn clone(&self) -> Self {
        Self {
            info: self.info.clone(),
            node: Arc::clone(&self.node),
            store: Arc::clone(&self.store),
        }
    }
}

impl<S: RecordStore> RecordLockProvider<S> {
    /// A provider described by `info`, with the host's name as the node.
    #[must_use]
    pub fn new(info: ProviderInfo, store: S) -> Self {
        Self {
            info,
            node: host_node_name(),
            store: Arc::new(store),
        }
    }

    /// Calls this node `node`.
    #[must_use]
    pub fn with_node_name(mut self, node: &str) -> Self {
        self.node = node_name(node);
        self
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    fn now(&self) -> SystemTime {
        self.info.clock().utc()
    }

    /// Changes the record while it is `lease`'s and bears no later write; false if it is not so, or not as `change` wants it.
    async fn change_own(
        &self,
        lease: &Lease,
        change: impl Fn(&mut LockRecord, SystemTime) -> Result<bool, LockError> + Send + Sync,
    ) -> Result<bool, LockError> {
        let write = lease.next_write()?;
        let name = lease.name().as_str();
        for _ in 0..MOST_RACES {
            let Some((mut record, version)) = self.store.read(name).await? else {
                return Ok(false);
            };
            let standing = write.standing(&record.locked_by);
            if matches!(standing, Standing::Later | Standing::Foreign)
                || !change(&mut record, self.now())?
            {
                return Ok(false);
            }
            if standing == Standing::Same {
                // Written before, by this very request.
                return Ok(true);
            }
            write.stored().clone_into(&mut record.locked_by);
            let written = self.store.write_if(name, &record, Some(version));
            if written.await?.is_ok() {
                return Ok(true);
            }
        }
        Err(raced())
    }

    /// Writes what `change` makes of the record; false if it makes nothing.
    async fn change(
        &self,
        name: &LockName,
        change: impl Fn(Option<LockRecord>, SystemTime) -> Result<Option<LockRecord>, LockError>
        + Send
        + Sync,
    ) -> Result<bool, LockError> {
        let name = name.as_str();
        for _ in 0..MOST_RACES {
            let (found, version) = self.store.read(name).await?.unzip();
            let Some(record) = change(found, self.now())? else {
                return Ok(false);
            };
            if self.store.write_if(name, &record, version).await?.is_ok() {
                return Ok(true);
            }
        }
        Err(raced())
    }
}

fn raced() -> LockError {
    LockError::new(ErrorKind::Unavailable, "others kept changing the record")
}

#[async_trait]
impl<S: RecordStore> LockProvider for RecordLockProvider<S> {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let write = request.write(&self.node)?;
        for _ in 0..MOST_RACES {
            let found = self.store.read(request.name().as_str()).await?;
            let now = self.now();
            if let Some((record, _)) = &found {
                let is_ours = write.standing(&record.locked_by) != Standing::Foreign;
                if is_ours && !record.is_held(now) {
                    return Err(request.too_late());
                }
                if is_ours {
                    return Ok(Acquisition::Granted(
                        request.grant(Some(record.fencing_token)),
                    ));
                }
            }
            if let Some((record, _)) = &found
                && record.is_held(now)
            {
                let remaining = record.lock_until.duration_since(now).unwrap_or_default();
                return Ok(Acquisition::Refused(Refusal::from_stored(
                    &record.locked_by,
                    remaining,
                )));
            }
            let last_token = found.as_ref().map_or(0, |(record, _)| record.fencing_token);
            let token = next_token(last_token, now);
            let owner = write.stored().to_owned();
            let record = LockRecord::new(after(now, request.at_most())?, now, owner, token);
            let expected = found.map(|(_, version)| version);
            if self
                .store
                .write_if(request.name().as_str(), &record, expected)
                .await?
                .is_ok()
            {
                return Ok(Acquisition::Granted(request.grant(Some(token))));
            }
        }
        Ok(Acquisition::Refused(Refusal::contended()))
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let changed = self.change_own(lease, |record, now| {
            if !record.is_held(now) {
                return Ok(false);
            }
            record.lock_until = after(now, at_most)?;
            Ok(true)
        });
        Ok(if changed.await? {
            Ownership::Ours
        } else {
            Ownership::Lost
        })
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let changed = self.change_own(lease, |record, now| {
            record.lock_until = after(now, keep_for)?;
            Ok(true)
        });
        Ok(if changed.await? {
            Ownership::Ours
        } else {
            Ownership::Lost
        })
    }
}

/// Greater than the last, and than any that a since deleted record can have had: those were not ahead of the clock.
fn next_token(last: u64, now: SystemTime) -> u64 {
    let micros = now
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros();
    u64::try_from(micros)
        .unwrap_or(u64::MAX)
        .max(last.saturating_add(1))
}

fn after(instant: SystemTime, duration: Duration) -> Result<SystemTime, LockError> {
    instant.checked_add(duration).ok_or_else(|| {
        LockError::new(
            ErrorKind::InvalidDuration,
            "the lease would end beyond what the clock can say",
        )
    })
}
