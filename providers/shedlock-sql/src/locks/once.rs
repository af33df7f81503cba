//! Runs one operation on one connection.

use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use shedlock_runtime::{AcquireRequest, LockName, OwnerWrite, ProviderInfo};

use super::SqlLocks;
use super::ask::OnceError;
use super::operations::{About, Operation};
use super::table::Table;
use crate::driver::{BoundStatement, Connection, Done, Driver};
use crate::statements::{LockClock, Statement, Statements, TokenColumn, Values, lease_micros};

/// The facts by which an operation chooses its statement and values.
pub(crate) struct Context<'a> {
    pub(super) info: &'a ProviderInfo,
    clock: LockClock,
    /// Whether the statements are those for a shared session.
    pub(super) is_shared: bool,
    is_prepared: bool,
    pub(super) table: &'a Table,
    pub(crate) statements: &'a Statements,
    pub(crate) column: TokenColumn,
}

impl Context<'_> {
    /// The values for the lock `name`; a `lease` above zero is lengthened by as much as the column of ends may shorten it.
    pub(super) fn values<'v>(&self, name: &'v str, lease: Duration) -> Values<'v> {
        let lease = if lease.is_zero() {
            lease
        } else {
            lease.saturating_add(self.table.grain())
        };
        Values {
            lease: lease_micros(lease),
            now: now(self.clock, self.info),
            ..Values::named(name)
        }
    }

    /// The values for a request, which stores its owner by this write.
    pub(super) fn values_of_request<'v>(
        &self,
        request: &'v AcquireRequest,
        write: &'v OwnerWrite,
    ) -> Values<'v> {
        Values {
            owner: write.stored(),
            ..self.values(request.name().as_str(), request.at_most())
        }
    }

    /// The values for the lock `name` and the acquisition that holds it.
    pub(super) fn values_of_holder<'v>(
        &self,
        name: &'v LockName,
        holder: &'v OwnerWrite,
        lease: Duration,
    ) -> Values<'v> {
        Values {
            first: holder.first(),
            owner: holder.stored(),
            ..self.values(name.as_str(), lease)
        }
    }

    pub(crate) async fn fetch<D: Driver>(
        &self,
        connection: &mut D::Connection,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Vec<<D::Connection as Connection>::Row>, D::Error> {
        connection.fetch(&self.bind(statement, values)).await
    }

    pub(crate) async fn execute<D: Driver>(
        &self,
        connection: &mut D::Connection,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Done, D::Error> {
        connection.execute(&self.bind(statement, values)).await
    }

    /// Runs a statement that changes rows, and returns how many rows it found or changed.
    pub(super) async fn change_rows<D: Driver>(
        &self,
        connection: &mut D::Connection,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<u64, OnceError<D::Error>> {
        let done = self.execute::<D>(connection, statement, values).await?;
        Ok(done.rows)
    }

    fn bind<'s>(&self, statement: &'s Statement, values: &'s Values<'s>) -> BoundStatement<'s> {
        BoundStatement {
            statement,
            values,
            is_prepared: self.is_prepared,
        }
    }
}

/// The time that a statement binds: this node's, unless the database's clock decides.
pub(super) fn now(clock: LockClock, provider: &ProviderInfo) -> i64 {
    match clock {
        LockClock::Client => {
            let since_1970 = provider.clock().utc().duration_since(UNIX_EPOCH);
            since_1970.map_or(0, micros)
        }
        LockClock::Database => 0,
    }
}

/// The duration in microseconds, as a statement binds it.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl<D: Driver> SqlLocks<D> {
    pub(super) async fn ask_once<O: Operation>(
        &self,
        connection: &mut D::Connection,
        operation: &O,
    ) -> Result<O::Answer, OnceError<D::Error>> {
        self.find_table_once(connection).await?;
        let is_shared = connection.is_shared();
        // Operations about the table cannot rely on the statement's own check: a missing table fails before that check runs.
        let about = O::NATURE.about;
        let can_tell = self.table.load().statements_tell && about != About::Table;
        if is_shared && !can_tell && connection.is_inside_transaction().await? {
            return Err(OnceError::InsideTransaction);
        }
        if about == About::Locks {
            self.check_table_once(connection, operation.end()).await?;
        }
        let table = self.table.load_full();
        // A session behind a pooler is shared, too.
        let is_shared = is_shared || !connection.can_prepare();
        let context = Context {
            info: &self.info,
            clock: self.clock,
            is_shared,
            is_prepared: self.prepares(connection),
            table: &table,
            statements: table.statements(is_shared),
            column: table.column,
        };
        operation.run(self, &context, connection).await
    }

    /// Whether statements are prepared by name on this connection.
    fn prepares(&self, connection: &D::Connection) -> bool {
        self.persistent
            .unwrap_or_else(|| connection.can_prepare() && !self.is_pooled.load(Ordering::Relaxed))
    }
}
