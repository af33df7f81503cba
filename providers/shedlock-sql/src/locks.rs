//! Locks in a table, over any driver: what a provider asks, and what it answers.

mod ask;
mod cure;
mod errors;
mod inspect;
mod once;
mod operations;
mod operators;
mod options;
mod set_up;
mod table;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, ErrorKind, Expiry, Fencing, Lease, LockError,
    LockInfo, LockName, Overrule, Ownership, ProviderInfo, Selection,
};

use crate::driver::Driver;
use crate::names::Names;
use crate::statements::LockClock;
use ask::AskError;
use operations::{Acquire, Extend, Holder, Operation, Release};
use operators::{Forget, Read};
use table::Table;

pub(crate) use once::Context;
pub use options::SqlOptions;

/// What an extension or a release may take; as long as the runtime waits for one.
const LIMIT: Duration = Duration::from_secs(5);
/// What setting up may take, or reading all rows: another session may be at the table.
const SET_UP_LIMIT: Duration = Duration::from_secs(30);
/// ShedLock's `VARCHAR(64)`.
const MAX_NAME_CHARS: usize = 64;

/// The locks in one table, over a [`Driver`].
///
/// A provider crate implements the driver, and passes each method of [`LockProvider`](shedlock_runtime::LockProvider) on to the method of
/// the same name of this type. This type decides which statement is sent, what an answer means, and what is done after an error.
///
/// See [`Driver`] for an example.
pub struct SqlLocks<D: Driver> {
    info: ProviderInfo,
    driver: D,
    /// As the program gave them.
    names: Names,
    clock: LockClock,
    /// Whether statements are prepared by name, where the program has said so.
    persistent: Option<bool>,
    /// Whether a pooler was found between us and the server that loses statements prepared by name.
    is_pooled: AtomicBool,
    table: ArcSwap<Table>,
}

impl<D: Driver> SqlLocks<D> {
    /// Locks in the table of these `names`. Nothing is connected to yet.
    pub fn new(driver: D, names: Names, options: SqlOptions) -> Self {
        let expiry = match options.clock {
            LockClock::Client => Expiry::ByClientClock,
            LockClock::Database => Expiry::ByStoreClock,
        };
        let capabilities = Capabilities::new()
            .with_expiry(expiry)
            // Where the table has a column for tokens.
            .with_fencing(Fencing::Always)
            .with_max_name_chars(MAX_NAME_CHARS);
        let info = ProviderInfo::new(D::DIALECT.provider_name())
            .with_node_name(&options.node)
            .with_capabilities(capabilities)
            .with_clock(options.time_source);
        Self {
            info,
            driver,
            table: ArcSwap::from_pointee(Table::unknown(names.clone(), options.clock)),
            names,
            clock: options.clock,
            persistent: options.persistent,
            is_pooled: AtomicBool::new(false),
        }
    }

    /// What the provider is.
    pub fn info(&self) -> &ProviderInfo {
        &self.info
    }

    /// The table's names as the program gave them.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The driver.
    pub fn driver(&self) -> &D {
        &self.driver
    }

