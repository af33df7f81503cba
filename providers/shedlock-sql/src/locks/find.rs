//! Finds the schema of an unqualified table name.

use crate::dialect::Dialect;
use crate::driver::{Connection as _, Driver, Row as _};
use crate::names::Names;

/// Where the table was found.
pub(super) enum Found {
    /// In this schema; none if there is no table, or if every connection resolves the name in the same way.
    Table {
        schema: Option<String>,
        /// Whether statements detect by themselves that they are inside a transaction of other code.
        statements_tell: bool,
    },
    /// A temporary table, which only one connection sees.
    Temporary,
}

/// Finds the schema of an unqualified table name.
pub(super) async fn find<D: Driver>(
    connection: &mut D::Connection,
    names: &Names,
) -> Result<Found, D::Error> {
    match D::DIALECT {
        Dialect::Postgres => find_in_postgres::<D>(connection, names).await,
        Dialect::MySql => find_in_mysql::<D>(connection, names).await,
        // An unqualified name refers to the schema `main`: see `Names::quoted_table`.
        Dialect::Sqlite => Ok(Found::Table {
            schema: Some("main".to_owned()),
            statements_tell: false,
        }),
    }
}

async fn find_in_postgres<D: Driver>(
    connection: &mut D::Connection,
    names: &Names,
) -> Result<Found, D::Error> {
    let found = |schema| Found::Table {
        schema,
        statements_tell: true,
    };
    if names.schema().is_some() {
        return Ok(found(None));
    }
    let rows = connection.query(names.find_schema()).await?;
    let Some(row) = rows.first() else {
        return Ok(found(None));
    };
    Ok(match row.text(0)? {
        Some(schema) => found(Some(schema.to_owned())),
        None => Found::Temporary,
    })
}

async fn find_in_mysql<D: Driver>(
    connection: &mut D::Connection,
    names: &Names,
) -> Result<Found, D::Error> {
    let rows = connection.query("SELECT DATABASE(), VERSION()".to_owned());
    let rows = rows.await?;
    let row = rows.first();
    let text = |column| row.map(|row| row.text(column)).transpose();
    let (database, version) = (text(0)?.flatten(), text(1)?.flatten());
    Ok(Found::Table {
        schema: database
            .filter(|_| names.schema().is_none())
            .map(str::to_owned),
        // MySQL has no variable that shows whether there is a transaction; MariaDB has one.
        statements_tell: version.unwrap_or_default().contains("MariaDB"),
    })
}
