//! What is known of the table, and what an error about it means exactly.

use std::time::{Duration, UNIX_EPOCH};

use shedlock_runtime::{ErrorKind, InvalidDuration, LockError};
use shedlock_sql::{Fault, LockClock, Names, Session, Statements, TokenColumn};

use crate::ask::Inner;
use crate::question::{Ask, Change, Fail};
use crate::store::{Found, Store};

/// The last second of a column of type TIMESTAMP, and a margin for clocks that differ.
const UNTIL_2038: Duration = Duration::from_secs(i32::MAX as u64 - 86_400);
const END_OF_2038: &str = "2038-01-19 03:14:07 UTC";

/// What a provider knows of its table. One table: where its name could mean others on other connections, the schema in which it was
/// first found belongs to it from then on.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) names: Names,
    /// For connections of our own, and for those that others use, too.
    own: Statements,
    shared: Statements,
    /// Whether it was looked for.
    is_found: bool,
    /// Whether statements tell by themselves that they are inside somebody else's transaction.
    pub(crate) statements_tell: bool,
    /// As it was last seen.
    pub(crate) column: TokenColumn,
    /// What its column of ends keeps, if that is known.
    end: Option<End>,
}

/// What the column of the leases' ends keeps.
#[derive(Debug, Clone, Copy)]
struct End {
    is_in_2038: bool,
    /// What it may take away from an end.
    grain: Duration,
}

impl Table {
    /// A table of which nothing is known but its name.
    pub(crate) fn unknown(names: Names, clock: LockClock) -> Self {
        Self {
            own: Statements::new(&names, clock, Session::Own),
            shared: Statements::new(&names, clock, Session::Shared),
            names,
            is_found: false,
            statements_tell: false,
            column: TokenColumn::Present,
            end: None,
        }
    }

    /// What a lease is given more, so that the column of ends does not end it early.
    pub(crate) fn grain(&self) -> Duration {
        self.end.map_or(Duration::ZERO, |end| end.grain)
    }

    /// The statements for such a connection.
    pub(crate) fn statements(&self, is_shared: bool) -> &Statements {
        if is_shared { &self.shared } else { &self.own }
    }
}

impl<DB: Store> Inner<DB> {
    /// Finds out which table the name means, once.
    pub(crate) async fn find(&self, connection: &mut DB::Connection) -> Result<(), Fail> {
        if self.table.load().is_found {
            return Ok(());
        }
        Box::pin(self.find_out(connection)).await
    }

    async fn find_out(&self, connection: &mut DB::Connection) -> Result<(), Fail> {
        if let Some(pool) = self.source.as_pool()
            && let Some(refused) = DB::refuse_pool(connection, pool).await?
        {
            return Err(Fail::Refused(refused));
        }
        match DB::find(connection, &self.names).await? {
            Found::Temporary => Err(Fail::Refused(temporary(&self.names))),
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
                    end: table.end,
                    ..Table::unknown(names.clone(), self.clock)
                });
                Ok(())
            }
        }
    }

    /// Finds out what must be known of the columns, once.
    pub(crate) async fn learn(&self, connection: &mut DB::Connection) -> Result<(), Fail> {
        if DB::REFUSES_BAD_TABLES || self.table.load().end.is_some() {
            return Ok(());
        }
        Box::pin(self.describe(connection)).await
    }

    async fn describe(&self, connection: &mut DB::Connection) -> Result<(), Fail> {
        let table = self.table.load_full();
        let statements = table.statements(false);
        let description = DB::describe(connection, &table.names, statements).await?;
        // A table that is not there, or not for us, is the statement's affair.
        if !description.is_empty() {
            match description.check(&table.names) {
                // The statement may do better on another connection.
                Err(refused) if refused.kind() == ErrorKind::ReadOnly => return Ok(()),
                Err(refused) => return Err(Fail::Refused(refused)),
                Ok(_warnings) => {}
            }
            let end = End {
                is_in_2038: description.ends_in_2038(&table.names),
                grain: description.grain(&table.names),
            };
            self.change_table(|table| table.end = Some(end));
        }
        Ok(())
    }

    /// Looks at the table before the first lock, in databases that would not refuse a bad one; and refuses a lease that
    /// the table is known not to keep. Without strict mode its end would become zero, and the lock would be free at once.
    pub(crate) async fn look(
        &self,
        connection: &mut DB::Connection,
        ask: &Ask<'_>,
    ) -> Result<(), Fail> {
        let since_1970 = || self.info.clock().utc().duration_since(UNIX_EPOCH);
        let in_future = |duration| since_1970().unwrap_or_default().saturating_add(duration);
        let end = match ask {
            Ask::Acquire(attempt) => in_future(attempt.at_most()),
            Ask::Change(
                Change::Extend {
                    at_most: length, ..
                }
                | Change::Release {
                    keep_for: length, ..
                },
            ) => in_future(*length),
            Ask::Pause { until, .. } => *until,
            Ask::Holder(_) | Ask::Read(_) | Ask::Change(_) => Duration::ZERO,
            Ask::EnsureTable | Ask::Describe => return Ok(()),
        };
        self.learn(connection).await?;
        let is_in_2038 = || self.table.load().end.is_some_and(|end| end.is_in_2038);
        if end > UNTIL_2038 && is_in_2038() {
            let beyond = InvalidDuration::BeyondColumn { limit: END_OF_2038 };
            return Err(Fail::Refused(beyond.into()));
        }
        Ok(())
    }

    /// What exactly is wrong with the table, after an error that says that something is.
    pub(crate) async fn diagnose(
        &self,
        connection: &mut DB::Connection,
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
        let described = DB::describe(connection, &table.names, statements).await;
        described.ok()?.check(&table.names).err()
    }

    /// Forgets what the columns were like.
    pub(crate) fn forget_columns(&self) {
        self.change_table(|table| {
            table.column = TokenColumn::Present;
            table.end = None;
        });
    }

    /// Forgets what the table was like, and which one it was.
    pub(crate) fn forget(&self) {
        let unknown = Table::unknown(self.names.clone(), self.clock);
        self.table.store(unknown.into());
    }

    pub(crate) fn change_table(&self, change: impl Fn(&mut Table)) {
        self.table.rcu(|table| {
            let mut table = Table::clone(table);
            change(&mut table);
            table
        });
    }
}

fn temporary(names: &Names) -> LockError {
    let problem = format!(
        "`{}` is a temporary table here, which one connection alone sees",
        names.table()
    );
    LockError::new(ErrorKind::Configuration, problem)
        .with_remedy("drop it, or name the table's schema: `table_name(\"schema.table\")`")
}
