//! The reaction to a connection that gave no answer: retry on this connection or another one, or return the error.

use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use shedlock_runtime::ErrorKind;

use super::SqlLocks;
use super::ask::{AskError, Effort, OnceError};
use super::errors;
use super::operations::{Nature, OptionalColumns};
use crate::dialect::Dialect;
use crate::driver::{Connection as _, Driver, Reach};
use crate::fault::{Cure, Fault};
use crate::names::Names;
use crate::statements::TokenColumn;

/// How many connections one call replaces at most.
const MOST_REPLACED: u32 = 2;

/// The operation that a connection has not answered.
#[derive(Clone, Copy)]
pub(super) struct Asked<'n> {
    pub(super) nature: Nature,
    /// The names of the table that it uses.
    pub(super) names: &'n Names,
}

impl<D: Driver> SqlLocks<D> {
    /// Prepares a retry after a connection gave no answer, or returns the error that ends the call.
    pub(super) async fn after(
        &self,
        error: OnceError<D::Error>,
        connection: D::Connection,
        asked: Asked<'_>,
        effort: &mut Effort,
    ) -> Option<AskError> {
        match error {
            OnceError::Driver(error) if D::fault(&error) == Some(Fault::ForeignTransaction) => {
                self.leave_transaction(connection, effort).await
            }
            OnceError::Driver(error) => self.after_fault(error, connection, asked, effort).await,
            OnceError::Refused(refused) => {
                // The state of a shared connection may be the reason for the refusal, so it is not returned for reuse.
                let is_state = refused.kind() == ErrorKind::Configuration;
                if !is_state || !connection.is_shared() {
                    connection.give_back();
                }
                Some(AskError::Failed(refused))
            }
            OnceError::InsideTransaction => self.leave_transaction(connection, effort).await,
            OnceError::Moved => {
                let is_last = self.replace(connection, effort, Reach::All);
                is_last.then(|| AskError::Failed(errors::moved()))
            }
            OnceError::Silent(part) => {
                // A connection of a pool may only be slow.
                let reach = if connection.is_shared() {
                    Reach::One
                } else {
                    Reach::All
                };
                let is_last = self.replace(connection, effort, reach);
                effort.unsure = Some(errors::silent(part));
                is_last.then(|| AskError::Failed(errors::silent(part)))
            }
        }
    }

    /// Prepares a retry after an error of the database or the network, or returns the error that ends the call.
    async fn after_fault(
        &self,
        error: D::Error,
        connection: D::Connection,
        asked: Asked<'_>,
        effort: &mut Effort,
    ) -> Option<AskError> {
        let fault = D::fault(&error);
        match fault.map_or(Cure::NewConnection, Fault::cure) {
            Cure::None => {
                self.explain(connection, asked, (fault, error), effort)
                    .await
            }
            Cure::AskAgain => {
                connection.give_back();
                self.wait_for_others(error, asked, effort).await
            }
            Cure::NewConnection => {
                if fault == Some(Fault::Pooler) {
                    self.is_pooled.store(true, Ordering::Relaxed);
                }
                let reach = match fault {
                    Some(Fault::ReadOnly | Fault::Unavailable | Fault::Login) => Reach::Server,
                    Some(Fault::OtherZone) => Reach::One,
                    _ => Reach::All,
                };
                let is_last = self.replace(connection, effort, reach);
                let error = D::failed(asked.names, error);
                let may_be_done = error.kind().is_ambiguous() && !asked.nature.can_be_repeated;
                if is_last || may_be_done || effort.left().is_zero() {
                    return Some(AskError::Failed(error));
                }
                if error.kind().is_ambiguous() {
                    effort.unsure = Some(error);
                }
                None
            }
        }
    }

