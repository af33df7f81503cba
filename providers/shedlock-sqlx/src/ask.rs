//! Asking the database: on which connection, how often, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use shedlock_runtime::{ErrorKind, LockError, ProviderInfo};
use shedlock_sql::{Cure, Fault, LockClock, Names, TokenColumn};

use crate::connections::{self, Checkout, Reach, Replaced, Source};
use crate::error;
use crate::question::{Answer, Ask, Change, Fail, Reply};
use crate::store::Store;
use crate::table::Table;

/// What an extension or a release may take; as long as the runtime waits for one.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);

/// What the clones of a provider share.
pub(crate) struct Inner<DB: Store> {
    pub(crate) info: ProviderInfo,
    pub(crate) node: Arc<str>,
    pub(crate) source: Source<DB>,
    /// As the program gave them.
    pub(crate) names: Names,
    pub(crate) clock: LockClock,
    /// Whether statements are prepared by name, where the program has said so.
    pub(crate) persistent: Option<bool>,
    /// Whether a pooler was found between us and the server that loses statements prepared by name.
    pub(crate) is_pooled: AtomicBool,
    pub(crate) table: ArcSwap<Table>,
}

/// What one call has tried, and the time that is left.
struct Effort {
    began: Instant,
    limit: Duration,
    replaced: Replaced,
    /// The pauses between tries at a table where others are, once somebody was there.
    pauses: Option<ExponentialBackoff>,
    /// What is to be told if no connection gives a better answer: a statement may have been carried out.
    unsure: Option<LockError>,
}

impl Effort {
    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.began.elapsed())
    }

    /// Whether there is time for one more try of this length, and then for saying what came of it.
    fn is_enough_for(&self, length: Duration, busy_is_brief: bool) -> bool {
        let rest = if busy_is_brief { 10 } else { 4 };
        self.left() > length + self.limit / rest
    }
}

impl<DB: Store> Inner<DB> {
    /// Asks until there is an answer, or no sense in asking again, or no time.
    ///
    /// Asking again is safe: the number of the write makes each statement idempotent. An answer lost on a dead connection is
    /// made up for on a new one, so the first call after a restart of the database simply works.
    ///
    /// What is seldom done is boxed: it would make the future of every call larger, and that is moved several times.
    pub(crate) async fn ask(&self, ask: &Ask<'_>, limit: Duration) -> Result<Reply, LockError> {
        let mut effort = Effort {
            began: Instant::now(),
            limit,
            replaced: Replaced::default(),
            pauses: None,
            unsure: None,
        };
        loop {
            let mut connection = self.checkout(ask, &mut effort).await?;
            let answer = match self.ask_here(&mut connection, ask, effort.left()).await {
                Ok(reply) => {
                    connection.give_back();
                    Some(Ok(match reply {
                        Reply::Verdict { verdict, .. } => Reply::Verdict {
                            verdict,
                            is_in_doubt: effort.unsure.is_some(),
                        },
                        reply => reply,
                    }))
                }
                Err(Fail::Refused(refused)) => {
                    // Of others' connections it may be the very state that is refused.
                    let is_state = refused.kind() == ErrorKind::Configuration;
                    if !is_state || !connection.is_shared() {
                        connection.give_back();
                    }
                    Some(Err(refused))
                }
                Err(Fail::InsideTransaction) => {
                    Box::pin(self.leave_transaction(connection, &mut effort)).await
                }
                Err(Fail::Moved) => self
                    .replace(connection, &mut effort, Reach::All)
                    .then(|| Err(error::moved())),
                Err(Fail::Silent(part)) => {
                    // A pool's may only be slow.
                    let reach = if connection.is_shared() {
                        Reach::One
                    } else {
                        Reach::All
                    };
                    let last = self.replace(connection, &mut effort, reach);
                    effort.unsure = Some(error::silent(part));
                    last.then(|| Err(error::silent(part)))
                }
                Err(Fail::Database(error)) => {
                    Box::pin(self.after(error, connection, ask, &mut effort)).await
                }
            };
            match answer {
                None => {}
                // An earlier request may still be carried out, so whoever asked must look for what it is granted.
                Some(Ok(Reply::Busy(error)) | Err(error)) if effort.unsure.is_some() => {
                    return Err(effort.unsure.unwrap_or(error));
                }
                Some(answer) => return answer,
            }
        }
    }

