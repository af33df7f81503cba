//! Implements the driver traits of `shedlock-sql` for sqlx.

use std::time::Duration;

use shedlock_runtime::LockError;
use shedlock_sql::{
    BoundStatement, Connection, Dialect, Done, Driver, Fault, Names, NoConnection, Reach, Replaced,
};

use crate::connections::{Checkout, Source};
use crate::database::Backend;
use crate::error;

impl<DB: Backend> Driver for Source<DB> {
    type Error = sqlx::Error;
    type Connection = Checkout<DB>;

    const DIALECT: Dialect = DB::DIALECT;

    async fn checkout(
        &self,
        limit: Duration,
        part: Duration,
        replaced: &mut Replaced,
    ) -> Result<Checkout<DB>, NoConnection<sqlx::Error>> {
        self.checkout_within(limit, part, replaced).await
    }

    fn close(&self, connection: Checkout<DB>, replaced: &mut Replaced, reach: Reach) {
        self.close_with_others(connection, replaced, reach);
    }

    fn has_moved(&self, connection: &Checkout<DB>) -> bool {
        self.leads_elsewhere(connection)
    }

    async fn refuse_origin(
        &self,
        connection: &mut Checkout<DB>,
    ) -> Result<Option<LockError>, sqlx::Error> {
        match self.as_pool() {
            Some(pool) => DB::refuse_pool(connection, pool).await,
            None => Ok(None),
        }
    }

    fn fault(error: &sqlx::Error) -> Option<Fault> {
        error.as_database_error().map(DB::fault)
    }

    fn message(error: &sqlx::Error) -> String {
        match error.as_database_error() {
            Some(reported) => reported.message().to_owned(),
            None => error.to_string(),
        }
    }

    fn failed(names: &Names, error: sqlx::Error) -> LockError {
        error::failed::<DB>(names, error)
    }

    fn unreachable(names: &Names, error: sqlx::Error) -> LockError {
        error::unreachable::<DB>(names, error)
    }
}

impl<DB: Backend> Connection for Checkout<DB> {
    type Error = sqlx::Error;
    type Row = DB::AnswerRow;

    fn give_back(self) {
        self.return_it();
    }

    fn is_shared(&self) -> bool {
        matches!(self, Self::Pool(_))
    }

    fn is_new(&self) -> bool {
        self.was_opened_for_this_call()
    }

    fn may_be_dead(&self) -> bool {
        DB::IS_REMOTE && self.sat_idle()
    }

    fn can_prepare(&self) -> bool {
        match self {
            // The program configures this for its pool, with `persistent_statements`.
            Self::Pool(_) => true,
            Self::Own(own) => own.is_direct(),
        }
    }

    async fn fetch(
        &mut self,
        statement: &BoundStatement<'_>,
    ) -> Result<Vec<DB::AnswerRow>, sqlx::Error> {
        DB::fetch(self, statement).await
    }

    async fn execute(&mut self, statement: &BoundStatement<'_>) -> Result<Done, sqlx::Error> {
        DB::execute(self, statement).await
    }

    async fn query(&mut self, text: String) -> Result<Vec<DB::AnswerRow>, sqlx::Error> {
        DB::query(self, text).await
    }

    async fn is_inside_transaction(&mut self) -> Result<bool, sqlx::Error> {
        DB::is_inside_transaction(self).await
    }
}
