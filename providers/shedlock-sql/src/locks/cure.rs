//! What is done when a connection gave no answer: ask again, on this connection or another one, or say what is wrong.

use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use shedlock_runtime::ErrorKind;

use super::SqlLocks;
use super::ask::{AskError, Effort, OnceError};
use super::errors;
use super::operations::Nature;
use crate::dialect::Dialect;
use crate::driver::{Connection as _, Driver, Reach};
use crate::fault::{Cure, Fault};
use crate::statements::TokenColumn;

/// How many connections one call gives up.
const MOST_REPLACED: u32 = 2;
impl<D: Driver> SqlLocks<D> {
    /// What to do when a connection gave no answer; the end of the call, if nothing.
    pub(super) async fn after(
        &self,
        error: OnceError<D::Error>,
        connection: D::Connection,
        nature: Nature,
        effort: &mut Effort,
    ) -> Option<AskError> {
        match error {
            OnceError::Driver(error) => self.after_fault(error, connection, nature, effort).await,
            OnceError::Refused(refused) => {
                // Of others' connections it may be the very state that is refused.
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
                // A pool's may only be slow.
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

    /// What to do after an error of the database or on the way there.
    async fn after_fault(
        &self,
        error: D::Error,
        connection: D::Connection,
        nature: Nature,
        effort: &mut Effort,
    ) -> Option<AskError> {
        let fault = D::fault(&error);
        match fault.map_or(Cure::NewConnection, Fault::cure) {
            Cure::None => {
                self.explain(connection, nature, (fault, error), effort)
                    .await
            }
            Cure::AskAgain => {
                connection.give_back();
                self.wait_for_others(error, effort).await
            }
            Cure::NewConnection => {
                if fault == Some(Fault::Pooler) {
                    self.is_pooled.store(true, Ordering::Relaxed);
                }
                let reach = match fault {
                    Some(Fault::ReadOnly | Fault::Unavailable | Fault::Login) => Reach::Server,
                    _ => Reach::All,
                };
                let is_last = self.replace(connection, effort, reach);
                let error = D::failed(&self.names, error);
                let may_be_done = error.kind().is_ambiguous() && !nature.can_be_repeated;
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

    /// Waits for others who are at the row, the table or the file, for as long as there is time.
    async fn wait_for_others(&self, error: D::Error, effort: &mut Effort) -> Option<AskError> {
        let dialect = D::DIALECT;
        let pauses = effort.pauses.get_or_insert_with(|| pauses(dialect));
        match pauses.next() {
            Some(pause) if effort.is_enough_for(pause + dialect.row_wait(), dialect) => {
                tokio::time::sleep(pause).await;
                None
            }
            _ => Some(AskError::Busy(D::failed(&self.names, error))),
        }
    }

    /// Closes the connection and those that were made with it; true if no other one would do better.
    fn replace(&self, connection: D::Connection, effort: &mut Effort, reach: Reach) -> bool {
        // Of a pool's connections nobody says which is new; when those that sat idle are closed, the next one mostly is.
        let most = match reach {
            Reach::Server => 1,
            Reach::One | Reach::All => MOST_REPLACED,
        };
        let is_last = connection.is_new() || effort.replaced.count() >= most;
        if is_last && reach == Reach::Server {
            // It is good otherwise.
            connection.give_back();
        } else {
            self.driver.close(connection, &mut effort.replaced, reach);
        }
        is_last
    }

    /// Gets rid of a connection inside somebody else's transaction, without committing or keeping any of it.
    async fn leave_transaction(
        &self,
        mut connection: D::Connection,
        effort: &mut Effort,
    ) -> Option<AskError> {
        let look = errors::is_autocommit_off::<D>(&mut connection);
        let off = tokio::time::timeout(effort.left(), look).await;
        let is_last = self.replace(connection, effort, Reach::One);
        if matches!(off, Ok(Ok(true))) {
            return Some(AskError::Failed(errors::autocommit_off()));
        }
        let is_over = is_last || effort.left().is_zero();
        is_over.then(|| AskError::Failed(errors::inside_transaction()))
    }

    /// What to answer after an error that asking again does not cure, unless the table was only found to lack a column that it
    /// may lack.
    async fn explain(
        &self,
        mut connection: D::Connection,
        nature: Nature,
        (fault, error): (Option<Fault>, D::Error),
        effort: &mut Effort,
    ) -> Option<AskError> {
        // By what this call has sent, and not by what is known of the table: another call may have found it out meanwhile.
        if fault == Some(Fault::MissingColumn)
            && nature.names_the_token
            && !effort.has_left_the_token_out
        {
            effort.has_left_the_token_out = true;
            connection.give_back();
            self.change_table(|table| table.column = TokenColumn::Missing);
            return None;
        }
        // The table is not as it was: look again next time.
        if fault == Some(Fault::MissingTable) {
            self.forget_table();
        } else {
            self.forget_columns();
        }
        let precise = match fault {
            Some(fault) => self.diagnose(&mut connection, fault).await,
            None => None,
        };
        connection.give_back();
        Some(AskError::Failed(match precise {
            Some(precise) => precise.with_source(error),
            None => D::failed(&self.names, error),
        }))
    }
}

/// The pauses between tries. Where "busy" is brief, for as long as there is time; else three times.
fn pauses(dialect: Dialect) -> ExponentialBackoff {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(4))
        .with_max_delay(Duration::from_millis(60))
        .with_jitter();
    if dialect.is_busy_briefly() {
        pauses.without_max_times().build()
    } else {
        pauses.with_max_times(3).build()
    }
}
