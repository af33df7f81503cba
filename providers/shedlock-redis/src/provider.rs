//! The provider for Redis and Valkey.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::Client;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, Expiry, Fencing, Lease, LockError, LockName,
    LockProvider, LockRecords, LockValue, Operation, OwnerWrite, Ownership, Predecessor,
    ProviderInfo, Refusal, first_attempt_limit,
};

use crate::check::{self, StoreReport};
use crate::error;
use crate::keys::Keys;
use crate::options::{self, RedisLockProviderBuilder};
use crate::position;
use crate::script::{ACQUIRE, CHANGE, Run, Script};
use crate::servers::{self, Servers};
use crate::url::Origin;

/// How long a call without a time limit of its own waits for the existing connection.
pub(crate) const PART: Duration = Duration::from_secs(1);

/// Keeps locks in Redis or Valkey, under the keys and in the format of JVM nodes.
///
/// Clones of a provider share one connection.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_redis::RedisLockProvider;
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
///
/// let provider = RedisLockProvider::connect("redis://localhost").await?;
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     // work
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisLockProvider {
    pub(crate) info: ProviderInfo,
    pub(crate) keys: Keys,
    pub(crate) servers: Arc<Servers>,
}

/// How long a call about this lock waits for the existing connection: a part of the time limit that the lock's holder has set.
struct Part(Duration);

impl RedisLockProvider {
    /// Creates a provider that opens its own connection to the server of `client`. The keys are those that JVM nodes use by default.
    #[must_use]
    pub fn new(client: Client) -> Self {
        options::defaults(client)
    }

    /// Creates a provider for the server at `url`, and opens its connection. `redis+sentinel://sentinel,sentinel/name` stands for the primary
    /// that sentinels know by a name, and `redis+cluster://host,host` for the servers of a cluster.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL is not valid or the login is refused;
    /// [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if the server cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder_from_url(url).connect().await
    }

    /// Options for a provider to the server of `client`.
    pub fn builder(client: Client) -> RedisLockProviderBuilder {
        RedisLockProviderBuilder::from_client(client)
    }

    /// Options for a provider to the server at `url`, which is written as for [`connect`](Self::connect).
    pub fn builder_from_url(url: &str) -> RedisLockProviderBuilder {
        RedisLockProviderBuilder::from_url(url)
    }

    /// Checks the server's settings for reasons why the server could lose locks: eviction, no persistence, and replicas that a failover
    /// would promote. The user needs the right to run `INFO`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReadOnly`](shedlock_runtime::ErrorKind::ReadOnly) if the server is a replica. Any other error means that the server
    /// could not be asked.
    ///
    /// # Cancel safety
    ///
    /// The call changes nothing, so it may be dropped at any time.
    pub async fn check_store(&self) -> Result<StoreReport, LockError> {
        let report = self.report().await;
        report.map_err(|error| error.with_context(Operation::CheckSchema, self.info.name(), None))
    }

    async fn report(&self) -> Result<StoreReport, LockError> {
        let mut reports = Vec::new();
        for server in self.servers.primaries(PART).await? {
            let mut info = redis::cmd("INFO");
            info.arg("everything");
            let info: String = servers::command(&server, &info, PART).await?;
            reports.push(check::report(&info)?);
        }
        Ok(check::merged(reports))
    }

    pub(crate) fn assemble(info: ProviderInfo, keys: Keys, origin: Origin) -> Self {
        let capabilities = Capabilities::new()
            .with_expiry(Expiry::ByStore)
            .with_fencing(Fencing::Always)
            .with_positions()
            .with_takeovers()
            .without_free_records();
        Self {
            info: info.with_capabilities(capabilities),
            keys,
            servers: Arc::new(Servers::new(origin)),
        }
    }

    /// Opens a connection.
    pub(crate) async fn warm_up(&self) -> Result<(), LockError> {
        self.servers.connect(PART).await
    }

    pub(crate) fn run(
        &self,
        script: &'static Script,
        name: &LockName,
        arguments: Vec<String>,
    ) -> Run {
        Run::new(script, self.keys.lock(name.as_str()), arguments)
    }

    fn millis(&self, duration: Duration) -> String {
        self.info.capabilities().steps(duration).to_string()
    }

    /// Changes the lease. `what` is `extend`, `release` or, for a run that has ended well, `done`.
    async fn change(
        &self,
        lease: &Lease,
        write: &OwnerWrite,
        taken_for: Duration,
        what: &str,
    ) -> Result<Ownership, LockError> {
        let arguments = vec![
            write.first().to_owned(),
            write.stored().to_owned(),
            self.millis(taken_for),
            what.to_owned(),
        ];
        let run = self.run(&CHANGE, lease.name(), arguments);
        let part = lease.noted::<Part>(&self.info).map_or(PART, |part| part.0);
        let reply = self.servers.ask(&run, part).await?;
        Ok(if reply.answer {
            Ownership::Ours
        } else {
            Ownership::Lost
        })
    }
}

