//! The provider for MongoDB.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use mongodb::Database;
use mongodb::bson::Document;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Lease, LockError, LockInfo, LockName, LockProvider, LockRecords,
    Operation, Overrule, Ownership, PositionRule, ProviderInfo, RecordLockProvider, Refusal,
    Selection, Standing,
};

use crate::document;
use crate::error;
use crate::options::{self, MongoLockProviderBuilder};
use crate::pipeline::{self, Command};
use crate::store::Documents;

/// How often a document is looked for again that others make and remove.
const MOST_RACES: u32 = 4;
/// A lease that ended no longer ago than this may have been live when the command was carried out.
const MOMENT: Duration = Duration::from_millis(100);

/// Keeps locks in a collection of MongoDB, as documents in the format of JVM nodes.
///
/// By default the server's clock decides: each operation is one update whose condition is judged by the server. With
/// [`client_clock`](MongoLockProviderBuilder::client_clock), the clocks of the nodes decide, as on the JVM. Clones of a provider share one
/// client.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), shedlock_runtime::LockError> {
/// use shedlock_mongodb::MongoLockProvider;
/// use shedlock_runtime::{LockConfiguration, LockProviderExt as _};
///
/// let provider = MongoLockProvider::connect("mongodb://localhost:27017/app?replicaSet=rs0").await?;
/// if let Some(lock) = provider.try_lock(LockConfiguration::new("mail", "5m")?).await? {
///     // work
///     lock.unlock().await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MongoLockProvider {
    /// Operators' verbs, and everything if the clients' clocks decide.
    pub(crate) records: RecordLockProvider<Documents>,
    pub(crate) ttl: Option<Duration>,
}

impl MongoLockProvider {
    /// Creates a provider that keeps its locks in the collection `shedLock` of `database`, as JVM nodes do.
    ///
    /// The client of `database` stays as it is. Each call sets its own write concern, read concern and read preference.
    #[must_use]
    pub fn new(database: Database) -> Self {
        options::defaults(database)
    }

    /// Creates a provider with a client of its own for the database that `url` names, and asks the server whether it is there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) if the URL is not valid or names no database, or if the
    /// login is refused; [`ErrorKind::Unavailable`](shedlock_runtime::ErrorKind::Unavailable) if no server that takes writes can be
    /// reached. A missing collection is no error: MongoDB creates it with the first lock.
    ///
    /// # Cancel safety
    ///
    /// If the call is dropped, no connection stays open.
    pub async fn connect(url: &str) -> Result<Self, LockError> {
        Self::builder_from_url(url).connect().await
    }

    /// Options for a provider on the caller's client.
    pub fn builder(database: Database) -> MongoLockProviderBuilder {
        MongoLockProviderBuilder::from_database(database)
    }

    /// Options for a provider with a client of its own.
    pub fn builder_from_url(url: &str) -> MongoLockProviderBuilder {
        MongoLockProviderBuilder::from_url(url)
    }

    pub(crate) fn documents(&self) -> &Documents {
        self.records.store()
    }

    pub(crate) fn in_context(&self, operation: Operation, error: LockError) -> LockError {
        error.with_context(operation, self.records.info().name(), None)
    }

    /// Whether the server's clock decides.
    fn asks_time(&self) -> bool {
        self.documents().asks_time
    }

    /// The answer to an acquisition, from the document as the command has left it at `now`.
    fn answer(
        &self,
        request: &AcquireRequest,
        document: &Document,
        now: SystemTime,
    ) -> Result<Acquisition, LockError> {
        let info = self.records.info();
        let parsed = document::parse(document, &self.documents().fields);
        let record = parsed.map_err(error::foreign)?;
        let owner = &record.locked_by;
        let (left, token) = (record.remaining(now), record.fencing_token);
        let is_ours = request.write(info)?.standing(owner) != Standing::Foreign;
        if is_ours || !left.is_zero() {
            let token = Some(token).filter(|token| *token > 0);
            let answer = request.answer_from_record(info, owner, left, token)?;
            return Ok(match answer {
                Acquisition::Granted(lease) => {
                    let begun = request.position_rule().and(record.position);
                    let lease = lease.taken_over_from(document::predecessor(document));
                    Acquisition::Granted(lease.at_position(begun))
                }
                refused @ Acquisition::Refused(_) => refused,
            });
        }
        // The lock is free, and the command did not take it.
        let refused = |rule: PositionRule| rule.next(record.position, now).err();
        if let Some(reason) = request.position_rule().and_then(refused) {
            let refusal = Refusal::of_position(reason, owner).with_position(record.position);
            return Ok(Acquisition::Refused(refusal));
        }
        let free_for = now.duration_since(record.lock_until).unwrap_or_default();
        if free_for > MOMENT {
            return Err(error::contradiction());
        }
        request.answer_from_record(info, owner, left, None)
    }

