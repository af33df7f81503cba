//! The operations on the table of runs, and about it.

use std::ops::Range;
use std::time::SystemTime;

use shedlock_runtime::{LockName, RunRecord};

use super::{History, bound, since_1970};
use crate::answers::records;
use crate::driver::{Connection as _, Driver};
use crate::fault::Fault;
use crate::locks::SqlLocks;
use crate::locks::ask::OnceError;
use crate::locks::once::{Context, micros};
use crate::locks::operations::{About, Nature, Operation};
use crate::locks::set_up::ABOUT_THE_TABLE;
use crate::names::Names;
use crate::statements::{Deletion, RunValues, Values, any_of};

/// The length of the column of nodes.
const MAX_NODE_CHARS: usize = 255;

const ABOUT_RUNS: Nature = Nature {
    about: About::Runs,
    ..Nature::PLAIN
};

/// Adds an entry. An entry that is there already is that of an earlier copy of the request.
pub(super) struct Append<'a> {
    pub(super) history: &'a History,
    pub(super) run: &'a RunRecord,
}

impl Append<'_> {
    fn values(&self) -> Values<'_> {
        let Self { history, run } = *self;
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let node = &run.node;
        let end = node.char_indices().nth(MAX_NODE_CHARS);
        let values = RunValues {
            began: since_1970(run.began),
            ended: since_1970(run.ended),
            node: end.map_or(node.as_str(), |(end, _)| &node[..end]),
            outcome: run.outcome.as_str(),
            error: run
                .error
                .as_deref()
                .filter(|_| history.options.keeps_error_texts()),
            token: run.fencing_token.map(number),
            position: run.position.map(|position| number(position.number)),
            done: run.position.map(|position| position.is_done.into()),
            tries: run.position.map(|position| position.tries.into()),
        };
        Values {
            run: values,
            ..Values::named(&run.lock)
        }
    }
}

impl Operation for Append<'_> {
    type Answer = ();

    const NATURE: Nature = ABOUT_RUNS;

    fn names<'n>(&'n self, _locks: &'n Names) -> &'n Names {
        &self.history.names
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<(), OnceError<D::Error>> {
        let statement = &self.history.statements(context).append;
        let values = self.values();
        match context.execute::<D>(connection, statement, &values).await {
            Err(error) if D::fault(&error) == Some(Fault::Duplicate) => Ok(()),
            done => Ok(done.map(drop)?),
        }
    }
}

/// Deletes a batch of the runs that ended too long ago.
pub(super) struct DeleteOld<'a>(pub(super) &'a History);

impl Operation for DeleteOld<'_> {
    type Answer = ();

    const NATURE: Nature = ABOUT_RUNS;

    fn names<'n>(&'n self, _locks: &'n Names) -> &'n Names {
        &self.0.names
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<(), OnceError<D::Error>> {
        let deletion = &self.0.statements(context).old;
        let values = Values {
            lease: micros(self.0.options.keep_for()),
            ..Values::named("")
        };
        delete::<D>(self.0, context, connection, (deletion, &values)).await
    }
}

/// Deletes a batch of the runs of one lock that are too many.
pub(super) struct DeleteSurplus<'a> {
    pub(super) history: &'a History,
    pub(super) lock: &'a str,
}

impl Operation for DeleteSurplus<'_> {
    type Answer = ();

    const NATURE: Nature = ABOUT_RUNS;

    fn names<'n>(&'n self, _locks: &'n Names) -> &'n Names {
        &self.history.names
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<(), OnceError<D::Error>> {
        let deletion = &self.history.statements(context).surplus;
        let kept = self.history.options.runs_per_lock();
        let values = Values {
            number: i64::try_from(kept).unwrap_or(i64::MAX),
            ..Values::named(self.lock)
        };
        delete::<D>(self.history, context, connection, (deletion, &values)).await
    }
}

async fn delete<D: Driver>(
    history: &History,
    context: &Context<'_>,
    connection: &mut D::Connection,
    (deletion, values): (&Deletion, &Values<'_>),
) -> Result<(), OnceError<D::Error>> {
    match deletion {
        Deletion::Direct(delete) => {
            context.execute::<D>(connection, delete, values).await?;
        }
        Deletion::ByKeys { find, delete } => {
            let rows = context.fetch::<D>(connection, find, values).await?;
            let keys = rows.iter().map(records::texts::<3, _>);
            let keys = keys.collect::<Result<Vec<_>, _>>()?;
            if !keys.is_empty() {
                let delete = format!("{} {}", delete.text(), any_of(&history.names, &keys));
                drop(connection.query(delete).await?);
            }
        }
    }
    Ok(())
}

/// Reads the runs of a lock.
pub(super) struct ReadRuns<'a> {
    pub(super) history: &'a History,
    pub(super) lock: &'a LockName,
    pub(super) began: Range<SystemTime>,
}

impl Operation for ReadRuns<'_> {
    type Answer = Vec<RunRecord>;

    const NATURE: Nature = ABOUT_RUNS;

    fn names<'n>(&'n self, _locks: &'n Names) -> &'n Names {
        &self.history.names
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<Vec<RunRecord>, OnceError<D::Error>> {
        let statement = &self.history.statements(context).read;
        let run = RunValues {
            began: bound(self.began.start),
            ended: bound(self.began.end),
            ..RunValues::NONE
        };
        let lock = self.lock.as_str();
        let values = Values {
            run,
            ..Values::named(lock)
        };
        let rows = context.fetch::<D>(connection, statement, &values).await?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in &rows {
            // What a later version may enter is left out.
            runs.extend(records::run(lock, row)?);
        }
        Ok(runs)
    }
}

/// Creates the table and its index if the table does not exist.
pub(in crate::locks) struct EnsureHistory<'a>(pub(in crate::locks) &'a History);

impl Operation for EnsureHistory<'_> {
    type Answer = ();

    const NATURE: Nature = ABOUT_THE_TABLE;

    fn names<'n>(&'n self, _locks: &'n Names) -> &'n Names {
        &self.0.names
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<(), OnceError<D::Error>> {
        let names = context.table.beside(&self.0.names);
        let [probe, ..] = names.history_probes();
        match connection.query(probe).await {
            Err(error) if D::fault(&error) == Some(Fault::MissingTable) => {
                drop(connection.query(names.ddl()).await?);
                Ok(())
            }
            // What an existing table lacks is said by `check_schema`.
            Err(error) if D::fault(&error) == Some(Fault::MissingColumn) => Ok(()),
            found => Ok(found.map(drop)?),
        }
    }
}

/// Checks that the table has its columns, and that this user may read, insert and delete.
pub(in crate::locks) struct CheckHistory<'a>(pub(in crate::locks) &'a History);

impl Operation for CheckHistory<'_> {
    type Answer = ();

    const NATURE: Nature = ABOUT_THE_TABLE;

    fn names<'n>(&'n self, _locks: &'n Names) -> &'n Names {
        &self.0.names
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<(), OnceError<D::Error>> {
        for probe in context.table.beside(&self.0.names).history_probes() {
            drop(connection.query(probe).await?);
        }
        Ok(())
    }
}
