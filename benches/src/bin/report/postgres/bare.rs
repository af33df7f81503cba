//! The floors: the statements on tokio-postgres, and ours on a pool of sqlx.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use shedlock_sql::{Dialect, LockClock, Names, Param, Session, Statements, lease_micros};
use shedlock_sqlx::sqlx::postgres::types::PgInterval;
use shedlock_sqlx::sqlx::{self, PgPool, Postgres};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{NoTls, Statement};

use crate::clients::{Client, owner, same_statements};

const DIALECT: Dialect = Dialect::Postgres;

/// The least that a lock can be: one conditional UPDATE to take it, one to give it back, on a row that is there.
const TAKE: &str = "UPDATE shedlock SET lock_until = timezone('utc', clock_timestamp()) + INTERVAL '10 minutes', \
     locked_at = timezone('utc', clock_timestamp()), locked_by = $2 \
     WHERE name = $1 AND lock_until <= timezone('utc', clock_timestamp())";
const GIVE_BACK: &str = "UPDATE shedlock SET lock_until = timezone('utc', clock_timestamp()) WHERE name = $1 AND locked_by = $2";

/// Two prepared statements on a connection of tokio-postgres.
pub(super) struct Bare {
    client: Arc<tokio_postgres::Client>,
    take: Statement,
    give_back: Statement,
    name: String,
    owner: String,
}

impl Bare {
    pub(super) async fn connect(url: &str, name: &str) -> anyhow::Result<Self> {
        let client = connect(url).await?;
        let take = client.prepare(TAKE).await?;
        let give_back = client.prepare(GIVE_BACK).await?;
        Ok(Self {
            client,
            take,
            give_back,
            name: name.to_owned(),
            owner: owner()[0].clone(),
        })
    }

    async fn take(&self) -> anyhow::Result<u64> {
        let params: [&(dyn ToSql + Sync); 2] = [&self.name, &self.owner];
        Ok(self.client.execute(&self.take, &params).await?)
    }
}

impl Client for Bare {
    async fn cycle(&mut self) -> anyhow::Result<()> {
        ensure!(self.take().await? == 1, "nobody else asks for this lock");
        let params: [&(dyn ToSql + Sync); 2] = [&self.name, &self.owner];
        let given_back = self.client.execute(&self.give_back, &params).await?;
        ensure!(given_back == 1, "the lock is ours");
        Ok(())
    }

    async fn refusal(&mut self) -> anyhow::Result<()> {
        ensure!(self.take().await? == 0, "somebody else holds this lock");
        Ok(())
    }
}

/// What sqlx says of the values; the server's own guesses contradict each other.
fn type_of(param: Param) -> Type {
    match param {
        Param::Lease => Type::INTERVAL,
        _ => Type::TEXT,
    }
}

/// An interval of so many microseconds, as the server reads one.
#[derive(Debug)]
struct Interval(i64);

impl ToSql for Interval {
    fn to_sql(
        &self,
        _type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0.to_be_bytes());
        // No days and no months.
        out.extend_from_slice(&[0; 8]);
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::INTERVAL
    }

    to_sql_checked!();
}

/// Our statements on a connection of tokio-postgres: what is lost here is lost in the server.
pub(super) struct OurStatements {
    client: Arc<tokio_postgres::Client>,
    acquire: (Statement, Vec<Param>),
    release: (Statement, Vec<Param>),
    name: String,
}

impl OurStatements {
    /// On a connection of their own.
    pub(super) async fn connect(url: &str, name: &str) -> anyhow::Result<Self> {
        Self::on(connect(url).await?, name).await
    }

    /// On a connection that others use too.
    pub(super) async fn on(
        client: Arc<tokio_postgres::Client>,
        name: &str,
    ) -> anyhow::Result<Self> {
        let ours = Statements::new(&Names::shedlock(DIALECT), LockClock::Database, Session::Own);
        let prepare = async |statement: &shedlock_sql::Statement| {
            let types: Vec<Type> = statement.params().iter().copied().map(type_of).collect();
            let prepared = client.prepare_typed(statement.text(), &types).await?;
            anyhow::Ok((prepared, statement.params().to_vec()))
        };
        let (acquire, release) = (
            prepare(ours.acquire(
                shedlock_sql::TokenColumn::Present,
                shedlock_sql::Sending::First,
            ))
            .await?,
            prepare(&ours.release).await?,
        );
        Ok(Self {
            client,
            acquire,
            release,
            name: name.to_owned(),
        })
    }

    /// Runs a statement and gives what its first row says first.
    async fn run(
        &self,
        (statement, params): &(Statement, Vec<Param>),
        [first, owner]: [&String; 2],
        lease: i64,
    ) -> anyhow::Result<Option<bool>> {
        let lease = Interval(lease);
        let params: Vec<&(dyn ToSql + Sync)> = params
            .iter()
            .map(|param| -> &(dyn ToSql + Sync) {
                match param {
                    Param::Name => &self.name,
                    Param::First => first,
                    Param::Owner => owner,
                    _ => &lease,
                }
            })
            .collect();
        let rows = self.client.query(statement, &params).await?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }
}

/// A connection of tokio-postgres with nothing around it.
pub(super) async fn connect(url: &str) -> anyhow::Result<Arc<tokio_postgres::Client>> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    drop(tokio::spawn(connection));
    Ok(Arc::new(client))
}

impl Client for OurStatements {
    async fn cycle(&mut self) -> anyhow::Result<()> {
        let lease = lease_micros(Duration::from_mins(10));
        let [first, next] = &owner();
        let granted = self.run(&self.acquire, [first, first], lease).await?;
        ensure!(granted == Some(true), "nobody else asks for this lock");
        self.run(&self.release, [first, next], 0).await?;
        Ok(())
    }

    async fn refusal(&mut self) -> anyhow::Result<()> {
        let lease = lease_micros(Duration::from_mins(10));
        let [first, _] = &owner();
        let granted = self.run(&self.acquire, [first, first], lease).await?;
        ensure!(granted.is_none(), "somebody else holds this lock");
        Ok(())
    }
}

same_statements!(OnPool, Postgres, PgPool, |pool| &*pool, |microseconds| {
    PgInterval {
        months: 0,
        days: 0,
        microseconds,
    }
});