#[async_trait]
impl LockProvider for RedisLockProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let write = request.write(&self.info)?;
        let part = first_attempt_limit(request.config().timeout());
        request.note(&self.info, Part(part));
        let value = LockValue::format(self.info.clock().utc(), write.stored());
        let rule = request.position_rule();
        let mut arguments = vec![
            value,
            self.millis(request.at_most()),
            self.millis(position::fence_stays(rule)),
        ];
        if let Some(rule) = rule {
            arguments.extend(position::arguments(rule)?);
        }
        let run = self.run(&ACQUIRE, request.name(), arguments);
        let reply = self
            .servers
            .ask::<(u8, Vec<u8>, i64, u64, Vec<u64>, Vec<u64>)>(&run, part)
            .await?;
        let (state, found, ttl, token, last_position, begun) = reply.answer;
        let refused = |refusal: Refusal| {
            Ok(Acquisition::Refused(if reply.is_in_doubt {
                refusal.after_a_request_without_answer()
            } else {
                refusal
            }))
        };
        match state {
            0 => {}
            1 => {
                let last_owner = String::from_utf8_lossy(&found);
                let dead = Predecessor::from_record(&last_owner, None, None);
                let dead = dead.map(|dead| dead.with_position(position::stored(&last_position)));
                let lease = request.grant(Some(token)).taken_over_from(dead);
                let lease = lease.at_position(position::stored(&begun));
                return Ok(Acquisition::Granted(lease));
            }
            state => {
                let reason = position::refusal(state).ok_or_else(|| request.too_late())?;
                let last_owner = String::from_utf8_lossy(&found);
                let refusal = Refusal::of_position(reason, &last_owner);
                return refused(refusal.with_position(position::stored(&last_position)));
            }
        }
        let stored = LockValue::parse(&found).ok_or_else(|| error::foreign(&run.lock_key))?;
        // A key without an end has the time to live -1.
        let ttl = u64::try_from(ttl).map_err(|_negative| error::endless(&run.lock_key))?;
        // A time to live of zero means that the key still exists, for less than a millisecond.
        let left = Duration::from_millis(ttl.max(1));
        let token = Some(token).filter(|token| *token > 0);
        match request.answer_from_record(&self.info, stored.owner, left, token)? {
            Acquisition::Refused(refusal) => refused(refusal),
            granted @ Acquisition::Granted(_) => Ok(granted),
        }
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        self.change(lease, &lease.next_write()?, at_most, "extend")
            .await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let what = if lease.is_done() {
            "done"
        } else if lease.is_unused() {
            "unused"
        } else {
            "release"
        };
        let write = lease.release_write()?;
        self.change(lease, &write, keep_for, what).await
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        LockRecords::forget(self, prefix, unused_for).await
    }
}

impl fmt::Debug for RedisLockProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLockProvider")
            .field("keys", &self.keys.beginning())
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}
