//! F4: one name that means another table on each connection. A provider has one table, the one that it found first.

use shedlock_runtime::{
    Acquisition, ErrorKind, LockProvider, LockProviderExt as _, Ownership, SkipReason,
};
use shedlock_sqlx::{SqliteLockProvider, SqlxLockProvider};
use shedlock_testkit::conformance::Peek;
use shedlock_testkit::servers::MariaDb;
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::{MySql, Pool, Postgres, Sqlite};

use crate::place::{Place, Table, Via};
use crate::support::{
    MINUTE, Night, WORKS, ask, config, in_time, keep_for, once, refused, take, until,
};

on_databases! {
    search_paths_that_differ on postgres;
    current_databases_that_differ on mysql;
    a_temporary_table_before_the_table on sqlite postgres;
    nothing_but_a_temporary_table on postgres;
    a_table_dropped_and_made_anew on sqlite postgres mysql;
    a_table_made_late_in_another_schema on postgres;
    several_first_jobs_on_shedlocks_table on sqlite postgres mysql;
    a_table_moved_to_another_schema on postgres;
}

async fn pool_of<DB: Night>(place: &Place<DB>, size: u32) -> Pool<DB> {
    let pool = PoolOptions::new().max_connections(size);
    let pool = pool.connect(&place.direct).await;
    pool.expect("the database is there")
}

/// A pool of two connections of which only one is free at a time, so that a test says which one is used.
struct Two<DB: Night> {
    pool: Pool<DB>,
    kept_back: Option<PoolConnection<DB>>,
}

impl<DB: Night> Two<DB> {
    /// The first connection is free; each has run its statement.
    async fn new(place: &Place<DB>, first: &str, second: &str) -> Self {
        let pool = pool_of(place, 2).await;
        let mut one = pool.acquire().await.expect("the database is there");
        let mut two = pool.acquire().await.expect("the database is there");
        DB::on(&mut one, first).await.expect("it can be set");
        DB::on(&mut two, second).await.expect("it can be set");
        drop(one);
        until("one is free", async || pool.num_idle() == 1).await;
        let kept_back = Some(two);
        Self { pool, kept_back }
    }

    /// The other one is free.
    async fn change(&mut self) {
        let other = in_time(self.pool.acquire()).await.expect("one is free");
        drop(self.kept_back.replace(other));
        until("one is free", async || self.pool.num_idle() == 1).await;
    }
}

/// What was granted on one connection is refused on the other, and found there by its holder.
async fn is_one_table<DB: Night>(place: &Place<DB>, mut two: Two<DB>) {
    let node = SqlxLockProvider::new(two.pool.clone());
    let lease = take(&node, "a").await;
    let seen = DB::peek(&place.pool, "a").await;
    assert!(matches!(seen, Peek::Found(_)), "it is not the first table");
    two.change().await;
    assert_eq!(refused(&node, "a").await.reason, SkipReason::Held);
    let extended = in_time(node.extend(&lease, MINUTE)).await;
    assert_eq!(extended.expect("an answer"), Ownership::Ours);
    in_time(node.ensure_schema()).await.expect("it is there");
    assert_eq!(refused(&node, "a").await.reason, SkipReason::Held);
    two.change().await;
    assert_eq!(refused(&node, "a").await.reason, SkipReason::Held);
    in_time(node.release(&lease, keep_for(&node, &lease)))
        .await
        .expect("an answer");
    two.change().await;
    assert_eq!(once(&node, "a").await, WORKS);
}

async fn search_paths_that_differ(place: Place<Postgres>) {
    place.execute("CREATE SCHEMA tenant").await;
    let like = "CREATE TABLE tenant.shedlock (LIKE public.shedlock INCLUDING ALL)";
    place.execute(like).await;
    let [public, tenant] =
        ["public", "tenant"].map(|schema| format!("SET search_path TO {schema}"));
    is_one_table(&place, Two::new(&place, &public, &tenant).await).await;
}

async fn current_databases_that_differ(place: Place<MySql>) {
    let server = MariaDb::shared().await.expect("it has been started");
    let other = server.fresh_database().await;
    let (_, other) = other.rsplit_once('/').expect("a database");
    let like = format!("CREATE TABLE `{other}`.shedlock LIKE shedlock");
    place.execute(&like).await;
    let change = format!("USE `{other}`");
    is_one_table(&place, Two::new(&place, "DO 0", &change).await).await;
}

/// Of all that is created for one session only.
fn temporary<DB: Night>() -> String {
    match DB::NAME {
        "PostgreSQL" => {
            "CREATE TEMP TABLE shedlock (LIKE public.shedlock INCLUDING ALL)".to_owned()
        }
        _ => "CREATE TEMP TABLE shedlock (name TEXT PRIMARY KEY, lock_until INTEGER NOT NULL, \
              locked_at INTEGER NOT NULL, locked_by TEXT NOT NULL, \
              fencing_token INTEGER NOT NULL DEFAULT 0)"
            .to_owned(),
    }
}

async fn a_temporary_table_before_the_table<DB: Night>(place: Place<DB>) {
    // The program makes it first, or while the provider is at work.
    for early in [true, false] {
        let pool = pool_of(&place, 1).await;
        let node = SqlxLockProvider::new(pool.clone());
        if !early {
            assert_eq!(once(&node, "a").await, WORKS);
        }
        let mut connection = pool.acquire().await.expect("the database is there");
        let made = DB::on(&mut connection, &temporary::<DB>()).await;
        made.expect("it can be made");
        drop(connection);
        let lease = take(&node, "a").await;
        let other = place.provider(Via::Url);
        assert_eq!(refused(&other, "a").await.reason, SkipReason::Held);
        in_time(node.ensure_schema()).await.expect("it is there");
        let extended = in_time(node.extend(&lease, MINUTE)).await;
        assert_eq!(extended.expect("an answer"), Ownership::Ours);
        in_time(node.release(&lease, keep_for(&node, &lease)))
            .await
            .expect("an answer");
        assert_eq!(once(&other, "a").await, WORKS);
    }
}

