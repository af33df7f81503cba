//! Implements the driver traits of `shedlock-sql` for tokio-postgres.

use std::time::{Duration, Instant};

use shedlock_runtime::LockError;
use shedlock_sql::{
    BoundStatement, Connection, Dialect, Done, Driver, Fault, Names, NoConnection, Reach, Replaced,
    Row as _,
};

use crate::answer::Answer;
use crate::connections::own::ROW_WAIT;
use crate::connections::{Checkout, Source};
use crate::error::Error;
use crate::session;

impl Driver for Source {
    type Error = Error;
    type Connection = Checkout;

    const DIALECT: Dialect = Dialect::Postgres;

    async fn checkout(
        &self,
        limit: Duration,
        part: Duration,
        replaced: &mut Replaced,
    ) -> Result<Checkout, NoConnection<Error>> {
        self.checkout_within(limit, part, replaced).await
    }

    fn close(&self, connection: Checkout, replaced: &mut Replaced, reach: Reach) {
        self.close_with_others(connection, replaced, reach);
    }

    fn row_wait(&self) -> Duration {
        if matches!(self, Self::Own(_)) {
            ROW_WAIT
        } else {
            Self::DIALECT.row_wait()
        }
    }

    fn fault(error: &Error) -> Option<Fault> {
        error.fault()
    }

    fn message(error: &Error) -> String {
        error.message()
    }

    fn failed(names: &Names, error: Error) -> LockError {
        error.failed(names)
    }

    fn unreachable(names: &Names, error: Error) -> LockError {
        error.unreachable(names)
    }
}

impl Connection for Checkout {
    type Error = Error;
    type Row = Answer;

    fn give_back(self) {
        self.return_it();
    }

    fn is_shared(&self) -> bool {
        !matches!(self, Self::Own(_))
    }

    fn is_new(&self) -> bool {
        match self {
            Self::Own(shared) => shared.is_new(),
            // Its statements may be out of date, so another try on the same client may help.
            Self::Client(_) => false,
            #[cfg(feature = "deadpool")]
            Self::Pool(pooled) => pooled.is_new(),
        }
    }

    fn may_be_dead(&self) -> bool {
        match self {
            Self::Own(shared) => shared.may_be_dead(),
            // There is no other client to turn to.
            Self::Client(_) => false,
            // A pool does not say how long a connection was idle.
            #[cfg(feature = "deadpool")]
            Self::Pool(pooled) => !pooled.is_new(),
        }
    }

    fn pulse(&self) -> impl Fn() -> Option<Instant> + Send + 'static {
        let last_answer = if let Self::Own(shared) = self {
            Some(shared.pulse())
        } else {
            None
        };
        move || last_answer.as_ref().map(|last_answer| last_answer())
    }

    fn can_prepare(&self) -> bool {
        if let Self::Own(shared) = self {
            shared.is_direct()
        } else {
            // The program configures this for its own connections, with `persistent_statements`.
            true
        }
    }

    async fn fetch(&mut self, bound: &BoundStatement<'_>) -> Result<Vec<Answer>, Error> {
        let fetched = if bound.is_prepared {
            let prepared = self.prepare(bound.statement).await?;
            session::fetch(self.client(), &prepared, bound).await
        } else {
            let query = session::query(self.client(), in_one_message(bound));
            query.await.map(|(rows, _count)| rows)
        };
        self.note_answer(fetched)
    }

    async fn execute(&mut self, bound: &BoundStatement<'_>) -> Result<Done, Error> {
        let executed = if bound.is_prepared {
            let prepared = self.prepare(bound.statement).await?;
            session::execute(self.client(), &prepared, bound).await
        } else {
            let query = session::query(self.client(), in_one_message(bound));
            query.await.map(|(_rows, rows)| Done { rows, insert_id: 0 })
        };
        self.note_answer(executed)
    }

    async fn query(&mut self, text: String) -> Result<Vec<Answer>, Error> {
        let queried = session::query(self.client(), text).await;
        self.note_answer(queried.map(|(rows, _count)| rows))
    }

    async fn is_inside_transaction(&mut self) -> Result<bool, Error> {
        // The time of a transaction is that of its first statement.
        let asked = self.query("SELECT now() <> statement_timestamp()".to_owned());
        match asked.await {
            Ok(rows) => {
                let inside = rows.first().map(|row| row.boolean(0)).transpose()?;
                Ok(inside.flatten() == Some(true))
            }
            Err(error) if error.fault() == Some(Fault::ForeignTransaction) => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// The statement with its values in one message, because a pooler may send the next message on another connection.
fn in_one_message(bound: &BoundStatement<'_>) -> String {
    bound.statement.with_postgres_literals(bound.values)
}
