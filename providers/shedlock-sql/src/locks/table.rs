//! The known facts about the table, and the diagnosis after an error about the table.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use shedlock_runtime::{ErrorKind, InvalidDuration, LockError};

use super::ask::OnceError;
use super::find::{Found, find};
use super::operations::{Nature, OptionalColumns};
use super::{SqlLocks, errors, inspect};
use crate::driver::Driver;
use crate::fault::Fault;
use crate::names::Names;
use crate::statements::{HistoryStatements, LockClock, Session, Statements, TokenColumn};

/// The last second of a column of type TIMESTAMP, less a day as a margin for clocks that differ.
const UNTIL_2038: Duration = Duration::from_secs(i32::MAX as u64 - 86_400);
const END_OF_2038: &str = "2038-01-19 03:14:07 UTC";

/// The facts that a provider has about its table. If connections could resolve an unqualified name differently, the schema in which the
/// table was first found is used from then on.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) names: Names,
    clock: LockClock,
    /// The statements for the provider's own connections, and for shared ones. Built when they are first needed: most providers need one
    /// of them.
    own: OnceLock<Statements>,
    shared: OnceLock<Statements>,
    /// Those about the table of the history, for the same two.
    own_history: OnceLock<HistoryStatements>,
    shared_history: OnceLock<HistoryStatements>,
    /// Whether the table's name has been resolved.
    is_found: bool,
    /// Whether statements detect by themselves that they are inside a transaction of other code.
    pub(super) statements_tell: bool,
    /// Whether the table had the column for fencing tokens when that was last seen.
    pub(super) column: TokenColumn,
    /// The result of the inspection, if there was one.
    facts: Option<TableFacts>,
}

/// The facts about a table that are needed before locks are stored in it.
#[derive(Debug, Clone)]
struct TableFacts {
    /// Whether the column of ends stores times up to 2038 only.
    ends_in_2038: bool,
    /// By how much the column of ends may shorten a lease.
    grain: Duration,
    /// The names of the time zone in which the times are read and written; empty if the times do not depend on a zone.
    zones: Arc<[String]>,
}

/// The end of the lease that an operation writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum LeaseEnd {
    /// The operation writes no end.
    Unwritten,
    /// After this duration from now.
    In(Duration),
    /// At this time since 1970.
    At(Duration),
}

impl Table {
    /// A table that was not inspected yet.
    pub(super) fn unknown(names: Names, clock: LockClock) -> Self {
        Self {
            names,
            clock,
            own: OnceLock::new(),
            shared: OnceLock::new(),
            own_history: OnceLock::new(),
            shared_history: OnceLock::new(),
            is_found: false,
            statements_tell: false,
            column: TokenColumn::Present,
            facts: None,
        }
    }

    /// By how much a lease is lengthened, so that the column of ends does not shorten it.
    pub(super) fn grain(&self) -> Duration {
        let facts = self.facts.as_ref();
        facts.map_or(Duration::ZERO, |facts| facts.grain)
    }

    /// The statements for a shared connection, or for one of the provider's own.
    pub(super) fn statements(&self, is_shared: bool) -> &Statements {
        let (built, session) = if is_shared {
            (&self.shared, Session::Shared)
        } else {
            (&self.own, Session::Own)
        };
        let zones = self.facts.as_ref().map_or(&[][..], |facts| &facts.zones);
        built.get_or_init(|| Statements::in_zone(&self.names, self.clock, session, zones))
    }

    /// The statements about the table of `runs`, for a shared connection, or for one of the provider's own.
    pub(super) fn history(&self, runs: &Names, is_shared: bool) -> &HistoryStatements {
        let (built, session) = if is_shared {
            (&self.shared_history, Session::Shared)
        } else {
            (&self.own_history, Session::Own)
        };
        built.get_or_init(|| HistoryStatements::new(&self.beside(runs), session))
    }

    /// The names of the table of `runs`, which is in the schema of this table unless its name says otherwise.
    pub(super) fn beside(&self, runs: &Names) -> Names {
        match (runs.named_schema(), self.names.schema()) {
            (None, Some(schema)) => runs.in_schema(schema),
            _ => runs.clone(),
        }
    }
}

impl<D: Driver> SqlLocks<D> {
    /// Resolves the table's name, once.
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
                    facts: table.facts.clone(),
                    ..Table::unknown(names.clone(), self.clock)
                });
                Ok(())
            }
        }
    }

    /// Inspects the table, once, in databases that do not reject an unsuitable table themselves.
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
        // A missing or invisible table is reported by the statement itself.
        if description.is_empty() {
            return Ok(());
        }
        match description.check(&table.names) {
            // The statement may succeed on another connection, to another server.
            Err(refused) if refused.kind() == ErrorKind::ReadOnly => return Ok(()),
            Err(refused) => return Err(OnceError::Refused(refused)),
            Ok(_warnings) => {}
        }
        let facts = TableFacts {
            ends_in_2038: description.ends_in_2038(&table.names),
            grain: description.grain(&table.names),
            zones: description.zones(&table.names).into(),
        };
        self.change_table(|table| {
            table.facts = Some(facts.clone());
            // Statements that were built before do not check the zone.
            (table.own, table.shared) = (OnceLock::new(), OnceLock::new());
        });
        Ok(())
    }

    /// Inspects the table before the first lock, and rejects a lease whose end the table cannot store. Without strict mode MySQL would
    /// store zero, and the lock would be free at once.
    pub(super) async fn check_table_once(
        &self,
        connection: &mut D::Connection,
        end: LeaseEnd,
    ) -> Result<(), OnceError<D::Error>> {
        self.inspect_table_once(connection).await?;
        let ends_in_2038 = |table: &Table| {
            let facts = table.facts.as_ref();
            facts.is_some_and(|facts| facts.ends_in_2038)
        };
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

    /// Inspects the table after an error that points to it, and returns an error with the exact problem.
    pub(super) async fn diagnose(
        &self,
        connection: &mut D::Connection,
        fault: Fault,
        nature: Nature,
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
        let described = described.ok()?;
        let needs_positions = nature.columns == OptionalColumns::Positions;
        let lacks_positions = || described.check_positions(&table.names).err();
        described
            .check(&table.names)
            .err()
            .or_else(|| needs_positions.then(lacks_positions).flatten())
    }

    /// Discards the facts about the columns.
    pub(super) fn forget_columns(&self) {
        self.change_table(|table| {
            table.column = TokenColumn::Present;
            table.facts = None;
        });
    }

    /// Discards all facts about the table, including its schema.
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
