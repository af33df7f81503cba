//! One question on one connection.

use std::time::{Duration, UNIX_EPOCH};

use shedlock_runtime::{LockName, OwnerWrite};
use shedlock_sql::{Fault, LockClock, Names, Sending, Statement, Statements, Values, lease_micros};

use crate::ask::Inner;
use crate::connections::Checkout;
use crate::error;
use crate::question::{Ask, Change, Fail, Reply};
use crate::store::{Run, Store};

impl<DB: Store> Inner<DB> {
    pub(crate) async fn ask_once(
        &self,
        connection: &mut Checkout<'_, DB>,
        ask: &Ask<'_>,
    ) -> Result<Reply, Fail> {
        self.find(connection).await?;
        let is_shared = connection.is_shared();
        // Not all that these two ask can tell: a table that is missing is an error before anything is looked at.
        let tells =
            self.table.load().statements_tell && !matches!(ask, Ask::EnsureTable | Ask::Describe);
        if is_shared && !tells && DB::is_inside_transaction(connection).await? {
            return Err(Fail::InsideTransaction);
        }
        self.look(connection, ask).await?;
        let table = self.table.load_full();
        // A pooler's session is shared, too.
        let statements = table.statements(is_shared || !connection.can_prepare());
        let prepares = self.prepares(connection);
        let grain = table.grain();
        let run = |name, duration| self.run((statements, prepares), name, (duration, grain));
        let fencing = table.column;
        let answer = match ask {
            Ask::Acquire(attempt) => {
                let again = Sending::from_request(attempt);
                // Asked for now that it is to be sent: an attempt without an owner has reached no store.
                let write = attempt.write(&self.node).map_err(Fail::Refused)?;
                let mut run = run(attempt.name().as_str(), attempt.at_most());
                run.values.owner = write.stored();
                let verdict = DB::acquire(connection, &run, fencing, again).await;
                verdict.map(|verdict| Reply::Verdict {
                    verdict,
                    is_in_doubt: false,
                })
            }
            Ask::Holder(lock) => {
                let run = run(lock.as_str(), Duration::ZERO);
                let holder = Box::pin(DB::holder(connection, &run, fencing)).await;
                holder.map(Reply::Holder)
            }
            Ask::Read(lock) => {
                let admin = &statements.admin;
                let (statement, name) = match lock {
                    Some(lock) => (admin.read_one(fencing), lock.as_str()),
                    None => (admin.read_all(fencing), ""),
                };
                let run = run(name, Duration::ZERO);
                let rows = Box::pin(DB::read(connection, statement, &run)).await;
                rows.map(Reply::Locks)
            }
            Ask::Pause { lock, mark, until } => {
                let mut run = run(lock.as_str(), Duration::ZERO);
                run.values.owner = mark;
                run.values.until = i64::try_from(until.as_micros()).unwrap_or(i64::MAX);
                let paused = Box::pin(DB::pause(connection, &run, fencing)).await;
                paused.map(Reply::Paused)
            }
            Ask::Change(change) => {
                let (statement, run) = self.changing(change, (statements, prepares), grain);
                let changed = DB::change(connection, statement, &run).await;
                changed.map(Reply::Changed)
            }
            Ask::Describe => {
                let described = Box::pin(DB::describe(connection, &table.names, statements)).await;
                described.map(|description| Reply::Described(Box::new(description)))
            }
            Ask::EnsureTable => {
                let ensured =
                    Box::pin(self.ensure_table(connection, &table.names, statements)).await;
                if ensured.is_ok() {
                    // So that the first lock need not look. What is wrong with a table that was there is not asked here.
                    self.find(connection).await?;
                    drop(self.learn(connection).await);
                }
                ensured.map(|()| Reply::Executed)
            }
        };
        answer.map_err(|error| match error::fault::<DB>(&error) {
            Some(Fault::ForeignTransaction) => Fail::InsideTransaction,
            _ => Fail::Database(error),
        })
    }

    async fn ensure_table(
        &self,
        connection: &mut Checkout<'_, DB>,
        names: &Names,
        statements: &Statements,
    ) -> Result<(), sqlx::Error> {
        let probe = statements.probe.text().to_string();
        let mut done = DB::execute(connection, probe).await;
        match done.as_ref().err().and_then(error::fault::<DB>) {
            Some(Fault::MissingTable) => done = DB::execute(connection, names.ddl()).await,
            Some(Fault::MissingColumn) => done = Ok(()),
            _ => {}
        }
        done
    }

    fn changing<'a>(
        &self,
        change: &'a Change<'_>,
        (statements, prepares): (&'a Statements, bool),
        grain: Duration,
    ) -> (&'a Statement, Run<'a>) {
        let run = |name, duration| self.run((statements, prepares), name, (duration, grain));
        let own = |lock: &'a LockName, write: &'a OwnerWrite, duration| {
            let mut run = run(lock.as_str(), duration);
            run.values.first = write.first();
            run.values.owner = write.stored();
            run
        };
        match change {
            Change::Extend {
                lock,
                write,
                at_most,
            } => (&statements.extend, own(lock, write, *at_most)),
            Change::Release {
                lock,
                write,
                keep_for,
            } => (&statements.release, own(lock, write, *keep_for)),
            Change::ForceRelease { lock, mark } => {
                let mut run = run(lock.as_str(), Duration::ZERO);
                run.values.owner = mark;
                (&statements.admin.force_release, run)
            }
            Change::Resume(lock) => (&statements.admin.resume, run(lock.as_str(), Duration::ZERO)),
            Change::Prune { prefix, unused_for } => {
                (&statements.admin.prune, run(prefix, *unused_for))
            }
        }
    }

    fn run<'a>(
        &self,
        (statements, persistent): (&'a Statements, bool),
        name: &'a str,
        (duration, grain): (Duration, Duration),
    ) -> Run<'a> {
        // Zero stays zero: what is given back is free at once.
        let duration = if duration.is_zero() {
            duration
        } else {
            duration.saturating_add(grain)
        };
        let now = match self.clock {
            LockClock::Client => self.info.clock().utc().duration_since(UNIX_EPOCH),
            _ => Ok(Duration::ZERO),
        };
        Run {
            statements,
            persistent,
            values: Values {
                name,
                first: "",
                owner: "",
                lease: lease_micros(duration),
                until: 0,
                now: now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX)),
            },
        }
    }
}