async fn nothing_but_a_temporary_table(place: Place<Postgres>) {
    let pool = pool_of(&place, 1).await;
    let mut connection = pool.acquire().await.expect("the database is there");
    let made = Postgres::on(&mut connection, &temporary::<Postgres>()).await;
    made.expect("it can be made");
    drop(connection);
    place.execute("DROP TABLE public.shedlock").await;
    let node = SqlxLockProvider::new(pool);
    let asked = ask(&node, "a").await;
    assert!(asked.is_err(), "nobody else sees it: {asked:?}");
    place.make(Table::Ours).await;
    let _lease = in_time(async {
        match ask(&node, "a").await {
            Ok(Acquisition::Granted(lease)) => lease,
            _ => take(&node, "a").await,
        }
    })
    .await;
    let other = place.provider(Via::Url);
    assert_eq!(refused(&other, "a").await.reason, SkipReason::Held);
}

/// By the first or the second call.
async fn works_soon<P: LockProvider + Clone>(node: &P) {
    let first = once(node, "a").await;
    if first != WORKS {
        assert_eq!(once(node, "a").await, WORKS, "after: {first}");
    }
}

async fn a_table_dropped_and_made_anew<DB: Night>(place: Place<DB>) {
    let nodes = [place.provider(Via::Url), place.provider(Via::Pool)];
    for _ in 0..2 {
        for node in &nodes {
            works_soon(node).await;
        }
        place.execute("DROP TABLE shedlock").await;
        for node in &nodes {
            let error = in_time(node.try_lock(config("a"))).await;
            let error = error.expect_err("there is no table");
            assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
        }
        place.make(Table::Ours).await;
    }
    for node in &nodes {
        works_soon(node).await;
    }
}

/// The table has no column for tokens, and several jobs find that out at the same moment.
async fn several_first_jobs_on_shedlocks_table<DB: Night>(place: Place<DB>) {
    place.execute("DROP TABLE shedlock").await;
    place.make(Table::ShedLocks).await;
    let pool = pool_of(&place, 8).await;
    for round in 0..8 {
        let node = SqlxLockProvider::new(pool.clone());
        let jobs = (0..8).map(|job| {
            let (node, config) = (node.clone(), config(&format!("job-{round}-{job}")));
            tokio::spawn(async move { node.try_lock(config).await.map(|lock| lock.is_some()) })
        });
        for job in jobs.collect::<Vec<_>>() {
            let ran = job.await.expect("no panic").expect("the table will do");
            assert!(ran, "nobody else has that lock");
        }
    }
}

async fn a_table_made_late_in_another_schema(place: Place<Postgres>) {
    place
        .execute("ALTER TABLE shedlock SET SCHEMA public")
        .await;
    place.execute("DROP TABLE shedlock").await;
    place.execute("CREATE SCHEMA late").await;
    let url = format!("{}?options=-csearch_path%3Dlate,public", place.direct);
    for via in [Via::Url, Via::Pool] {
        let node = on_url(&url, via);
        let error = in_time(node.try_lock(config("a"))).await;
        let error = error.expect_err("there is no table");
        assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
        let maker = SqlxLockProvider::<Postgres>::builder_from_url(&place.direct);
        let maker = maker.table_name("late.shedlock").build().expect("legal");
        in_time(maker.ensure_schema()).await.expect("it is made");
        works_soon(&node).await;
        assert_eq!(once(&maker, "a").await, WORKS);
        place.execute("DROP TABLE late.shedlock").await;
    }
}

async fn a_table_moved_to_another_schema(place: Place<Postgres>) {
    place.execute("CREATE SCHEMA late").await;
    let url = format!("{}?options=-csearch_path%3Dlate,public", place.direct);
    let nodes = [Via::Url, Via::Pool].map(|via| on_url(&url, via));
    for (from, to) in [("public", "late"), ("late", "public")] {
        for node in &nodes {
            works_soon(node).await;
        }
        let table = format!("ALTER TABLE {from}.shedlock SET SCHEMA {to}");
        place.execute(&table).await;
        for node in &nodes {
            works_soon(node).await;
        }
        let _lease = take(&nodes[0], "held").await;
        assert_eq!(refused(&nodes[1], "held").await.reason, SkipReason::Held);
        place.execute(&format!("DELETE FROM {to}.shedlock")).await;
    }
}

fn on_url(url: &str, via: Via) -> SqlxLockProvider<Postgres> {
    let builder = match via {
        Via::Url => SqlxLockProvider::builder_from_url(url),
        Via::Pool => {
            let pool = PoolOptions::new().max_connections(2).connect_lazy(url);
            SqlxLockProvider::builder(pool.expect("a valid URL"))
        }
    };
    builder.build().expect("legal options")
}

#[tokio::test]
async fn a_temporary_table_of_sqlite_cannot_be_chosen() {
    let place: Place<Sqlite> = crate::support::sqlite().await.expect("a file");
    for table in ["temp.locks", "TEMP.locks", "temp.shedlock"] {
        let builders = [
            SqliteLockProvider::builder_from_url(&place.url),
            SqliteLockProvider::builder(place.pool.clone()),
        ];
        for builder in builders {
            let built = builder.table_name(table).build();
            let error = built.expect_err("each connection has a database of that name");
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        }
    }
    let main = place.builder(Via::Url).table_name("main.shedlock").build();
    assert_eq!(once(&main.expect("it is legal"), "a").await, WORKS);
}