    async fn checkout(
        &self,
        ask: &Ask<'_>,
        effort: &mut Effort,
    ) -> Result<Checkout<'_, DB>, LockError> {
        let left = effort.left();
        let part = ask.patience(connections::part(left, DB::WAITS));
        let checkout = self.source.checkout(left, part, &mut effort.replaced);
        checkout.await.map_err(|none| {
            let none = || error::no_connection::<DB>(&self.names, none, effort.began);
            effort.unsure.take().unwrap_or_else(none)
        })
    }

    /// What to do after an error of the database or on the way there.
    async fn after(
        &self,
        error: sqlx::Error,
        connection: Checkout<'_, DB>,
        ask: &Ask<'_>,
        effort: &mut Effort,
    ) -> Answer {
        let fault = error::fault::<DB>(&error);
        match fault.map_or(Cure::NewConnection, Fault::cure) {
            Cure::None => self.explain(connection, ask, fault, error).await,
            Cure::AskAgain => {
                connection.give_back();
                self.wait_for_others(error, effort).await
            }
            Cure::NewConnection => {
                if fault == Some(Fault::Pooler) {
                    self.is_pooled.store(true, Ordering::Relaxed);
                }
                let reach = match fault {
                    Some(Fault::ReadOnly | Fault::Unavailable | Fault::Login) => Reach::Server,
                    _ => Reach::All,
                };
                let last = self.replace(connection, effort, reach);
                let error = error::asked::<DB>(&self.names, error);
                let may_be_done = error.kind().is_ambiguous() && !ask.can_be_repeated();
                if last || may_be_done || effort.left().is_zero() {
                    return Some(Err(error));
                }
                if error.kind().is_ambiguous() {
                    effort.unsure = Some(error);
                }
                None
            }
        }
    }

    /// Waits for others who are at the row, the table or the file, for as long as there is time.
    async fn wait_for_others(&self, error: sqlx::Error, effort: &mut Effort) -> Answer {
        let pauses = effort
            .pauses
            .get_or_insert_with(|| pauses(DB::BUSY_IS_BRIEF));
        match pauses.next() {
            Some(pause) if effort.is_enough_for(pause + DB::WAITS, DB::BUSY_IS_BRIEF) => {
                tokio::time::sleep(pause).await;
                None
            }
            _ => Some(Ok(Reply::Busy(error::asked::<DB>(&self.names, error)))),
        }
    }

    /// Closes the connection and those that were made with it; true if no other one would do better.
    fn replace(&self, connection: Checkout<'_, DB>, effort: &mut Effort, reach: Reach) -> bool {
        let last = connection.is_last(&effort.replaced, reach);
        if last && reach == Reach::Server {
            // It is good otherwise.
            connection.give_back();
        } else {
            self.source.close(connection, &mut effort.replaced, reach);
        }
        last
    }

    /// Asks on this connection, for as long as it deserves; an answer that was given in a file that was moved away does not
    /// count.
    async fn ask_here(
        &self,
        connection: &mut Checkout<'_, DB>,
        ask: &Ask<'_>,
        left: Duration,
    ) -> Result<Reply, Fail> {
        let part = ask.patience(connections::part(left, DB::WAITS));
        if !ask.can_be_repeated() && !connection.is_new() {
            // So it is sent only once, on a connection that has just answered.
            let alive = DB::execute(connection, "SELECT 1".to_owned());
            let alive = Box::pin(tokio::time::timeout(part, alive)).await;
            alive.map_err(|_elapsed| Fail::Silent(part))??;
        }
        let patience = connection
            .may_be_dead()
            .then_some(part)
            .filter(|_| ask.can_be_repeated());
        let once = self.ask_once(connection, ask);
        let answer = match patience {
            None => once.await,
            Some(patience) => tokio::time::timeout(patience, once)
                .await
                .unwrap_or(Err(Fail::Silent(patience))),
        };
        // Afterwards: what was answered before the file was replaced is as good as any lock that was held then.
        if self.source.has_moved(connection) {
            return Err(Fail::Moved);
        }
        answer
    }

    /// Gets rid of a connection inside somebody else's transaction, without committing or keeping any of it.
    async fn leave_transaction(
        &self,
        mut connection: Checkout<'_, DB>,
        effort: &mut Effort,
    ) -> Answer {
        let look = DB::is_autocommit_off(&mut connection);
        let off = tokio::time::timeout(effort.left(), look).await;
        let last = self.replace(connection, effort, Reach::One);
        if matches!(off, Ok(Ok(true))) {
            return Some(Err(error::autocommit_off()));
        }
        (last || effort.left().is_zero()).then(|| Err(error::inside_transaction()))
    }

    /// What to answer after an error that asking again does not cure, unless the table was only found to lack a column that it
    /// may lack.
    async fn explain(
        &self,
        mut connection: Checkout<'_, DB>,
        ask: &Ask<'_>,
        fault: Option<Fault>,
        error: sqlx::Error,
    ) -> Answer {
        let table = self.table.load_full();
        if fault == Some(Fault::MissingColumn)
            && table.column == TokenColumn::Present
            && ask.names_the_token()
        {
            connection.give_back();
            self.change_table(|table| table.column = TokenColumn::Missing);
            return None;
        }
        // The table is not as it was: look again next time.
        if fault == Some(Fault::MissingTable) {
            self.forget();
        } else {
            self.forget_columns();
        }
        let precise = match fault {
            Some(fault) => self.diagnose(&mut connection, fault).await,
            None => None,
        };
        connection.give_back();
        Some(Err(match precise {
            Some(precise) => precise.with_source(error),
            None => error::asked::<DB>(&self.names, error),
        }))
    }

    /// Whether statements are prepared by name on this connection.
    pub(crate) fn prepares(&self, connection: &Checkout<'_, DB>) -> bool {
        self.persistent
            .unwrap_or_else(|| connection.can_prepare() && !self.is_pooled.load(Ordering::Relaxed))
    }

    /// Changes the row of a held lock, and says whether there was one to change.
    pub(crate) async fn change(&self, change: Change<'_>) -> Result<bool, LockError> {
        match self.ask(&Ask::Change(change), LIMIT / 10 * 9).await? {
            Reply::Changed(rows) => Ok(rows > 0),
            Reply::Busy(busy) => Err(busy),
            _ => Err(unexpected()),
        }
    }
}

/// An answer to another question than was asked, which no code can give.
pub(crate) fn unexpected() -> LockError {
    LockError::new(ErrorKind::Other, "the answer is to another question")
}

/// The pauses between tries. Where "busy" is brief, for as long as there is time; else three times.
fn pauses(busy_is_brief: bool) -> ExponentialBackoff {
    let pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(4))
        .with_max_delay(Duration::from_millis(60))
        .with_jitter();
    if busy_is_brief {
        pauses.without_max_times().build()
    } else {
        pauses.with_max_times(3).build()
    }
}