    /// The answer to an acquisition that found no document and made none.
    async fn answer_without_document(
        &self,
        request: &AcquireRequest,
    ) -> Result<Option<Acquisition>, LockError> {
        if let Some(found) = self.documents().find(request.name().as_str()).await? {
            let parsed = document::parse(&found, &self.documents().fields);
            return parsed.map(|_record| None).map_err(error::foreign);
        }
        let now = self.records.info().clock().utc();
        let refused = request
            .position_rule()
            .and_then(|rule| rule.next(None, now).err());
        Ok(refused.map(|reason| Acquisition::Refused(Refusal::of_position(reason, ""))))
    }

    async fn acquire_by_server(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        let write = request.write(self.records.info())?;
        let command = pipeline::acquire(
            &self.documents().fields,
            request.name().as_str(),
            &write,
            request.at_most(),
            request.position_rule(),
        );
        let mut is_in_doubt = false;
        let mut last_error = error::raced();
        for _ in 0..MOST_RACES {
            let decided = self.documents().decide(&command).await;
            let decided = decided.map_err(|error| doubted(error, is_in_doubt))?;
            is_in_doubt |= decided.is_repeated;
            let answer = match &decided.value {
                Some(document) => {
                    let Some(now) = document::now(document) else {
                        // A client of the user has sent the command twice by itself, and the server answers from its memory of the first
                        // time. The next command finds what that one has done.
                        is_in_doubt = true;
                        last_error = error::without_time();
                        continue;
                    };
                    self.answer(request, document, now).map(Some)
                }
                None => self.answer_without_document(request).await,
            };
            match answer.map_err(|error| doubted(error, is_in_doubt))? {
                Some(Acquisition::Refused(refusal)) if is_in_doubt => {
                    let refusal = refusal.after_a_request_without_answer();
                    return Ok(Acquisition::Refused(refusal));
                }
                Some(answer) => return Ok(answer),
                // Another program's document, or another node's that was made this moment.
                None => last_error = error::raced(),
            }
        }
        Err(doubted(last_error, is_in_doubt))
    }

    /// Carries out a write of the lease's owner.
    async fn change(&self, command: &Command, stored: &str) -> Result<Ownership, LockError> {
        let answer = self.documents().decide(command).await?;
        let locked_by = &self.documents().fields.locked_by;
        let found = answer.value.as_ref();
        let is_done =
            found.is_some_and(|it| it.get_str(locked_by).is_ok_and(|found| found == stored));
        Ok(if is_done {
            Ownership::Ours
        } else {
            Ownership::Lost
        })
    }
}

/// The `error` of an acquisition, of which an earlier command may have been carried out if it `is_in_doubt`.
fn doubted(error: LockError, is_in_doubt: bool) -> LockError {
    if is_in_doubt && !error.kind().is_ambiguous() {
        error::in_doubt(error)
    } else {
        error
    }
}

#[async_trait]
impl LockProvider for MongoLockProvider {
    fn info(&self) -> &ProviderInfo {
        self.records.info()
    }

    async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        if self.asks_time() {
            self.acquire_by_server(request).await
        } else {
            self.records.acquire(request).await
        }
    }

    async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        if !self.asks_time() {
            return self.records.extend(lease, at_most).await;
        }
        let (write, fields) = (lease.next_write()?, &self.documents().fields);
        let command = pipeline::extend(fields, lease.name().as_str(), &write, at_most);
        self.change(&command, write.stored()).await
    }

    async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        if !self.asks_time() {
            return self.records.release(lease, keep_for).await;
        }
        let (write, fields) = (lease.release_write()?, &self.documents().fields);
        let name = lease.name().as_str();
        let command = pipeline::release(fields, name, &write, keep_for, lease);
        self.change(&command, write.stored()).await
    }

    async fn forget_claims(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        LockRecords::forget(self, prefix, unused_for).await
    }
}

#[async_trait]
impl LockRecords for MongoLockProvider {
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
