//! A store that ends leases by itself, in whole seconds, and keeps nothing of a free lock: as etcd and Memcached do.

use std::time::Duration;

use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, ErrorKind, Expiry, Fencing, Lease, LockError,
    LockInfo, LockName, LockProvider, LockRecords, OperatorMark, Overrule, OwnerWrite, Ownership,
    ProviderInfo, Refusal, Selection, Standing, async_trait,
};

use crate::servers::{Cache, CacheEntry, Server};

/// How often a write that others came before is tried again.
const TRIES: usize = 4;

#[derive(Debug, Clone)]
pub(crate) struct TtlProvider {
    info: ProviderInfo,
    server: Server<Cache>,
}

impl TtlProvider {
    pub(crate) fn new(server: Server<Cache>, info: ProviderInfo) -> Self {
        let capabilities = Capabilities::new()
            .with_expiry(Expiry::ByStore)
            .with_grain(Duration::from_secs(1))
            .with_fencing(Fencing::Always)
            .with_max_name_bytes(250)
            .without_free_records();
        Self {
            info: info.with_capabilities(capabilities),
            server,
        }
    }

    async fn get(&self, key: &str) -> Option<CacheEntry> {
        self.server.ask(|cache, now| cache.get(key, now)).await
    }

    /// Writes `value` for `duration`, or deletes the key if that is zero, on condition that nobody has written since.
    async fn swap(&self, key: &str, value: &str, duration: Duration, expected: u64) -> bool {
        let seconds = self.info.capabilities().steps(duration);
        let swap = |cache: &mut Cache, now| match seconds {
            0 => cache.delete(key, expected, now),
            _ => cache.set(key, (value, seconds), expected, now).is_ok(),
        };
        self.server.ask(swap).await
    }

    async fn change(
        &self,
        lease: &Lease,
        write: &OwnerWrite,
        duration: Duration,
    ) -> Result<Ownership, LockError> {
        let key = lease.name().as_str();
        for _ in 0..TRIES {
            let Some(entry) = self.get(key).await else {
                return Ok(Ownership::Lost);
            };
            match write.standing(&entry.value) {
                Standing::Foreign | Standing::Later => return Ok(Ownership::Lost),
                Standing::Same => return Ok(Ownership::Ours),
                Standing::Earlier => {}
            }
            if self.swap(key, write.stored(), duration, entry.write).await {
                return Ok(Ownership::Ours);
            }
        }
        Err(busy())
    }
}

fn busy() -> LockError {
    LockError::new(ErrorKind::Unavailable, "others kept writing the key")
}

#[async_trait]
impl LockProvider for TtlProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let (write, key) = (request.write(&self.info)?, request.name().as_str());
        let seconds = self.info.capabilities().steps(request.at_most());
        let add = |cache: &mut Cache, now| cache.set(key, (write.stored(), seconds), 0, now);
        match self.server.ask(add).await {
            Ok(number) => Ok(Acquisition::Granted(request.grant(Some(number)))),
            Err(Some(CacheEntry { value, ttl, write })) => {
                request.answer_from_record(&self.info, &value, ttl, Some(write))
            }
            Err(None) => Ok(Acquisition::Refused(Refusal::contended())),
        }
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.change(lease, &lease.next_write()?, at_most).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.change(lease, &lease.release_write()?, keep_for).await
    }
}

#[async_trait]
impl LockRecords for TtlProvider {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let mut infos = Vec::new();
        for key in self.server.ask(|cache, _| cache.keys()).await {
            if selection.contains(&key)
                && let Some(entry) = self.get(&key).await
            {
                infos.push(LockInfo::from_remaining(key, &entry.value, entry.ttl));
            }
        }
        Ok(infos)
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        let key = name.as_str();
        let is_paused = |entry: &CacheEntry| {
            OperatorMark::parse(&entry.value).is_some_and(|mark| mark.is_pause())
        };
        for _ in 0..TRIES {
            let entry = self.get(key).await;
            let expected = entry.as_ref().map_or(0, |entry| entry.write);
            let (value, duration) = match (overrule, entry) {
                (Overrule::Pause { mark, until }, _) => {
                    // The server does not tell its time.
                    let now = self.info.clock().utc();
                    (mark.to_string(), Overrule::pause_length(*until, now)?)
                }
                (_, None) => return Ok(false),
                (Overrule::Resume, Some(entry)) if !is_paused(&entry) => return Ok(false),
                (Overrule::Release { .. } | Overrule::Resume, _) => (String::new(), Duration::ZERO),
                _ => return Err(LockError::new(ErrorKind::Unsupported, "no such verb here")),
            };
            if self.swap(key, &value, duration, expected).await {
                return Ok(true);
            }
        }
        Err(busy())
    }

    async fn forget(&self, _prefix: &str, _unused_for: Duration) -> Result<u64, LockError> {
        Ok(0)
    }
}
