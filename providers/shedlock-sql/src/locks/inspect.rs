//! Queries the database's description of the table.
//!
//! Each query is one message, without values to bind and unprepared: behind a pooler, a prepared statement would stay on a connection
//! that other clients get next, and the next message may go to another connection.

use crate::answers::records;
use crate::dialect::Dialect;
use crate::driver::{Connection as _, Driver};
use crate::fault::Cure;
use crate::names::Names;
use crate::schema::{Description, Inspection};
use crate::statements::{Sending, Statements, Values};

/// Runs the [`Inspection`] of the table.
pub(super) async fn describe<D: Driver>(
    connection: &mut D::Connection,
    names: &Names,
    statements: &Statements,
) -> Result<Description, D::Error> {
    let described = ask::<D>(connection, names, statements).await?;
    if let Some(table) = described.behind(names) {
        let catalogue = Inspection::from_names(&table).catalogue;
        let facts = texts::<D, { Inspection::FACT }>(connection, catalogue).await?;
        return Ok(described.with_behind(Description::read(&facts)));
    }
    if !described.wants_trial(names) {
        return Ok(described);
    }
    let acquire = statements.acquire(described.token_column(names), Sending::First);
    let acquire = match D::DIALECT {
        Dialect::Postgres => acquire.with_postgres_literals(&Values::named("")),
        // `EXPLAIN` does not run the statement, so the values may stay unbound.
        Dialect::MySql | Dialect::Sqlite => acquire.text().to_string(),
    };
    // The statement is planned, and not run.
    let refusal = match connection.query(format!("EXPLAIN {acquire}")).await {
        Ok(_plan) => None,
        Err(error) => Some(refused::<D>(error)?),
    };
    Ok(described.with_refusal(refusal))
}

/// Runs the queries about the table that every database gets.
async fn ask<D: Driver>(
    connection: &mut D::Connection,
    names: &Names,
    statements: &Statements,
) -> Result<Description, D::Error> {
    let asked = Inspection::from_names(names);
    let mut facts = texts::<D, { Inspection::FACT }>(connection, asked.catalogue).await?;
    // A missing table or column is a finding, not a failure.
    if let Some(mixing) = asked.mixing {
        let mixing = texts::<D, { Inspection::FACT }>(connection, mixing).await;
        facts.extend(found::<D, _>(mixing)?);
    }
    let mut described = Description::read(&facts);
    if let Some(definition) = asked.definition {
        let rows = found::<D, _>(texts::<D, 2>(connection, definition).await)?;
        if let Some([_table, definition]) = rows.first() {
            described = described.with_definition(definition);
        }
    }
    let suspicious_row = statements.suspicious_row.text().to_string();
    let locks = found::<D, _>(texts::<D, 1>(connection, suspicious_row).await)?;
    Ok(described.with_suspicious_row(locks.into_iter().next().map(|[lock]| lock)))
}

/// The rows, or none if the database rejected the query because of the table.
fn found<D: Driver, T>(rows: Result<Vec<T>, D::Error>) -> Result<Vec<T>, D::Error> {
    rows.or_else(|error| refused::<D>(error).map(|_why| Vec::new()))
}

/// The database's message if it rejected a query because of the table; otherwise the error itself.
fn refused<D: Driver>(error: D::Error) -> Result<String, D::Error> {
    match D::fault(&error) {
        // A retry would not help, so the table is the cause.
        Some(fault) if fault.cure() == Cure::None => Ok(D::message(&error)),
        _ => Err(error),
    }
}

/// The first columns of a query's rows as texts. NULL is an empty text: a session may treat an empty text as NULL.
async fn texts<D: Driver, const N: usize>(
    connection: &mut D::Connection,
    question: String,
) -> Result<Vec<[String; N]>, D::Error> {
    let rows = connection.query(question).await?;
    rows.iter().map(records::texts::<N, _>).collect()
}
