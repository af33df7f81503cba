//! The floors: the statements on tokio-postgres, and ours on a pool of sqlx.

use anyhow::ensure;
use shedlock_sql::Dialect;
use shedlock_sqlx::sqlx::{self, PgPool, Postgres};
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
    client: tokio_postgres::Client,
    take: Statement,
    give_back: Statement,
    name: String,
    owner: String,
}

impl Bare {
    pub(super) async fn connect(url: &str, name: &str) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        drop(tokio::spawn(connection));
        let take = client.prepare(TAKE).await?;
        let give_back = client.prepare(GIVE_BACK).await?;
        Ok(Self {
            client,
            take,
            give_back,
            name: name.to_owned(),
            owner: owner(),
        })
    }

    async fn take(&self) -> anyhow::Result<u64> {
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&self.name, &self.owner];
        Ok(self.client.execute(&self.take, &params).await?)
    }
}

impl Client for Bare {
    async fn cycle(&mut self) -> anyhow::Result<()> {
        ensure!(self.take().await? == 1, "nobody else asks for this lock");
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&self.name, &self.owner];
        let given_back = self.client.execute(&self.give_back, &params).await?;
        ensure!(given_back == 1, "the lock is ours");
        Ok(())
    }

    async fn refusal(&mut self) -> anyhow::Result<()> {
        ensure!(self.take().await? == 0, "somebody else holds this lock");
        Ok(())
    }
}

same_statements!(OnPool, Postgres, PgPool, |pool| &*pool);
