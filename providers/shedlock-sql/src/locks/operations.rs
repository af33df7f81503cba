//! The operations of a provider: one type for each, with the type of its answer.

use std::future::Future;
use std::time::Duration;

use shedlock_runtime::{AcquireRequest, LockName, OwnerWrite};

use super::SqlLocks;
use super::ask::OnceError;
use super::once::Context;
use super::table::LeaseEnd;
use crate::answers::{self, AcquireAnswer};
use crate::driver::Driver;
use crate::statements::Sending;

/// One operation on the database.
pub(super) trait Operation: Sync {
    type Answer: Send;

    const NATURE: Nature;

    /// The end of the lease that the operation writes.
    fn end(&self) -> LeaseEnd {
        LeaseEnd::Unwritten
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
    /// Whether the statement differs on a table without the column for fencing tokens.
    pub(super) names_the_token: bool,
    /// Whether a second or late copy of the statement is harmless. An operator's statement has no number, so a late copy would also
    /// hit a holder that has taken the lock since.
    pub(super) can_be_repeated: bool,
    /// Whether the operation is about the table and not about locks in it.
    pub(super) is_about_the_table: bool,
}

impl Nature {
    /// A statement about locks that is the same on every table.
    pub(super) const PLAIN: Self = Self {
        names_the_token: false,
        can_be_repeated: true,
        is_about_the_table: false,
    };
    /// A statement about locks that may name the column for fencing tokens.
    pub(super) const WITH_TOKEN: Self = Self {
        names_the_token: true,
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
        let mut values = context.values(request.name().as_str(), request.at_most());
        values.owner = write.stored();
        Ok(answers::acquire::<D>(connection, context, &values, sending).await?)
    }
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
    pub(super) lock: &'a LockName,
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
        let values = context.values_of_holder(self.lock, self.write, self.keep_for);
        let statement = &context.statements.release;
        context
            .change_rows::<D>(connection, statement, &values)
            .await
    }
}
