//! The provider for DynamoDB.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use shedlock_runtime::{
    AcquireRequest, Acquisition, BootInstant, Lease, LockError, LockInfo, LockName, LockProvider,
    LockRecords, Operation, Overrule, OwnerWrite, Ownership, ProviderInfo, RecordLockProvider,
    Selection, Standing,
};

use crate::acquire::KeepsItem;
use crate::expression::{self, Known, Update};
use crate::layout::{Item, Layout};
use crate::observe::Deadline;
use crate::options::{self, DynamoDbLockProviderBuilder};
use crate::store::{Decided, Items};
use crate::time::ClientTime;

/// Keeps locks in a table of DynamoDB, as items in the format of JVM nodes.
///
/// Each operation is one conditional update. DynamoDB has no clock that a condition can read: the UTC clocks of the nodes decide when a
/// lease ends, as on the JVM. Clones of a provider share one client.
///
/// # Examples
///
/// ```no_run
/// # async fn example(client: aws_sdk_dynamodb::Client) -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_dynamodb::DynamoDbLockProvider;
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
///
/// let provider = DynamoDbLockProvider::new(client);
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     // work
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct DynamoDbLockProvider {
    /// Operators' verbs, by comparing and swapping.
    pub(crate) records: RecordLockProvider<Items>,
}

impl DynamoDbLockProvider {
    /// Creates a provider that keeps its locks in the table `Shedlock`, whose partition key is `_id`, as JVM nodes do.
    ///
    /// The provider uses the region, the credentials and the connections of `client`, and makes its own decision when to ask again.
    #[must_use]
    pub fn new(client: Client) -> Self {
        options::defaults(client)
    }

    /// Creates a provider with a client of its own for the region and the table of `url`, as in `dynamodb://eu-central-1/Shedlock`, and reads
    /// the table once. Credentials are found as the AWS CLI finds them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL is not valid, or if there are no credentials;
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) if there is no such table, or if it has another key;
    /// [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if DynamoDB cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    #[cfg(feature = "connect")]
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder_from_url(url).connect().await
    }

    /// Options for a provider on the caller's client.
    pub fn builder(client: Client) -> DynamoDbLockProviderBuilder {
        DynamoDbLockProviderBuilder::from_client(client)
    }

    /// Options for a provider with a client of its own.
    #[cfg(feature = "connect")]
    pub fn builder_from_url(url: &str) -> DynamoDbLockProviderBuilder {
        DynamoDbLockProviderBuilder::from_url(url)
    }

    pub(crate) fn items(&self) -> &Items {
        self.records.store()
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.items().layout
    }

    pub(crate) fn in_context(&self, operation: Operation, error: LockError) -> LockError {
        error.with_context(operation, self.records.info().name(), None)
    }

    pub(crate) fn grain(&self) -> Duration {
        self.layout().ends.grain()
    }

    /// Carries out a write of the lease's owner: the update that `update` makes, which is told whether the item may be deleted later.
    async fn change(
        &self,
        lease: &Lease,
        write: &OwnerWrite,
        update: impl Fn(Known) -> Update,
    ) -> Result<Ownership, LockError> {
        let mut is_released = false;
        loop {
            let update = update(Known {
                may_be_forgotten: lease.noted::<KeepsItem>(self.info()).is_none(),
                is_released,
            });
            let found = match self.items().update(&update).await?.value {
                Decided::Made(_) => return Ok(Ownership::Ours),
                Decided::Refused(Some(item)) => Some(item),
                Decided::Refused(None) => self.items().find(lease.name().as_str()).await?,
            };
            let item = found.unwrap_or_default();
            let owner = self.layout().get(&item, "#by");
            let owner = owner.and_then(|owner| owner.as_s().ok());
            match owner.map_or(Standing::Foreign, |owner| write.standing(owner)) {
                // An earlier attempt of this same request has written the item.
                Standing::Same => return Ok(Ownership::Ours),
                // Another process has acquired the lease, and this one did not know of the position.
                Standing::Earlier if update.lets_item_end() && self.has_position(&item) => {
                    lease.note(self.info(), KeepsItem);
                }
                Standing::Earlier if lease.is_unused() && !is_released => is_released = true,
                _ => return Ok(Ownership::Lost),
            }
        }
    }

    /// Whether something stands where a position does. What is no position is another program's, and no less to be kept.
    pub(crate) fn has_position(&self, item: &Item) -> bool {
        self.layout().get(item, "#position").is_some()
    }

    /// The time now, in the light of the time at which the lease was granted.
    fn time_of(&self, lease: &Lease) -> ClientTime {
        let clock = self.records.info().clock();
        match lease.noted::<ClientTime>(self.records.info()) {
            Some(granted) => granted.by_now(clock),
            None => ClientTime::now(clock),
        }
    }
}

/// Whether a lease has ended for its holder, who alone can tell if nobody compares clocks.
fn has_ended(lease: &Lease, info: &ProviderInfo, now: BootInstant) -> bool {
    let deadline = lease.noted::<Deadline>(info);
    deadline.is_some_and(|deadline| deadline.left(now).is_zero())
}

#[async_trait]
impl LockProvider for DynamoDbLockProvider {
    fn info(&self) -> &ProviderInfo {
        self.records.info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        self.take(request).await
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let (write, time) = (lease.next_write()?, self.time_of(lease));
        let asked = self.info().clock().boot();
        if self.layout().is_observed && has_ended(lease, self.info(), asked) {
            return Ok(Ownership::Lost);
        }
        let (now, term) = (time.early(self.grain()), time.lease_end(at_most)?);
        let (layout, name) = (self.layout(), lease.name().as_str());
        let update = |known| expression::extend(layout, name, &write, now, term, known);
        let extended = self.change(lease, &write, update).await?;
        if extended == Ownership::Ours {
            lease.note(self.info(), Deadline::of(asked, at_most));
        }
        Ok(extended)
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let (write, time) = (lease.release_write()?, self.time_of(lease));
        let term = time.released_end(keep_for, self.grain())?;
        let (layout, name) = (self.layout(), lease.name().as_str());
        let update = |known| expression::release(layout, name, &write, term, known, lease);
        self.change(lease, &write, update).await
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        LockRecords::forget(self, prefix, unused_for).await
    }
}

#[async_trait]
impl LockRecords for DynamoDbLockProvider {
    async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        self.records.records(selection).await
    }

    async fn overrule(&self, name: &LockName, overrule: &Overrule<'_>) -> Result<bool, LockError> {
        self.records.overrule(name, overrule).await
    }

    async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        self.records.forget(prefix, unused_for).await
    }
}
