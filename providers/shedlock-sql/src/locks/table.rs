//! What is known of the table, and what an error about it means exactly.

use std::time::{Duration, UNIX_EPOCH};

use shedlock_runtime::{ErrorKind, InvalidDuration, LockError};

use super::ask::OnceError;
use super::{SqlLocks, errors, inspect};
use crate::dialect::Dialect;
use crate::driver::{Connection as _, Driver, Row as _};
use crate::fault::Fault;
use crate::names::Names;
use crate::statements::{LockClock, Session, Statements, TokenColumn};

/// The last second of a column of type TIMESTAMP, and a margin for clocks that differ.
const UNTIL_2038: Duration = Duration::from_secs(i32::MAX as u64 - 86_400);
const END_OF_2038: &str = "2038-01-19 03:14:07 UTC";

/// What a provider knows of its table. One table: where its name could mean others on other connections, the schema in which it was
/// first found belongs to it from then on.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) names: Names,
    /// For connections of our own, and for those that others use, too.
    own: Statements,
    shared: Statements,
    /// Whether it was looked for.
    is_found: bool,
    /// Whether statements tell by themselves that they are inside somebody else's transaction.
    pub(super) statements_tell: bool,
    /// As it was last seen.
    pub(super) column: TokenColumn,
    /// What the inspection has shown, if there was one.
    facts: Option<TableFacts>,
}

/// What must be known of a table before locks are kept in it.
#[derive(Debug, Clone, Copy)]
struct TableFacts {
    /// Whether the column of ends is one that ends itself.
    ends_in_2038: bool,
    /// What the column may take away from an end.
    grain: Duration,
}

/// When a lease would end.
#[derive(Debug, Clone, Copy)]
pub(super) enum LeaseEnd {
    /// The operation writes none.
    Unwritten,
    /// So long from now.
    In(Duration),
    /// So long after 1970.
    At(Duration),
}

/// Where the table was found.
enum Found {
    /// In this schema, or nowhere, where each connection means the same by the name as it is.
    Table {
        schema: Option<String>,
        /// Whether statements tell by themselves that they are inside somebody else's transaction.
        statements_tell: bool,
    },
    /// A temporary table, which one connection alone sees.
    Temporary,
}

impl Table {
    /// A table of which nothing is known but its name.
    pub(super) fn unknown(names: Names, clock: LockClock) -> Self {
        Self {
            own: Statements::new(&names, clock, Session::Own),
            shared: Statements::new(&names, clock, Session::Shared),
            names,
            is_found: false,
            statements_tell: false,
            column: TokenColumn::Present,
            facts: None,
        }
    }

    /// What a lease is given more, so that the column of ends does not end it early.
    pub(super) fn grain(&self) -> Duration {
        self.facts.map_or(Duration::ZERO, |facts| facts.grain)
    }

    /// The statements for such a connection.
    pub(super) fn statements(&self, is_shared: bool) -> &Statements {
        if is_shared { &self.shared } else { &self.own }
    }
}

impl<D: Driver> SqlLocks<D> {
    /// Finds out which table the name means, once.
    pub(super) async fn find_table_once(
        &self,
        connection: &mut D::Connection,
    ) -> Result<(), OnceError<D::Error>> {
        if self.table.load().is_found {
            return Ok(());
        }
        Box::pin(self.find_table(connection)).await
    }

    async fn find_table(&self, connection: &mut D::Connection) -> Result<(), OnceError<D::Error>> {
        if let Some(refused) = self.driver.refuse_origin(connection).await? {
            return Err(OnceError::Refused(refused));
        }
        match find::<D>(connection, &self.names).await? {
            Found::Temporary => Err(OnceError::Refused(errors::temporary(&self.names))),
            Found::Table {
                schema,
                statements_tell,
            } => {
                let is_found = schema.is_some() || self.names.named_schema().is_some();
                let names = match &schema {
                    Some(schema) => self.names.in_schema(schema),
                    None => self.names.clone(),
                };
                self.table.rcu(|table| Table {
                    is_found,
                    statements_tell,
                    column: table.column,
                    facts: table.facts,
                    ..Table::unknown(names.clone(), self.clock)
                });
                Ok(())
            }
        }
    }

