//! F6: tables whose triggers hide the answer.

use std::time::Duration;

use shedlock_runtime::{LockAdmin as _, LockProvider as _, Ownership, SkipReason};
use shedlock_sqlx::SqlxLockProvider;
use shedlock_testkit::servers::MariaDb;
use sqlx::{MySql, Postgres};

use crate::place::{Place, Table, TestStore as _, Via};
use crate::support::{MINUTE, Night, WORKS, in_time, keep_for, later, mysql, once, refused, take};

on_databases! {
    triggers_that_do_little on mysql;
    triggers_that_number_rows_of_their_own on mysql;
    triggers_made_while_programs_run on mysql;
    triggers_of_sqlite on sqlite;
}

const EVENTS: [(&str, &str); 4] = [
    ("BEFORE", "INSERT"),
    ("AFTER", "INSERT"),
    ("BEFORE", "UPDATE"),
    ("AFTER", "UPDATE"),
];

/// Makes a trigger, for which it takes the administrator.
async fn make(place: &Place<MySql>, (when, event): (&str, &str), does: &str) {
    let server = MariaDb::shared().await.expect("it has been started");
    let name = format!("{when}_{event}");
    let trigger = format!("CREATE TRIGGER {name} {when} {event} ON shedlock FOR EACH ROW {does}");
    server.execute(&place.direct, &trigger).await;
}

/// A lock's life on a table with these triggers.
async fn lives<DB: Night>(place: &Place<DB>, nodes: &[SqlxLockProvider<DB>], case: &str) {
    let other = place.provider(Via::Url);
    for node in nodes {
        let mut last = None;
        for _ in 0..2 {
            let lease = take(node, "a").await;
            assert!(lease.fencing_token() > last, "{case}: after {last:?}");
            let kept = DB::texts(&place.pool, TOKEN).await;
            let token = lease.fencing_token().map(|token| token.to_string());
            assert_eq!(
                kept.first().map(|kept| kept.trim()),
                token.as_deref(),
                "{case}"
            );
            last = lease.fencing_token();
            assert_eq!(
                refused(&other, "a").await.reason,
                SkipReason::Held,
                "{case}"
            );
            assert_eq!(refused(node, "a").await.reason, SkipReason::Held, "{case}");
            let extended = in_time(node.extend(&lease, MINUTE)).await;
            assert_eq!(extended.expect("an answer"), Ownership::Ours, "{case}");
            let released = in_time(node.release(&lease, keep_for(node, &lease))).await;
            assert_eq!(released.expect("an answer"), Ownership::Ours, "{case}");
            assert_eq!(once(&other, "a").await, WORKS, "{case}");
        }
        // The row of the first is there already.
        for name in ["p", "p", "a"] {
            let paused = in_time(node.pause(name, later(), "x")).await;
            assert!(paused.is_ok(), "{case}: {paused:?}");
            let refusal = refused(&other, name).await;
            assert_eq!(refusal.reason, SkipReason::Paused, "{case}");
            let left = refusal.remaining.expect("it is told");
            assert!(left > Duration::from_mins(50), "{case}: {left:?}");
            assert!(
                in_time(node.resume(name)).await.expect("an answer"),
                "{case}"
            );
            assert_eq!(once(&other, name).await, WORKS, "{case}");
        }
        let lease = take(node, "a").await;
        let freed = in_time(node.force_release("a", "x")).await;
        assert!(freed.expect("an answer"), "{case}");
        let released = in_time(node.release(&lease, keep_for(node, &lease))).await;
        assert_eq!(released.expect("an answer"), Ownership::Lost, "{case}");
        let pruned = in_time(node.prune(Duration::ZERO)).await;
        assert_eq!(pruned.expect("an answer"), 2, "{case}");
    }
}

const TOKEN: &str = "SELECT CAST(fencing_token AS CHAR(20)) FROM shedlock WHERE name = 'a'";

fn nodes<DB: Night>(place: &Place<DB>) -> Vec<SqlxLockProvider<DB>> {
    vec![place.provider(Via::Url), place.provider(Via::Pool)]
}

async fn triggers_that_do_little(first: Place<MySql>) {
    let mut place = first;
    for event in EVENTS {
        let does = match event.0 {
            "BEFORE" => "SET NEW.locked_at = NEW.locked_at",
            _ => "SET @seen = NEW.name",
        };
        make(&place, event, does).await;
        lives(&place, &nodes(&place), &format!("{event:?}")).await;
        place = mysql().await.expect("it has been started");
    }
}

const AUDIT: &str = "CREATE TABLE audit (id BIGINT AUTO_INCREMENT PRIMARY KEY, name TEXT)";

async fn triggers_that_number_rows_of_their_own(first: Place<MySql>) {
    let mut place = first;
    for event in EVENTS {
        place.execute(AUDIT).await;
        // Numbers that could be taken for an answer.
        place.execute("ALTER TABLE audit AUTO_INCREMENT = 3").await;
        make(&place, event, "INSERT INTO audit (name) VALUES (NEW.name)").await;
        lives(&place, &nodes(&place), &format!("{event:?}")).await;
        let kept = MySql::texts(&place.pool, "SELECT name FROM audit").await;
        assert_ne!(kept, [""; 0], "{event:?}: the trigger has not run");
        place = mysql().await.expect("it has been started");
    }
}

async fn triggers_made_while_programs_run(place: Place<MySql>) {
    place.execute(AUDIT).await;
    let nodes = nodes(&place);
    for node in &nodes {
        assert_eq!(once(node, "a").await, WORKS);
        in_time(node.pause("p", later(), "x"))
            .await
            .expect("paused");
        assert!(in_time(node.resume("p")).await.expect("an answer"));
    }
    for event in EVENTS {
        make(&place, event, "INSERT INTO audit (name) VALUES (NEW.name)").await;
    }
    lives(&place, &nodes, "all").await;
    for (when, event) in EVENTS {
        let server = MariaDb::shared().await.expect("it has been started");
        let drop = format!("DROP TRIGGER {when}_{event}");
        server.execute(&place.direct, &drop).await;
    }
    lives(&place, &nodes, "none").await;
}

async fn triggers_of_sqlite(place: Place<sqlx::Sqlite>) {
    place.execute("CREATE TABLE audit (name TEXT)").await;
    for (when, event) in EVENTS {
        let body = "BEGIN INSERT INTO audit VALUES (NEW.name); END";
        let trigger = format!("CREATE TRIGGER {when}_{event} {when} {event} ON shedlock {body}");
        place.execute(&trigger).await;
    }
    lives(&place, &nodes(&place), "all").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn triggers_of_postgres() {
    let place = shedlock_testkit::server_or_skip!(Place::<Postgres>::with(Table::Ours).await);
    place.execute("CREATE TABLE audit (name TEXT)").await;
    let function = "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO audit VALUES (NEW.name); RETURN NEW; END'";
    place.execute(function).await;
    for (when, event) in EVENTS {
        let name = format!("{when}_{event}");
        let trigger = format!(
            "CREATE TRIGGER {name} {when} {event} ON shedlock FOR EACH ROW EXECUTE FUNCTION noted()"
        );
        place.execute(&trigger).await;
    }
    lives(&place, &nodes(&place), "all").await;
}
