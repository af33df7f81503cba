//! D12 and D13: servers that take no writes, and one that takes another's place.

use std::net::SocketAddr;
use std::time::Instant;

use shedlock::{ErrorKind, LockAdmin as _, LockProviderExt as _, Outcome, lock};
use shedlock_sqlx::PostgresLockProvider;
use shedlock_testkit::proxy::{Direction, Rule};
use shedlock_testkit::servers::Postgres;
use shedlock_testkit::{Proxy, Unavailable};

use super::{Crew, LONG, MINUTE, Own, kept_job, must_fail, must_run, until_extended};
use crate::support::{Locks, Place, cases, config, connect, in_time, take, until};

cases! {
    of crate::database::Own:
    d12_read_only_while_held on postgres mariadb;
}

cases! {
    of crate::database::failovers::Pair:
    d12_failover_of_a_killed_primary on postgres;
    d12_failover_of_a_primary_that_lives_on on postgres;
    d12_failover_to_a_replica_without_the_grant on postgres;
    d13_a_replica_by_mistake on postgres;
}

/// Makes the server take no writes, or take them again.
async fn set_read_only(place: &Place, read_only: bool) {
    if place.is_mariadb() {
        let set = format!("SET GLOBAL read_only = {read_only}");
        place.execute(&set).await;
        return;
    }
    place
        .execute(&format!(
            "ALTER SYSTEM SET default_transaction_read_only = {read_only}; SELECT pg_reload_conf()"
        ))
        .await;
}

/// The others are told, the holder goes on, and extends its lease when it can again.
async fn d12_read_only_while_held(own: Own) {
    let place = own.0;
    let crew = Crew::default();
    let (holder, rivals) = (place.connect().await, place.nodes(2).await);
    let other = place.connect().await;
    let script = async {
        crew.until_skipped().await;
        set_read_only(&place, true).await;
        // Who finds a lock held writes nothing, so another one is asked for. Sessions hear of it a little later.
        let asked = async || other.try_lock(config("other", LONG)).await.err();
        let error = until(asked).await;
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        assert!(error.is_transient());
        assert!(lock::is_held());
        set_read_only(&place, false).await;
        until_extended(&place).await;
        assert_eq!(crew.runs(), 0, "it was held all the time");
    };
    let scenario = async {
        crew.hold(&holder, LONG, script).await;
        crew.until_run().await;
    };
    crew.beside(&rivals, scenario).await;
}

/// A primary and a replica that follows it.
#[derive(Debug)]
struct Pair {
    primary: Postgres,
    replica: Postgres,
    /// Between the two.
    stream: Proxy,
    place: Place,
    /// What nodes take for the primary.
    address: Proxy,
}

impl Pair {
    async fn postgres() -> Result<Self, Unavailable> {
        let primary = Postgres::start().await?;
        let stream = Proxy::start(primary.address()).await.expect("a port");
        let replica = primary.replica_through(stream.address(), &[]).await?;
        let place = Place::on_postgres(primary.clone()).await;
        let address = Proxy::start(primary.address()).await.expect("a port");
        in_time(replica.catch_up_with(&primary)).await;
        Ok(Self {
            primary,
            replica,
            stream,
            place,
            address,
        })
    }

    async fn connect(&self) -> Locks {
        connect(&self.address.url(&self.place.url)).await
    }

    /// The database's URL at another server.
    fn url_at(&self, server: SocketAddr) -> String {
        self.place.url_at(&server.to_string())
    }

    /// The end of the lease as the replica knows it.
    async fn column_of_the_replica(&self, column: &str) -> String {
        let url = self.url_at(self.replica.address());
        let row = format!("SELECT {column} FROM shedlock WHERE name = 'job'");
        self.replica.execute(&url, &row).await.trim().to_owned()
    }

    /// Waits for an extension on the new primary.
    async fn until_extended(&self) {
        let now = self.column_of_the_replica("locked_by").await;
        until(async || {
            let by = self.column_of_the_replica("locked_by").await;
            (by != now).then_some(())
        })
        .await;
    }
}

