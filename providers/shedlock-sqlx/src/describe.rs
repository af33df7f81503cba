//! What a database says of the table.
//!
//! Each question is one message, without values to bind and without a name: behind a pooler, what is prepared by name stays on
//! a connection that others get next, and the next message may go to another connection.

use shedlock_sql::{Cure, Description, Inspection, Names, Sending, Statements};
use sqlx::{AssertSqlSafe, ColumnIndex, Decode, Executor, Row, Type};

use crate::store::Backend;

/// The answers to the [`Inspection`] of the table.
#[cfg(feature = "postgres")]
pub(crate) async fn postgres(
    connection: &mut sqlx::PgConnection,
    names: &Names,
    statements: &Statements,
) -> Result<Description, sqlx::Error> {
    let described = begin::<sqlx::Postgres>(connection, names, statements).await?;
    if !described.wants_trial(names) {
        return Ok(described);
    }
    let acquire = statements.acquire(described.token_column(names), Sending::First);
    let values = shedlock_sql::Values {
        name: "",
        first: "",
        owner: "",
        lease: 0,
        now: 0,
        until: 0,
    };
    let acquire = acquire.with_postgres_literals(&values);
    try_out::<sqlx::Postgres>(connection, described, &acquire).await
}

/// The answers to the [`Inspection`] of the table.
#[cfg(feature = "mysql")]
pub(crate) async fn mysql(
    connection: &mut sqlx::MySqlConnection,
    names: &Names,
    statements: &Statements,
) -> Result<Description, sqlx::Error> {
    let described = begin::<sqlx::MySql>(connection, names, statements).await?;
    let Some(table) = described.behind(names) else {
        return Ok(described);
    };
    let ask = Inspection::of(&table).catalogue;
    let facts = texts::<sqlx::MySql, { Inspection::FACT }>(connection, ask).await?;
    Ok(described.with_behind(Description::read(&facts)))
}

/// The answers to the [`Inspection`] of the table.
#[cfg(feature = "sqlite")]
pub(crate) async fn sqlite(
    connection: &mut sqlx::SqliteConnection,
    names: &Names,
    statements: &Statements,
) -> Result<Description, sqlx::Error> {
    let described = begin::<sqlx::Sqlite>(connection, names, statements).await?;
    if !described.wants_trial(names) {
        return Ok(described);
    }
    // Nothing is bound: nothing is run.
    let acquire = statements.acquire(described.token_column(names), Sending::First);
    try_out::<sqlx::Sqlite>(connection, described, acquire.text()).await
}

/// What each database is asked.
async fn begin<DB>(
    connection: &mut DB::Connection,
    names: &Names,
    statements: &Statements,
) -> Result<Description, sqlx::Error>
where
    DB: Backend,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    usize: ColumnIndex<DB::Row>,
    Option<String>: for<'r> Decode<'r, DB> + Type<DB>,
{
    let ask = Inspection::of(names);
    let mut facts = texts::<DB, { Inspection::FACT }>(connection, ask.catalogue).await?;
    // That the table, or one of its columns, is not there is a finding, not a failure.
    if let Some(mixing) = ask.mixing {
        let mixing = texts::<DB, { Inspection::FACT }>(connection, mixing).await;
        facts.extend(found::<DB, _>(mixing)?);
    }
    let mut described = Description::read(&facts);
    if let Some(definition) = ask.definition {
        let rows = found::<DB, _>(texts::<DB, 2>(connection, definition).await)?;
        if let Some([_table, definition]) = rows.first() {
            described = described.with_definition(definition);
        }
    }
    let future = statements.suspicious_row.text().to_string();
    let locks = found::<DB, _>(texts::<DB, 1>(connection, future).await)?;
    Ok(described.with_suspicious_row(locks.into_iter().next().map(|[lock]| lock)))
}

/// Has the statement that takes a lock planned, and not run.
async fn try_out<DB>(
    connection: &mut DB::Connection,
    described: Description,
    acquire: &str,
) -> Result<Description, sqlx::Error>
where
    DB: Backend,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let explain = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN {acquire}")));
    let refusal = match connection.fetch_all(explain).await {
        Ok(_plan) => return Ok(described),
        Err(error) => refused::<DB>(error)?,
    };
    Ok(described.with_refusal(Some(refusal)))
}

/// The rows, or none if the database refused to look for them.
fn found<DB: Backend, T>(rows: Result<Vec<T>, sqlx::Error>) -> Result<Vec<T>, sqlx::Error> {
    rows.or_else(|error| refused::<DB>(error).map(|_why| Vec::new()))
}

/// What the database has against a question, unless that is no affair of the table.
fn refused<DB: Backend>(error: sqlx::Error) -> Result<String, sqlx::Error> {
    match error {
        // Nothing helps: it is the table.
        sqlx::Error::Database(refusal) if DB::fault(&*refusal).cure() == Cure::None => {
            Ok(refusal.message().to_owned())
        }
        error => Err(error),
    }
}

/// The first columns of what a question finds, with NULL as nothing.
async fn texts<DB, const N: usize>(
    connection: &mut DB::Connection,
    question: String,
) -> Result<Vec<[String; N]>, sqlx::Error>
where
    DB: Backend,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    usize: ColumnIndex<DB::Row>,
    Option<String>: for<'r> Decode<'r, DB> + Type<DB>,
{
    // The names in it are checked, and quoted for the dialect: see `shedlock_sql::Names`.
    let question = sqlx::raw_sql(AssertSqlSafe(question));
    let text = |row: &DB::Row| {
        let mut texts = [const { String::new() }; N];
        for (at, text) in texts.iter_mut().enumerate() {
            // Servers differ in which kind of text they give, and a session may take an empty one for NULL.
            let found: Option<String> = row.try_get_unchecked(at)?;
            *text = found.unwrap_or_default();
        }
        Ok(texts)
    };
    connection
        .fetch_all(question)
        .await?
        .iter()
        .map(text)
        .collect()
}