    /// Pauses before a retry at a busy row, table or file, if there is time for one.
    async fn wait_for_others(
        &self,
        error: D::Error,
        asked: Asked<'_>,
        effort: &mut Effort,
    ) -> Option<AskError> {
        let dialect = D::DIALECT;
        let wait = self.driver.row_wait();
        let pauses = effort.pauses.get_or_insert_with(|| pauses(dialect, wait));
        match pauses.next() {
            Some(pause) if effort.is_enough_for(pause + wait, dialect) => {
                tokio::time::sleep(pause).await;
                None
            }
            _ => Some(AskError::Busy(D::failed(asked.names, error))),
        }
    }

    /// Closes the connection and those within `reach`. Returns true if another connection would not help.
    fn replace(&self, connection: D::Connection, effort: &mut Effort, reach: Reach) -> bool {
        // A pool does not say which connection is new; after its idle ones are closed, the next one usually is.
        let most = match reach {
            Reach::Server => 1,
            Reach::One | Reach::All => MOST_REPLACED,
        };
        let is_last = connection.is_new() || effort.replaced.count() >= most;
        if is_last && reach == Reach::Server {
            // The connection itself is usable.
            connection.give_back();
        } else {
            self.driver.close(connection, &mut effort.replaced, reach);
        }
        is_last
    }

    /// Closes a connection that is inside a transaction of other code, without committing that transaction.
    async fn leave_transaction(
        &self,
        mut connection: D::Connection,
        effort: &mut Effort,
    ) -> Option<AskError> {
        let look = errors::of_settings::<D>(&mut connection, &self.names);
        let refused = tokio::time::timeout(effort.left(), look).await;
        let is_last = self.replace(connection, effort, Reach::One);
        if let Ok(Ok(Some(refused))) = refused {
            return Some(AskError::Failed(refused));
        }
        let is_over = is_last || effort.left().is_zero();
        is_over.then(|| AskError::Failed(errors::inside_transaction()))
    }

    /// The error that ends the call, if a retry cannot help; none if the table only turned out to lack the column for fencing
    /// tokens, so that the statement without it is tried next.
    async fn explain(
        &self,
        mut connection: D::Connection,
        asked: Asked<'_>,
        (fault, error): (Option<Fault>, D::Error),
        effort: &mut Effort,
    ) -> Option<AskError> {
        // Nothing about the table of the history is a reason to look at that of the locks.
        if asked.names.is_history() {
            connection.give_back();
            return Some(AskError::Failed(D::failed(asked.names, error)));
        }
        // Decided by what this call has sent, not by the shared facts of the table: another call may have updated those meanwhile.
        if fault == Some(Fault::MissingColumn)
            && asked.nature.columns == OptionalColumns::Token
            && !effort.has_left_the_token_out
        {
            effort.has_left_the_token_out = true;
            connection.give_back();
            self.change_table(|table| table.column = TokenColumn::Missing);
            return None;
        }
        // The table was dropped or renamed, so the next call finds it anew.
        if fault == Some(Fault::MissingTable) {
            self.forget_table();
        } else {
            self.forget_columns();
        }
        let precise = match fault {
            Some(fault) => self.diagnose(&mut connection, fault, asked.nature).await,
            None => None,
        };
        connection.give_back();
        Some(AskError::Failed(match precise {
            Some(precise) => precise.with_source(error),
            None => D::failed(asked.names, error),
        }))
    }
}

/// The pauses between tries: for as long as there is time where "busy" is brief, otherwise three, and more where a try that waits for a
/// lock is shorter than the dialect's.
fn pauses(dialect: Dialect, wait: Duration) -> ExponentialBackoff {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(4))
        .with_max_delay(Duration::from_millis(60))
        .with_jitter();
    if dialect.is_busy_briefly() {
        pauses.without_max_times().build()
    } else {
        let tries = dialect.row_wait().as_millis() / wait.as_millis().max(1);
        let tries = usize::try_from(tries).unwrap_or(1).max(1);
        pauses.with_max_times(3 * tries).build()
    }
}
