//! Statements that were prepared for a table as it was.

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{Acquisition, LockAdmin as _, SkipReason};

use crate::asking::{WORKS, ask, in_time, later, once, refused, take};
use crate::connections::warm_up;
use crate::place::{Place, Table, Via, pool};

tests! {
    a_column_of_another_type
    a_table_made_anew
    a_column_added_later
    times_with_a_zone
    a_session_that_the_program_has_set_to_another_zone
}

/// Nodes that have prepared all their statements, with each source of connections.
async fn prepared(place: &Place) -> Vec<PostgresLockProvider> {
    let mut nodes = Vec::new();
    for via in Via::ALL {
        for _ in 0..3 {
            let node = place.provider(*via).await;
            warm_up(&node, "warm").await;
            in_time(node.list()).await.expect("listed");
            nodes.push(node);
        }
    }
    nodes
}

/// Each of the nodes by another call first.
async fn first_calls_work(nodes: &[PostgresLockProvider]) {
    for (number, node) in nodes.iter().enumerate() {
        let name = format!("first-{number}");
        match number % 3 {
            0 => assert_eq!(once(node, &name).await, WORKS, "{name}"),
            1 => {
                let listed = in_time(node.list()).await;
                assert!(listed.is_ok(), "{name}: {listed:?}");
            }
            _ => {
                let paused = in_time(node.pause(&name, later(), "x")).await;
                assert!(paused.is_ok(), "{name}: {paused:?}");
            }
        }
        // And on all the other connections.
        let asking = (0..4).map(|number| {
            let (node, name) = (node.clone(), format!("{name}-{number}"));
            tokio::spawn(async move { ask(&node, &name).await })
        });
        for asked in asking.collect::<Vec<_>>() {
            let asked = asked.await.expect("no panic");
            assert!(matches!(asked, Ok(Acquisition::Granted(_))), "{asked:?}");
        }
    }
}

async fn a_column_of_another_type(place: Place) {
    let narrow = "ALTER TABLE shedlock ALTER COLUMN locked_by TYPE VARCHAR(200)";
    place.execute(narrow).await;
    let nodes = prepared(&place).await;
    let wide = "ALTER TABLE shedlock ALTER COLUMN locked_by TYPE TEXT";
    place.execute(wide).await;
    first_calls_work(&nodes).await;
}

async fn a_table_made_anew(place: Place) {
    let nodes = prepared(&place).await;
    // With the columns in another order.
    place.execute("DROP TABLE shedlock").await;
    let table = "CREATE TABLE shedlock (fencing_token BIGINT NOT NULL DEFAULT 0, \
         locked_by VARCHAR(300) NOT NULL, locked_at TIMESTAMP NOT NULL, \
         lock_until TIMESTAMP(3) NOT NULL, name VARCHAR(64) PRIMARY KEY)";
    place.execute(table).await;
    first_calls_work(&nodes).await;
}

async fn a_column_added_later(place: Place) {
    place.execute("DROP TABLE shedlock").await;
    place.make(Table::ShedLocks).await;
    for via in Via::ALL {
        let node = place.provider(*via).await;
        let token = async || {
            let asked = ask(&node, "a").await.expect("an answer");
            let lease = asked.granted().expect("it is free");
            place.execute("DELETE FROM shedlock").await;
            lease.fencing_token()
        };
        assert_eq!(token().await, None);
        let add = "ALTER TABLE shedlock ADD COLUMN fencing_token BIGINT NOT NULL DEFAULT 0";
        place.execute(add).await;
        assert_eq!(token().await, None);
        node.ensure_schema().await.expect("the table is there");
        assert!(token().await.is_some());
        place
            .execute("ALTER TABLE shedlock DROP COLUMN fencing_token")
            .await;
    }
}

const ZONED: &str = "ALTER TABLE shedlock ALTER COLUMN lock_until TYPE timestamptz, \
     ALTER COLUMN locked_at TYPE timestamptz";

/// A session that goes back to its pool, in a zone in which the end of each lease seems to be hours ago.
async fn a_session_that_the_program_has_set_to_another_zone(place: Place) {
    place.execute(ZONED).await;
    let pool = pool(&place.url, 1);
    let (one, two) = (
        PostgresLockProvider::new(pool.clone()),
        place.provider_past_proxy(),
    );
    assert_eq!(once(&one, "warm").await, WORKS);
    let _theirs = take(&two, "theirs").await;
    let session = in_time(pool.get()).await.expect("there is one");
    let set = session.batch_execute("SET TIME ZONE 'America/Los_Angeles'");
    set.await.expect("there is such a zone");
    drop(session);
    assert_eq!(refused(&one, "theirs").await.reason, SkipReason::Held);
}

/// The provider's own sessions are in UTC, as those of nodes on the JVM have to be.
async fn times_with_a_zone(place: Place) {
    place.execute(ZONED).await;
    let (_, database) = place.direct.rsplit_once('/').expect("a database");
    let elsewhere = format!("ALTER DATABASE {database} SET timezone = 'America/New_York'");
    place.server.execute(&place.direct, &elsewhere).await;
    let own = place.provider(Via::Url).await;
    assert_eq!(once(&own, "a").await, WORKS);
    let theirs = place.provider(Via::Client).await;
    let said = once(&theirs, "a").await;
    assert!(
        said.starts_with("Configuration") || said.starts_with("Schema"),
        "{said}"
    );
}
