//! Making the table and looking at it.

use std::time::Instant;

use shedlock_runtime::LockError;

use super::ask::OnceError;
use super::once::Context;
use super::operations::{Nature, Operation};
use super::{LIMIT, SET_UP_LIMIT, SqlLocks, errors, inspect};
use crate::driver::{Connection as _, Driver, Replaced};
use crate::fault::{Cure, Fault};
use crate::schema::{Description, SchemaReport};
use crate::statements::TokenColumn;

const ABOUT_THE_TABLE: Nature = Nature {
    is_about_the_table: true,
    ..Nature::PLAIN
};

impl<D: Driver> SqlLocks<D> {
    /// Creates the table if it is not there, with a column for fencing tokens and room for every name. A table that is there is
    /// left as it is.
    ///
    /// # Errors
    ///
    /// The database's user may not create tables, or the database cannot be reached.
    ///
    /// # Cancel safety
    ///
    /// The table is made or not; the call can be made again.
    pub async fn ensure_schema(&self) -> Result<(), LockError> {
        self.forget_columns();
        self.ask_within(SET_UP_LIMIT, &EnsureTable).await
    }

    /// Judges the table and the session.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`](shedlock_runtime::ErrorKind::Schema) with everything that must be changed, and how;
    /// [`ErrorKind::Configuration`](shedlock_runtime::ErrorKind::Configuration) or
    /// [`ErrorKind::ReadOnly`](shedlock_runtime::ErrorKind::ReadOnly) if nothing but the session is wrong. Otherwise the database
    /// could not be asked.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn check_schema(&self) -> Result<SchemaReport, LockError> {
        let description = self.ask_within(SET_UP_LIMIT, &Describe).await?;
        description.check(&self.table.load().names)
    }

    /// Opens a connection, and looks which table it is and whether that has a column for fencing tokens, so that the first
    /// acquisition need not find out.
    ///
    /// # Errors
    ///
    /// There is no connection. That the table is missing is no error yet.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn warm_up(&self) -> Result<(), LockError> {
        let began = Instant::now();
        let mut replaced = Replaced::default();
        let checkout = self.driver.checkout(LIMIT, LIMIT, &mut replaced).await;
        let none = |none| errors::no_connection::<D>(&self.names, none, began);
        let mut connection = checkout.map_err(none)?;
        let look = self.look_around(&mut connection);
        // Whether the answers are good or bad, the first statement that needs them asks again.
        if let Ok(Some(())) = tokio::time::timeout(LIMIT, look).await {
            connection.give_back();
        }
        Ok(())
    }

    /// Nothing if the connection is not to be used again.
    async fn look_around(&self, connection: &mut D::Connection) -> Option<()> {
        self.find_table_once(connection).await.ok()?;
        let probe = self.table.load().statements(true).probe.text().to_string();
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

/// Makes the table if it is not there. A user who may not create tables can ask for it when somebody else has.
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
        // So that the first lock need not look. What is wrong with a table that was there is not asked here.
        locks.find_table_once(connection).await?;
        drop(locks.inspect_table_once(connection).await);
        Ok(())
    }
}

/// Asks what the table and the session are like.
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
