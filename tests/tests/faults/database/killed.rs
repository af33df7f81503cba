//! D10: a connection is killed by an administrator, at each moment of a job.

use shedlock::{Outcome, lock};
use shedlock_testkit::Proxy;
use shedlock_testkit::proxy::{LateRequest, Trigger};

use super::{Crew, LONG, MINUTE, job, must_run, until_extended, until_free};
use crate::support::{Locks, Place, cases, connect, in_time, is_free, until};

cases! {
    d10_killed_while_idle on postgres mariadb;
    d10_killed_while_held on postgres mariadb;
    d10_killed_before_the_request_arrives on postgres mariadb;
    d10_killed_while_the_statement_waits on postgres mariadb;
    d10_killed_at_the_release on postgres mariadb;
}

/// The same call goes on with another connection, and so does the next one.
async fn d10_killed_while_idle(place: Place) {
    let locks = place.connect().await;
    for _ in 0..3 {
        must_run(&locks).await;
        place.end_connections().await;
    }
    must_run(&locks).await;
}

async fn d10_killed_while_held(place: Place) {
    let crew = Crew::default();
    let (holder, rivals) = (place.connect().await, place.nodes(2).await);
    let script = async {
        for _ in 0..3 {
            crew.until_skipped().await;
            place.end_connections().await;
            until_extended(&place).await;
            assert!(lock::is_held());
        }
        assert_eq!(crew.runs(), 0, "it was held all the time");
    };
    let scenario = async {
        crew.hold(&holder, LONG, script).await;
        crew.until_run().await;
    };
    crew.beside(&rivals, scenario).await;
}

/// A node whose requests can be held back.
async fn behind_a_proxy(place: &Place) -> (Proxy, Locks) {
    let proxy = Proxy::start(place.address()).await.expect("a port");
    let locks = connect(&proxy.url(&place.url)).await;
    // Its statements are prepared.
    must_run(&locks).await;
    must_run(&locks).await;
    (proxy, locks)
}

/// Ends the connection on which a request is held back, and gives what would come of it.
async fn kill(place: &Place, request: LateRequest) {
    request.sent().await;
    place.end_connections().await;
    // A server that is about to close the connection may still say so.
    let _said = request.deliver().await;
}

async fn d10_killed_before_the_request_arrives(place: Place) {
    let (proxy, locks) = behind_a_proxy(&place).await;
    let request = proxy.hold_back(Trigger::containing("job"));
    let ((), ()) = in_time(async { tokio::join!(must_run(&locks), kill(&place, request)) }).await;
    until_free(&place.connect().await).await;
}

async fn d10_killed_at_the_release(place: Place) {
    let (proxy, locks) = behind_a_proxy(&place).await;
    let (tell, told) = tokio::sync::oneshot::channel();
    // From the body on, the next request about the job is its release.
    let body = async {
        tell.send(proxy.hold_back(Trigger::containing("job")))
            .is_ok()
    };
    let released = async {
        let answer = Box::pin(job(&locks, MINUTE, body)).await;
        assert!(matches!(answer, Ok(Outcome::Executed(true))), "{answer:?}");
        // At once, not at the end of its lease.
        until_free(&locks).await;
    };
    let killed = async { kill(&place, told.await.expect("it runs")).await };
    in_time(async { tokio::join!(released, killed) }).await;
}

/// Somebody else is at the row, so the statement waits; and is killed where it does.
async fn d10_killed_while_the_statement_waits(place: Place) {
    let locks = place.connect().await;
    must_run(&locks).await;
    let (blocks, waiting) = if place.is_mariadb() {
        (
            "BEGIN; SELECT name FROM shedlock WHERE name = 'job' FOR UPDATE; SELECT SLEEP(2); COMMIT",
            "SELECT id FROM information_schema.processlist WHERE db = database() AND user = 'shedlock' \
             AND command <> 'Sleep'",
        )
    } else {
        (
            "BEGIN; SELECT name FROM shedlock WHERE name = 'job' FOR UPDATE; SELECT pg_sleep(2); COMMIT",
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
             AND usename = 'shedlock' AND wait_event_type = 'Lock'",
        )
    };
    let asking = async {
        let begun = if place.is_mariadb() {
            "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND info LIKE '%SLEEP(2%' \
             AND user = 'root' AND info NOT LIKE '%processlist%'"
        } else {
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(2%' \
             AND pid <> pg_backend_pid()"
        };
        until(async || (place.execute(begun).await == "1").then_some(())).await;
        let killed = async {
            until(async || (!place.execute(waiting).await.is_empty()).then_some(())).await;
            place.end_connections().await;
        };
        tokio::join!(must_run_soon(&locks), killed);
    };
    let blocking = async { drop(place.execute(blocks).await) };
    in_time(Box::pin(async { tokio::join!(asking, blocking) })).await;
    assert!(is_free(&locks, "job").await);
}

/// Runs the job; while somebody else is at the row it may be told so.
async fn must_run_soon(locks: &Locks) {
    until(async || {
        let ran = super::run(locks).await.expect("a busy row is no error");
        ran.was_executed().then_some(())
    })
    .await;
}