    /// See [`LockProvider::acquire`](shedlock_runtime::LockProvider::acquire).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there: what a dropped call is granted, the runtime looks for.
    pub async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        // Before the runtime gives up: "no connection" is a better answer than "no answer".
        let limit = request.config().timeout() / 10 * 9;
        match self.ask(&Acquire(request), limit).await {
            Ok(reply) => {
                let answered = reply.answer.answer(request);
                if reply.is_in_doubt {
                    answered.map(in_doubt)
                } else {
                    answered
                }
            }
            Err(AskError::Failed(error)) => Err(error),
            Err(AskError::Busy(busy)) => {
                Box::pin(self.look_for_holder(request, limit / 10, busy)).await
            }
        }
    }

    /// See [`LockProvider::extend`](shedlock_runtime::LockProvider::extend).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there: the extension may be carried out later.
    pub async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let extend = Extend {
            lock: lease.name(),
            write: &lease.next_write()?,
            at_most,
        };
        self.change(&extend).await
    }

    /// See [`LockProvider::release`](shedlock_runtime::LockProvider::release).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there: the release may be carried out later.
    pub async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let release = Release {
            lock: lease.name(),
            write: &lease.next_write()?,
            keep_for,
        };
        self.change(&release).await
    }

    /// The records of locks, in no order.
    ///
    /// # Errors
    ///
    /// The database cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn records(&self, selection: Selection<'_>) -> Result<Vec<LockInfo>, LockError> {
        let limit = match selection {
            Selection::Name(_) => LIMIT,
            Selection::Prefix(_) => SET_UP_LIMIT,
        };
        self.ask_within(limit, &Read(selection)).await
    }

    /// Has an operator's word replace what the record of a lock says; false if there was nothing to change.
    ///
    /// The statement is sent only once: after an error of the kinds [`ErrorKind::Timeout`] and [`ErrorKind::Indeterminate`] it may still
    /// be carried out.
    ///
    /// # Errors
    ///
    /// The database cannot be asked, or the end of a pause has passed by the clock that decides.
    ///
    /// # Cancel safety
    ///
    /// The statement may be carried out.
    pub async fn overrule(
        &self,
        lock: &LockName,
        overrule: &Overrule<'_>,
    ) -> Result<bool, LockError> {
        operators::overrule(self, lock, overrule).await
    }

    /// Deletes some records of locks whose names begin with `prefix`, byte by byte, and that have been free for `unused_for`; says how
    /// many they were. When there are no more, it says zero.
    ///
    /// # Errors
    ///
    /// The database cannot be asked, or its user may not delete rows.
    ///
    /// # Cancel safety
    ///
    /// Some records may be deleted.
    pub async fn forget(&self, prefix: &str, unused_for: Duration) -> Result<u64, LockError> {
        let deleted = self
            .ask_within(LIMIT, &Forget::new(prefix, unused_for))
            .await;
        deleted.map_err(|error| self.needs_delete(error))
    }

    /// Changes the row of a held lock.
    async fn change(&self, change: &impl Operation<Answer = u64>) -> Result<Ownership, LockError> {
        let reply = self.ask(change, LIMIT / 10 * 9).await?;
        Ok(match reply.answer {
            0 => Ownership::Lost,
            _ => Ownership::Ours,
        })
    }

    /// What to answer when others were at the table to the end of the time: somebody holds the lock only if that can be seen.
    async fn look_for_holder(
        &self,
        request: &AcquireRequest,
        limit: Duration,
        busy: LockError,
    ) -> Result<Acquisition, LockError> {
        let holder = Holder(request.name());
        match tokio::time::timeout(limit, self.ask(&holder, limit)).await {
            Ok(Ok(reply)) => match reply.answer {
                Some(holder) => holder.answer(request),
                None => Err(busy),
            },
            _ => Err(busy),
        }
    }

    /// Asks what no runtime limits: setting up, and what operators do.
    async fn ask_within<O: Operation>(
        &self,
        limit: Duration,
        operation: &O,
    ) -> Result<O::Answer, LockError> {
        // What is left over is for saying what is wrong.
        match tokio::time::timeout(limit, self.ask(operation, limit / 10 * 9)).await {
            Ok(reply) => Ok(reply?.answer),
            Err(_elapsed) => {
                let problem = format!("no answer within {limit:?}");
                Err(LockError::new(ErrorKind::Timeout, problem))
            }
        }
    }

    /// Nothing else deletes rows, so a user who may do all the rest may lack this.
    fn needs_delete(&self, error: LockError) -> LockError {
        match error.kind() {
            ErrorKind::Permission => {
                error.with_remedy(format!("run: {}", self.names.grant_delete()))
            }
            _ => error,
        }
    }
}

impl<D: Driver> fmt::Debug for SqlLocks<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlLocks")
            .field("database", &D::DIALECT)
            .field("table", &self.names.table())
            .field("node", self.info.node_name())
            .finish_non_exhaustive()
    }
}

/// An earlier request of the same call got no answer, and may still be granted.
fn in_doubt(answer: Acquisition) -> Acquisition {
    match answer {
        Acquisition::Refused(refusal) => {
            Acquisition::Refused(refusal.after_a_request_without_answer())
        }
        granted @ Acquisition::Granted(_) => granted,
    }
}

#[cfg(test)]
mod tests;
