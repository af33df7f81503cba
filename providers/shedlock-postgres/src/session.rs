//! A client with the statements that were prepared on it.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use shedlock_sql::{BoundStatement, Done};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Statement};

use crate::answer::Answer;
use crate::error::Error;
use crate::values::Value;

/// The statements prepared on one client: one for each text, and so a few dozen at most.
#[derive(Default)]
pub(crate) struct Prepared(Mutex<Vec<(Arc<str>, Cell)>>);

/// Filled by the first task that needs the statement.
type Cell = Arc<OnceCell<Statement>>;

impl Prepared {
    /// The statement of this text, prepared once: tasks that need it meanwhile wait for the first one.
    pub(crate) async fn get(
        &self,
        client: &Client,
        statement: &shedlock_sql::Statement,
    ) -> Result<Statement, Error> {
        let cell = self.cell(statement.text());
        if let Some(prepared) = cell.get() {
            return Ok(prepared.clone());
        }
        // Boxed, because this rare future would make the future of every call larger.
        let prepared = Box::pin(cell.get_or_try_init(async || {
            let types: Vec<_> = types(statement).collect();
            let prepared = client.prepare_typed(statement.text(), &types).await;
            prepared.map_err(Error::Driver)
        }));
        prepared.await.cloned()
    }

    /// Discards all statements.
    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn cell(&self, text: &Arc<str>) -> Cell {
        // No other code runs under the lock, so the vector is consistent even after a panic.
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = cells.iter().find(|(known, _)| known == text) {
            return Arc::clone(cell);
        }
        let cell = Cell::default();
        cells.push((Arc::clone(text), Arc::clone(&cell)));
        cell
    }
}

/// The types of the statement's values.
pub(crate) fn types(
    statement: &shedlock_sql::Statement,
) -> impl Iterator<Item = tokio_postgres::types::Type> {
    statement.params().iter().copied().map(Value::type_of)
}

/// Runs a prepared statement to its end and returns its rows.
pub(crate) async fn fetch(
    client: &Client,
    prepared: &Statement,
    bound: &BoundStatement<'_>,
) -> Result<Vec<Answer>, Error> {
    let rows = client.query_raw(prepared, values(bound)).await;
    let rows = rows
        .map_err(Error::Driver)?
        .map_ok(Answer::Typed)
        .try_collect();
    rows.await.map_err(Error::Driver)
}

/// Runs a prepared statement that returns no rows.
pub(crate) async fn execute(
    client: &Client,
    prepared: &Statement,
    bound: &BoundStatement<'_>,
) -> Result<Done, Error> {
    let rows = client.execute_raw(prepared, values(bound)).await;
    let rows = rows.map_err(Error::Driver)?;
    Ok(Done { rows, insert_id: 0 })
}

/// Runs an SQL text in one message; returns its rows, and how many rows it has found or changed.
pub(crate) async fn query(client: &Client, text: String) -> Result<(Vec<Answer>, u64), Error> {
    let messages = client.simple_query(&text).await.map_err(Error::Driver)?;
    Ok(Answer::read(messages))
}

fn values<'a>(bound: &BoundStatement<'a>) -> impl ExactSizeIterator<Item = Value<'a>> {
    let BoundStatement {
        statement, values, ..
    } = *bound;
    let params = statement.params().iter();
    params.map(move |param| Value::of(*param, values))
}
