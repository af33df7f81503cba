//! The provider for Memcached.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, Expiry, Fencing, Lease, LockError, LockProvider,
    LockValue, Operation, OwnerWrite, Ownership, ProviderInfo, Refusal, first_attempt_limit,
};

use crate::change::{Change, Changed, Take};
use crate::check::StoreReport;
use crate::error;
use crate::held::Held;
use crate::keys::Keys;
use crate::options::MemcachedLockProviderBuilder;
use crate::server::Server;
use crate::ttl;

/// How long a call without a time limit of its own waits for a connection that was idle.
pub(crate) const PART: Duration = Duration::from_secs(1);

/// Keeps locks in one Memcached server, under the keys and in the format of JVM nodes.
///
/// **Memcached loses locks that are held**: a restart of the server and `flush_all` free all of them, and a server without memory evicts some.
/// Then two nodes may run a job at once. The provider says so in the log, once, when it opens its first connection.
///
/// Clones of a provider share their connections.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_memcached::MemcachedLockProvider;
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
///
/// let provider = MemcachedLockProvider::connect("memcached://localhost").await?;
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     // work
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemcachedLockProvider {
    pub(crate) info: ProviderInfo,
    pub(crate) keys: Keys,
    pub(crate) server: Arc<Server>,
}

/// How long a call about this lock waits for a connection that was idle: a part of the time limit that the lock's holder has set.
struct Part(Duration);

impl MemcachedLockProvider {
    /// Creates a provider for the server at `url`, which connects when it is first used. The keys are those that JVM nodes use by default.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) for a URL that is not valid.
    pub fn new(url: &str) -> Result<Self, LockError> {
        Self::builder(url).build()
    }

    /// Creates a provider for the server at `url`, as in `memcached://user:password@host:11211`, and opens a connection.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL is not valid or the login is refused;
    /// - [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if the server cannot be reached;
    /// - [`ErrorKind::Unsupported`](shedlock_runtime::ErrorKind::Unsupported) if the server cannot keep locks: it is a proxy, or runs with
    ///   `-C`.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder(url).connect().await
    }

    /// Options for a provider for the server at `url`, which is written as for [`connect`](Self::connect).
    pub fn builder(url: &str) -> MemcachedLockProviderBuilder {
        MemcachedLockProviderBuilder::new(url)
    }

    /// Checks the server's settings for ways in which the server could lose locks: evictions and `flush_all`. The report always has a warning
    /// about restarts.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// The call changes nothing, so it may be dropped at any time.
    pub async fn check_store(&self) -> Result<StoreReport, LockError> {
        let report = self.server.look().await;
        report.map_err(|error| error.with_context(Operation::CheckSchema, self.info.name(), None))
    }

    pub(crate) fn assemble(info: ProviderInfo, keys: Keys, server: Server) -> Self {
        let capabilities = Capabilities::new()
            .with_expiry(Expiry::ByStore)
            .with_grain(ttl::BEHIND)
            .with_longest_lease(ttl::LONGEST)
            .with_max_name_bytes(keys.longest_name())
            .with_fencing(Fencing::Always)
            .without_free_records();
        Self {
            info: info.with_capabilities(capabilities),
            keys,
            server: Arc::new(server),
        }
    }

    /// Extends the lease by `write`, or ends it and keeps the lock taken for `taken_for`.
    async fn change(
        &self,
        lease: &Lease,
        write: OwnerWrite,
        taken_for: Duration,
    ) -> Result<Ownership, LockError> {
        let is_deletion = taken_for.is_zero();
        let last = lease.noted::<Held>(&self.info);
        let change = Change {
            key: self.keys.key(lease.name().as_str()),
            write,
            seconds: (!is_deletion).then(|| ttl::seconds(taken_for)),
            last: last.map(|last| Held::clone(&last)),
            now: self.info.clock().utc(),
        };
        let part = lease.noted::<Part>(&self.info).map_or(PART, |part| part.0);
        let reply = self.server.ask(&change, part).await?;
        Ok(match reply.answer {
            Changed::Done(held) => {
                if let Some(held) = held {
                    lease.note(&self.info, held);
                }
                Ownership::Ours
            }
            // The first of two requests has deleted it, as far as anybody can tell.
            Changed::Absent if is_deletion && reply.is_in_doubt => Ownership::Ours,
            Changed::Absent | Changed::Lost => Ownership::Lost,
        })
    }
}

#[async_trait]
impl LockProvider for MemcachedLockProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let write = request.write(&self.info)?;
        let part = first_attempt_limit(request.config().timeout());
        request.note(&self.info, Part(part));
        let take = Take {
            key: self.keys.key(request.name().as_str()),
            value: LockValue::format(self.info.clock().utc(), write.stored()),
            seconds: ttl::seconds(request.at_most()),
        };
        let reply = self.server.ask(&take, part).await?;
        let answer = reply.answer;
        let refused = |refusal: Refusal| {
            Ok(Acquisition::Refused(if reply.is_in_doubt {
                refusal.after_a_request_without_answer()
            } else {
                refusal
            }))
        };
        let Some(held) = answer.held else {
            // The record was dropped between the two commands: the new one, or that of another holder.
            if answer.is_new {
                return Err(error::restless(&take.key));
            }
            return refused(Refusal::contended());
        };
        let left = held.left.ok_or_else(|| error::endless(&take.key))?;
        // The numbers of writes begin anew when the server is restarted, and it makes less than a million of them in a second.
        let token = answer.started.saturating_add(held.cas);
        // The number of an extension is not that of the acquisition.
        let token = Some(token).filter(|_| held.owner == write.stored());
        match request.answer_from_record(&self.info, &held.owner, left, token)? {
            Acquisition::Refused(refusal) => refused(refusal),
            Acquisition::Granted(lease) => {
                lease.note(&self.info, held);
                Ok(Acquisition::Granted(lease))
            }
        }
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.change(lease, lease.next_write()?, at_most).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        self.change(lease, lease.release_write()?, keep_for).await
    }
}

impl fmt::Debug for MemcachedLockProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedLockProvider")
            .field("keys", &self.keys)
            .field("server", &self.server.to_string())
            .finish_non_exhaustive()
    }
}
