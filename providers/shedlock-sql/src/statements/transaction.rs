//! The statements about a held lock that run in a transaction of the user.

use super::Statement;
use super::TokenColumn;
use super::template::{Builder, Variant};
use crate::dialect::Dialect;

/// The statements about a held lock that run in a transaction of the user. None of them checks for a transaction.
#[derive(Debug, Clone)]
pub(crate) struct TransactionStatements {
    /// Marks the position as done if the lease is live and ours. The number of rows is one or zero.
    pub(crate) complete: Statement,
    /// Returns a row if the lease is live and ours.
    pub(crate) fence: Statement,
    /// Returns a row if the lock has a row, whoever holds the lock.
    pub(crate) row: Statement,
}

impl TransactionStatements {
    pub(super) fn new(builder: Builder<'_>) -> Self {
        let complete = include_str!("../../sql/shared/complete.sql");
        // Reads of PostgreSQL and MySQL lock the row; they would read an old snapshot otherwise.
        let (fence, row) = match builder.names.dialect() {
            Dialect::Postgres | Dialect::MySql => (
                include_str!("../../sql/shared/fence.sql"),
                "SELECT 1 FROM {table} WHERE {name} = {:name} FOR UPDATE",
            ),
            Dialect::Sqlite => (
                include_str!("../../sql/sqlite/fence.sql"),
                "SELECT 1 FROM {table} WHERE {name} = {:name}",
            ),
        };
        let build = |text| builder.build(text, Variant::on(TokenColumn::Present));
        Self {
            complete: build(complete),
            fence: build(fence),
            row: build(row),
        }
    }
}
