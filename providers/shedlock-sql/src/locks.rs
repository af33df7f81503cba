//! Locks in a table, over any driver: the operations of a provider.

mod ask;
mod cure;
mod errors;
mod find;
mod held_row;
mod history;
mod inspect;
mod once;
mod operations;
mod operators;
mod options;
mod set_up;
mod table;
mod user_transaction;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use shedlock_runtime::{
    AcquireRequest, Acquisition, Capabilities, ErrorKind, Expiry, Fencing, Lease, LockError,
    Ownership, ProviderInfo, RunHistory,
};
use tokio::sync::Semaphore;

use crate::driver::Driver;
use crate::names::Names;
use crate::statements::LockClock;
use ask::AskError;
use history::History;
use operations::{Acquire, AcquirePosition, Extend, Holder, Operation, Release};
use table::Table;

pub use held_row::HeldRow;
pub(crate) use once::Context;
pub use options::SqlOptions;
pub use user_transaction::UserTransaction;

/// The time limit of an extension or a release, as long as the runtime waits for one.
const LIMIT: Duration = Duration::from_secs(5);
/// The time limit of creating or inspecting the table and of operators' calls, as another session may have locked the table.
const SET_UP_LIMIT: Duration = Duration::from_secs(30);
/// The size of the name's column, ShedLock's `VARCHAR(64)`.
const MAX_NAME_CHARS: usize = 64;

/// The locks in one table, over a [`Driver`].
///
/// A provider crate implements the driver, and delegates each method of [`LockProvider`](shedlock_runtime::LockProvider) to the method of
/// the same name of `SqlLocks`. `SqlLocks` chooses the statement, interprets the answer, and decides what to do after an error.
///
/// See [`Driver`] for an example.
pub struct SqlLocks<D: Driver> {
    info: ProviderInfo,
    driver: D,
    /// The names as configured.
    names: Names,
    clock: LockClock,
    /// Whether statements are prepared by name, if the program has configured that.
    persistent: Option<bool>,
    /// Whether an error has shown that there is a pooler which loses statements prepared by name.
    is_pooled: AtomicBool,
    table: ArcSwap<Table>,
    history: Option<History>,
    /// Held by the call that retries at a busy row, if all calls share a connection.
    retrying: Semaphore,
}

impl<D: Driver> SqlLocks<D> {
    /// Creates the locks in the table of these `names`, without opening a connection.
    pub fn new(driver: D, names: Names, options: SqlOptions) -> Self {
        let expiry = match options.clock {
            LockClock::Client => Expiry::ByClientClock,
            LockClock::Database => Expiry::ByStoreClock,
        };
        let capabilities = Capabilities::new()
            .with_expiry(expiry)
            // On a table with a column for fencing tokens.
            .with_fencing(Fencing::Always)
            .with_max_name_chars(MAX_NAME_CHARS)
            // On a table with the columns for positions.
            .with_positions()
            .with_takeovers();
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
            history: options.history,
            retrying: Semaphore::new(1),
        }
    }

    /// The provider's name, node name, clock and capabilities.
    pub fn info(&self) -> &ProviderInfo {
        &self.info
    }

    /// The names of the table and its columns, as configured.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The driver that was passed to [`new`](Self::new).
    pub fn driver(&self) -> &D {
        &self.driver
    }

    /// The history of runs, if [`SqlOptions::with_history`] has asked for one; see
    /// [`LockProvider::run_history`](shedlock_runtime::LockProvider::run_history).
    pub fn run_history(&self) -> Option<&dyn RunHistory> {
        self.history.is_some().then_some(self)
    }

    /// Takes the lock; see [`LockProvider::acquire`](shedlock_runtime::LockProvider::acquire).
    ///
    /// # Errors
    ///
    /// The errors of `LockProvider::acquire`.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may still be granted the lock; the runtime finds and releases such a lock.
    pub async fn acquire(&self, request: &AcquireRequest) -> Result<Acquisition, LockError> {
        // Ends before the runtime gives up: "no connection" is a better answer than "no answer".
        let limit = request.config().timeout() / 10 * 9;
        let asked = match request.position_rule() {
            None => self.ask(&Acquire(request), limit).await,
            Some(rule) => Box::pin(self.ask(&AcquirePosition(request, rule), limit)).await,
        };
        match asked {
            Ok(reply) => {
                let answered = reply.answer.answer(request);
                if let Ok(Acquisition::Granted(_)) = &answered {
                    self.note_row(request);
                }
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

    /// Keeps the row of a granted lock with the lease, for transactions of the user.
    fn note_row(&self, request: &AcquireRequest) {
        let table = self.table.load_full();
        if let Some(row) = HeldRow::of(request, &self.info, self.clock, table) {
            request.note(&self.info, row);
        }
    }

    /// Extends the lease; see [`LockProvider::extend`](shedlock_runtime::LockProvider::extend).
    ///
    /// # Errors
    ///
    /// The errors of `LockProvider::extend`.
    ///
    /// # Cancel safety
    ///
    /// The extension of a dropped call may still be executed later.
    pub async fn extend(&self, lease: &Lease, at_most: Duration) -> Result<Ownership, LockError> {
        let extend = Extend {
            lock: lease.name(),
            write: &lease.next_write()?,
            at_most,
        };
        self.change(&extend).await
    }

    /// Releases the lock; see [`LockProvider::release`](shedlock_runtime::LockProvider::release).
    ///
    /// # Errors
    ///
    /// The errors of `LockProvider::release`.
    ///
    /// # Cancel safety
    ///
    /// The release of a dropped call may still be executed later.
    pub async fn release(&self, lease: &Lease, keep_for: Duration) -> Result<Ownership, LockError> {
        let release = Release {
            lease,
            write: &lease.release_write()?,
            keep_for,
        };
        self.change(&release).await
    }

    /// Writes to the row of a held lock: extends or releases it.
    async fn change(&self, change: &impl Operation<Answer = u64>) -> Result<Ownership, LockError> {
        let reply = self.ask(change, LIMIT / 10 * 9).await?;
        Ok(match reply.answer {
            0 => Ownership::Lost,
            _ => Ownership::Ours,
        })
    }

    /// The answer if the table stayed busy for the whole time: "held" only if the record shows a holder.
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

    /// Runs an operation that the runtime does not limit: creating or inspecting the table, or an operator's call.
    async fn ask_within<O: Operation>(
        &self,
        limit: Duration,
        operation: &O,
    ) -> Result<O::Answer, LockError> {
        // The last tenth of the time is for the report of what is wrong.
        match tokio::time::timeout(limit, self.ask(operation, limit / 10 * 9)).await {
            Ok(reply) => Ok(reply?.answer),
            Err(_elapsed) => {
                let problem = format!("no answer within {limit:?}");
                Err(LockError::new(ErrorKind::Timeout, problem))
            }
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

/// Marks the answer as in doubt: an earlier request of the same call got no answer, and may still be granted.
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
