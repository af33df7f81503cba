//! The operations of a provider: one type for each, with the type of its answer.

use std::future::Future;
use std::time::Duration;

use shedlock_runtime::{AcquireRequest, Lease, LockName, OwnerWrite, PositionRule};

use super::SqlLocks;
use super::ask::OnceError;
use super::once::Context;
use super::table::LeaseEnd;
use crate::answers::{self, AcquireAnswer, position};
use crate::driver::Driver;
use crate::names::Names;
use crate::statements::{PositionKind, Sending, Statement, Values};

/// One operation on the database.
pub(super) trait Operation: Sync {
    type Answer: Send;

    const NATURE: Nature;

    /// The end of the lease that the operation writes.
    fn end(&self) -> LeaseEnd {
        LeaseEnd::Unwritten
    }

    /// The names of the table that the operation uses, given those of the table of locks.
    fn names<'n>(&'n self, locks: &'n Names) -> &'n Names {
        locks
    }

    /// How long a possibly dead connection may take to answer this operation, given the default `part`.
    fn patience(&self, part: Duration) -> Duration {
        part
    }

    /// Runs the operation on this connection.
    fn run<D: Driver>(
        &self,
        locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> impl Future<Output = Result<Self::Answer, OnceError<D::Error>>> + Send;
}

/// The properties of one kind of operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nature {
    pub(super) columns: OptionalColumns,
    /// Whether a second or late copy of the statement is harmless. An operator's statement has no number, so a late copy would also
    /// hit a holder that has taken the lock since.
    pub(super) can_be_repeated: bool,
    pub(super) about: About,
}

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Locks in their table.
    Locks,
    /// Runs in the table of the history.
    Runs,
    /// A table itself, which may be missing.
    Table,
}

/// Which of the columns that a table may lack a statement names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OptionalColumns {
    Unnamed,
    /// The column for fencing tokens, which another variant of the statement leaves out.
    Token,
    /// The columns for positions, without which the operation fails.
    Positions,
}

impl Nature {
    /// A statement about locks that is the same on every table.
    pub(super) const PLAIN: Self = Self {
        columns: OptionalColumns::Unnamed,
        can_be_repeated: true,
        about: About::Locks,
    };
    /// A statement about locks that may name the column for fencing tokens.
    pub(super) const WITH_TOKEN: Self = Self {
        columns: OptionalColumns::Token,
        ..Self::PLAIN
    };
}

/// Takes a lock.
pub(super) struct Acquire<'a>(pub(super) &'a AcquireRequest);

impl Operation for Acquire<'_> {
    type Answer = AcquireAnswer;

    const NATURE: Nature = Nature::WITH_TOKEN;

    fn end(&self) -> LeaseEnd {
        LeaseEnd::In(self.0.at_most())
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<AcquireAnswer, OnceError<D::Error>> {
        let request = self.0;
        let sending = Sending::from_request(request);
        // Creates the owner only now that the request is sent: a request without an owner has reached no store.
        let write = request.write(context.info).map_err(OnceError::Refused)?;
        let values = context.values_of_request(request, &write);
        let statement = |sending| context.statements.acquire(context.column, sending);
        Ok(take::<D>(connection, context, &values, sending, statement).await?)
    }
}

/// Takes a lock for a slot, an instant or a step.
pub(super) struct AcquirePosition<'a>(pub(super) &'a AcquireRequest, pub(super) PositionRule);