/// The lock goes with the data.
async fn fails_over(pair: &Pair, old_primary: impl AsyncFnOnce()) {
    let crew = Crew::default();
    let (holder, rivals) = (
        pair.connect().await,
        [pair.connect().await, pair.connect().await],
    );
    let script = async {
        crew.until_skipped().await;
        in_time(pair.replica.catch_up_with(&pair.primary)).await;
        old_primary().await;
        pair.replica.promote().await;
        pair.address.set_upstream(pair.replica.address());
        pair.until_extended().await;
        crew.until_skipped().await;
        assert!(lock::is_held());
        assert_eq!(crew.runs(), 0, "it was held all the time");
    };
    let scenario = async {
        crew.hold(&holder, LONG, script).await;
        crew.until_run().await;
    };
    crew.beside(&rivals, scenario).await;
}

async fn d12_failover_of_a_killed_primary(pair: Pair) {
    let kill = async || pair.primary.kill().await.expect("it is ours");
    fails_over(&pair, kill).await;
}

/// All connections that are open lead to it still, and it answers.
async fn d12_failover_of_a_primary_that_lives_on(pair: Pair) {
    let demote = async || set_read_only(&pair.place, true).await;
    fails_over(&pair, demote).await;
}

/// What the replica has not seen it does not know: the holder is told at its next extension, and may overlap with another one
/// until then. It is what the README says that no lock of this kind can prevent.
async fn d12_failover_to_a_replica_without_the_grant(pair: Pair) {
    let holder = pair.connect().await;
    must_run(&holder).await;
    in_time(pair.replica.catch_up_with(&pair.primary)).await;
    let mut tokens = Vec::new();
    let mut failed_over = Instant::now();
    let body = async {
        tokens.push(lock::fencing_token());
        pair.primary.kill().await.expect("it is ours");
        pair.replica.promote().await;
        failed_over = Instant::now();
        pair.address.set_upstream(pair.replica.address());
        std::future::pending::<()>().await;
    };
    pair.stream.set(Rule::Hold(Direction::ToClient));
    let answer: Result<Outcome<()>, _> = in_time(Box::pin(kept_job(&holder, LONG, body))).await;
    let error = answer.expect_err("it was lost");
    assert_eq!(error.kind(), ErrorKind::Lost, "{error}");
    println!("told {:?} after the failover", failed_over.elapsed());
    assert!(failed_over.elapsed() < LONG / 2, "long before its deadline");
    let (heir, _) = take(&pair.connect().await, "job", MINUTE).await;
    tokens.push(heir.fencing_token());
    assert!(
        tokens[0] < tokens[1],
        "{tokens:?}: the store can tell them apart"
    );
}

/// Who is pointed at a replica is told so, and never runs.
async fn d13_a_replica_by_mistake(pair: Pair) {
    let url = pair.url_at(pair.replica.address());
    let provider = PostgresLockProvider::connect(&url).await;
    let provider = provider.expect("a replica may be connected to");
    let locks: Locks = std::sync::Arc::new(provider.clone());
    let error = must_fail(&locks).await;
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    assert!(error.to_string().contains("primary"), "{error}");
    let found = provider.check_schema().await;
    println!("the replica's schema: {found:?}");
    let error = found.expect_err("it takes no writes");
    assert!(error.to_string().contains("standby"), "{error}");
    // What it has may be read.
    let body = async {
        in_time(pair.replica.catch_up_with(&pair.primary)).await;
        let error = must_fail(&locks).await;
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        let listed = provider.list().await.expect("reading is allowed");
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert!(listed[0].is_held(), "{listed:?}");
    };
    let holder = pair.connect().await;
    let held = in_time(Box::pin(super::job(&holder, LONG, body))).await;
    assert!(matches!(held, Ok(Outcome::Executed(()))), "{held:?}");
}