    /// Inspects the table, once, in databases that would not refuse a bad one.
    pub(super) async fn inspect_table_once(
        &self,
        connection: &mut D::Connection,
    ) -> Result<(), OnceError<D::Error>> {
        if D::DIALECT.refuses_bad_tables() || self.table.load().facts.is_some() {
            return Ok(());
        }
        Box::pin(self.inspect_table(connection)).await
    }

    async fn inspect_table(
        &self,
        connection: &mut D::Connection,
    ) -> Result<(), OnceError<D::Error>> {
        let table = self.table.load_full();
        let statements = table.statements(false);
        let description = inspect::describe::<D>(connection, &table.names, statements).await?;
        // A table that is not there, or not for us, is the statement's affair.
        if description.is_empty() {
            return Ok(());
        }
        match description.check(&table.names) {
            // The statement may do better on another connection.
            Err(refused) if refused.kind() == ErrorKind::ReadOnly => return Ok(()),
            Err(refused) => return Err(OnceError::Refused(refused)),
            Ok(_warnings) => {}
        }
        let facts = TableFacts {
            ends_in_2038: description.ends_in_2038(&table.names),
            grain: description.grain(&table.names),
        };
        self.change_table(|table| table.facts = Some(facts));
        Ok(())
    }

    /// Looks at the table before the first lock; and refuses a lease that the table is known not to keep. Without strict mode its end
    /// would become zero, and the lock would be free at once.
    pub(super) async fn check_table_once(
        &self,
        connection: &mut D::Connection,
        end: LeaseEnd,
    ) -> Result<(), OnceError<D::Error>> {
        self.inspect_table_once(connection).await?;
        let ends_in_2038 = |table: &Table| table.facts.is_some_and(|facts| facts.ends_in_2038);
        if ends_in_2038(&self.table.load()) && self.since_1970(end) > UNTIL_2038 {
            let beyond = InvalidDuration::TooFar { limit: END_OF_2038 };
            return Err(OnceError::Refused(beyond.into()));
        }
        Ok(())
    }

    fn since_1970(&self, end: LeaseEnd) -> Duration {
        match end {
            LeaseEnd::Unwritten => Duration::ZERO,
            LeaseEnd::At(end) => end,
            LeaseEnd::In(length) => {
                let now = self.info.clock().utc().duration_since(UNIX_EPOCH);
                now.unwrap_or_default().saturating_add(length)
            }
        }
    }

    /// What exactly is wrong with the table, after an error that says that something is.
    pub(super) async fn diagnose(
        &self,
        connection: &mut D::Connection,
        fault: Fault,
    ) -> Option<LockError> {
        let about_columns = [
            Fault::MissingColumn,
            Fault::MissingKey,
            Fault::Shape,
            Fault::TooLong,
            Fault::Policy,
            Fault::Other,
        ];
        if !about_columns.contains(&fault) {
            return None;
        }
        let table = self.table.load_full();
        let statements = table.statements(false);
        let described = inspect::describe::<D>(connection, &table.names, statements).await;
        described.ok()?.check(&table.names).err()
    }

    /// Forgets what the columns were like.
    pub(super) fn forget_columns(&self) {
        self.change_table(|table| {
            table.column = TokenColumn::Present;
            table.facts = None;
        });
    }

    /// Forgets what the table was like, and which one it was.
    pub(super) fn forget_table(&self) {
        let unknown = Table::unknown(self.names.clone(), self.clock);
        self.table.store(unknown.into());
    }

    pub(super) fn change_table(&self, change: impl Fn(&mut Table)) {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            change(&mut table);
            table
        });
    }
}

/// Finds out which table an unqualified name means.
async fn find<D: Driver>(connection: &mut D::Connection, names: &Names) -> Result<Found, D::Error> {
    match D::DIALECT {
        Dialect::Postgres => find_in_postgres::<D>(connection, names).await,
        Dialect::MySql => find_in_mysql::<D>(connection, names).await,
        // An unqualified name means the schema `main`: see `Names::quoted_table`.
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
        // MySQL has no variable that tells.
        statements_tell: version.unwrap_or_default().contains("MariaDB"),
    })
}