impl Operation for AcquirePosition<'_> {
    type Answer = AcquireAnswer;

    const NATURE: Nature = Nature {
        columns: OptionalColumns::Positions,
        ..Nature::PLAIN
    };

    fn end(&self) -> LeaseEnd {
        LeaseEnd::In(self.0.at_most())
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<AcquireAnswer, OnceError<D::Error>> {
        let Self(request, rule) = *self;
        let sending = Sending::from_request(request);
        // Creates the owner only now that the request is sent: a request without an owner has reached no store.
        let write = request.write(context.info).map_err(OnceError::Refused)?;
        let values = context
            .values_of_request(request, &write)
            .with_position(rule);
        let (kind, _number) = PositionKind::wanted(rule);
        let statement = |sending| context.statements.acquire_position(kind, sending);
        let answer = take::<D>(connection, context, &values, sending, statement).await?;
        match answer {
            // The record tells which run came before.
            AcquireAnswer::Refused | AcquireAnswer::Contended | AcquireAnswer::Unreleased => {
                Ok(position::read::<D>(connection, context, &values).await?)
            }
            AcquireAnswer::Granted {
                token,
                position: None,
                predecessor,
            } => Ok(AcquireAnswer::Granted {
                token,
                position: Box::pin(answers::begun::<D>(connection, context, &values)).await,
                predecessor,
            }),
            told => Ok(told),
        }
    }
}

/// Takes a lock. If the last holder's lease has ended, perhaps without a release, the record is read before it is overwritten: this costs
/// two more round trips, after a crash alone.
async fn take<'s, D: Driver>(
    connection: &mut D::Connection,
    context: &'s Context<'_>,
    values: &Values<'_>,
    sending: Sending,
    statement: impl Fn(Sending) -> &'s Statement + Send,
) -> Result<AcquireAnswer, D::Error> {
    let answer = answers::acquire::<D>(connection, context, statement(sending), values).await?;
    if !matches!(answer, AcquireAnswer::Unreleased) {
        return Ok(answer);
    }
    let found = Box::pin(answers::predecessor::<D>(connection, context, values)).await?;
    let taking = statement(Sending::Taking);
    let answer = Box::pin(answers::acquire::<D>(connection, context, taking, values)).await?;
    Ok(answer.taken_over_from(found))
}

/// Reads who holds a lock, without waiting for row locks.
pub(super) struct Holder<'a>(pub(super) &'a LockName);

impl Operation for Holder<'_> {
    type Answer = Option<AcquireAnswer>;

    const NATURE: Nature = Nature::WITH_TOKEN;

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<Option<AcquireAnswer>, OnceError<D::Error>> {
        let values = context.values(self.0.as_str(), Duration::ZERO);
        Ok(answers::holder::<D>(connection, context, &values).await?)
    }
}

/// Moves the end of a held lock.
pub(super) struct Extend<'a> {
    pub(super) lock: &'a LockName,
    pub(super) write: &'a OwnerWrite,
    pub(super) at_most: Duration,
}

impl Operation for Extend<'_> {
    type Answer = u64;

    const NATURE: Nature = Nature::PLAIN;

    fn end(&self) -> LeaseEnd {
        LeaseEnd::In(self.at_most)
    }

    /// An extension must leave part of the lease for a retry on another connection.
    fn patience(&self, part: Duration) -> Duration {
        part.min(self.at_most / 12)
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<u64, OnceError<D::Error>> {
        let values = context.values_of_holder(self.lock, self.write, self.at_most);
        let statement = &context.statements.extend;
        context
            .change_rows::<D>(connection, statement, &values)
            .await
    }
}

/// Releases a held lock.
pub(super) struct Release<'a> {
    /// The lease tells what becomes of its position.
    pub(super) lease: &'a Lease,
    pub(super) write: &'a OwnerWrite,
    pub(super) keep_for: Duration,
}

impl Operation for Release<'_> {
    type Answer = u64;

    const NATURE: Nature = Nature::PLAIN;

    fn end(&self) -> LeaseEnd {
        LeaseEnd::In(self.keep_for)
    }

    async fn run<D: Driver>(
        &self,
        _locks: &SqlLocks<D>,
        context: &Context<'_>,
        connection: &mut D::Connection,
    ) -> Result<u64, OnceError<D::Error>> {
        let values = context.values_of_holder(self.lease.name(), self.write, self.keep_for);
        let statement = if self.lease.is_done() {
            &context.statements.release_done
        } else if self.lease.is_unused() {
            &context.statements.release_unused
        } else {
            &context.statements.release
        };
        context
            .change_rows::<D>(connection, statement, &values)
            .await
    }
}
