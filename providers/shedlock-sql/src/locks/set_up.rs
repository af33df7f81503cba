//! Creates the table, and inspects it.

use std::time::Instant;

use shedlock_runtime::LockError;

use super::ask::OnceError;
use super::history::{CheckHistory, EnsureHistory};
use super::once::Context;
use super::operations::{About, Nature, Operation};
use super::{LIMIT, SET_UP_LIMIT, SqlLocks, errors, inspect};
use crate::driver::{Connection as _, Driver, Replaced};
use crate::fault::{Cure, Fault};
use crate::schema::{Description, SchemaReport};
use crate::statements::TokenColumn;

pub(super) const ABOUT_THE_TABLE: Nature = Nature {
    about: About::Table,
    ..Nature::PLAIN
};

impl<D: Driver> SqlLocks<D> {
    /// Creates the table if it does not exist, with a column for fencing tokens and room for every valid lock name, and the table of the
    /// history if there is to be one. An existing table is not changed.
    ///
    /// # Errors
    ///
    /// The database's user may not create tables, or the database cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have created the table; the call can be repeated.
    pub async fn ensure_schema(&self) -> Result<(), LockError> {
        self.forget_columns();
        self.ask_within(SET_UP_LIMIT, &EnsureTable).await?;
        match &self.history {
            Some(history) => self.ask_within(SET_UP_LIMIT, &EnsureHistory(history)).await,
            None => Ok(()),
        }
    }

    /// Inspects the table and the session for problems with locks, and whether the history has its table, columns and privileges.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) with all necessary changes to the table;
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) or
    /// [`ErrorKind::ReadOnly`](shedlock_runtime::ErrorKind::ReadOnly) if only the session is wrong; another kind if the database
    /// could not be queried.
    ///
    /// # Cancel safety
    ///
    /// The call changes nothing.
    pub async fn check_schema(&self) -> Result<SchemaReport, LockError> {
        let description = self.ask_within(SET_UP_LIMIT, &Describe).await?;
        let report = description.check(&self.table.load().names)?;
        if let Some(history) = &self.history {
            self.ask_within(SET_UP_LIMIT, &CheckHistory(history))
                .await?;
        }
        Ok(report)
    }

    /// Opens a connection, finds the table, and checks whether the table has a column for fencing tokens, so that the first
    /// acquisition need not do so.
    ///
    /// # Errors
    ///
    /// No connection could be opened. A missing table is not an error here.
    ///
    /// # Cancel safety
    ///
    /// The call changes nothing in the database.
    pub async fn warm_up(&self) -> Result<(), LockError> {
        let began = Instant::now();
        let mut replaced = Replaced::default();
        let checkout = self.driver.checkout(LIMIT, LIMIT, &mut replaced).await;
        let none = |none| errors::no_connection::<D>(&self.names, none, began);
        let mut connection = checkout.map_err(none)?;
        let look = self.look_around(&mut connection);
        // Errors are ignored: the first statement that needs these answers queries them again.
        if let Ok(Some(())) = tokio::time::timeout(LIMIT, look).await {
            connection.give_back();
        }
        Ok(())
    }

    /// Inspects the table; none if the connection must not be reused.
    async fn look_around(&self, connection: &mut D::Connection) -> Option<()> {
        self.find_table_once(connection).await.ok()?;
        let is_shared = connection.is_shared();
        let probe = self
            .table
            .load()
            .statements(is_shared)
            .probe
            .text()
            .to_string();
        let answer = connection.query(probe).await;
        let fault = answer.as_ref().err().and_then(D::fault);
        let column = match fault {
            Some(Fault::MissingColumn) => TokenColumn::Missing,
            _ => TokenColumn::Present,
        };
        self.change_table(|table| table.column = column);
        self.inspect_table_once(connection).await.ok()?;
        let is_good = answer.is_ok() || fault.is_some_and(|fault| fault.cure() == Cure::None);
        is_good.then_some(())
    }
}

/// Creates the table if it does not exist. A user without the privilege to create tables succeeds if the table exists.
struct EnsureTable;

impl Operation for EnsureTable {
    type Answer = ();

    const NATURE: Nature = ABOUT_THE_TABLE;

    async fn run<D: Driver>(
        &self,
        locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<(), OnceError<D::Error>> {
        let probe = context.statements.probe.text().to_string();
        let mut done = connection.query(probe).await;
        match done.as_ref().err().and_then(D::fault) {
            Some(Fault::MissingTable) => done = connection.query(context.table.names.ddl()).await,
            Some(Fault::MissingColumn) => done = Ok(Vec::new()),
            _ => {}
        }
        drop(done?);
        // Spares the first lock this query. An existing table is not inspected for problems here.
        locks.find_table_once(connection).await?;
        drop(locks.inspect_table_once(connection).await);
        Ok(())
    }
}

/// Queries the properties of the table and the session.
struct Describe;

impl Operation for Describe {
    type Answer = Description;

    const NATURE: Nature = ABOUT_THE_TABLE;

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<Description, OnceError<D::Error>> {
        let names = &context.table.names;
        Ok(inspect::describe::<D>(connection, names, context.statements).await?)
    }
}
