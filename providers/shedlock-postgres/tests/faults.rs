//! What happens when the database, the network or another session misbehaves.

#![cfg(feature = "deadpool")]

#[path = "support/asking.rs"]
mod asking;
#[path = "support/place.rs"]
mod place;

use std::sync::Arc;
use std::time::{Duration, Instant};

use shedlock_postgres::PostgresLockProvider;
use shedlock_runtime::{
    Acquisition, ErrorKind, LockError, LockProvider as _, LockProviderExt as _, Ownership,
};
use shedlock_testkit::server_or_skip;
use shedlock_testkit::servers::Postgres;

use asking::{
    TEST_TIMEOUT, WORKS, config, in_time, once, place as with_table, request, take, until,
};
use place::{Place, Via, client, pool, rows};

/// Contenders on many names at once: each name is granted once, and nobody sees an error.
async fn race(providers: Vec<PostgresLockProvider>, names: usize) {
    let start = Arc::new(tokio::sync::Barrier::new(providers.len()));
    let contenders = providers.into_iter().map(|provider| {
        let start = Arc::clone(&start);
        tokio::spawn(async move {
            let mut won = 0;
            start.wait().await;
            for name in 0..names {
                let request = request(&provider, config(&format!("race-{name}")));
                match provider.acquire(&request).await {
                    Ok(Acquisition::Granted(_)) => won += 1,
                    Ok(Acquisition::Refused(_)) => {}
                    Err(error) => panic!("contention is no error: {error:?}"),
                }
            }
            won
        })
    });
    let mut won = 0;
    for contender in contenders.collect::<Vec<_>>() {
        won += in_time(contender).await.expect("no panic");
    }
    assert_eq!(won, names, "each name is granted once");
}

const CONTENDERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_name_is_granted_once() {
    for via in Via::ALL {
        let place = server_or_skip!(with_table().await);
        let mut nodes = Vec::new();
        for _ in 0..CONTENDERS {
            nodes.push(place.provider(*via).await);
        }
        race(nodes, 40).await;
        // And among the tasks of one node.
        place.execute("DELETE FROM shedlock").await;
        let node = place.provider(*via).await;
        race(vec![node; CONTENDERS], 40).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn isolation_levels_change_nothing() {
    // A space in a setting is escaped.
    for level in ["repeatable%5C%20read", "serializable"] {
        let place = server_or_skip!(with_table().await);
        let url = format!(
            "{}?options=-cdefault_transaction_isolation%3D{level}",
            place.direct
        );
        let pool = pool(&url, CONTENDERS);
        race(vec![PostgresLockProvider::new(pool); CONTENDERS], 40).await;
        place.execute("DELETE FROM shedlock").await;
        let mut nodes = Vec::new();
        for _ in 0..CONTENDERS {
            let node = PostgresLockProvider::connect(&url).await;
            nodes.push(node.expect("the database is there"));
        }
        race(nodes, 40).await;
    }
}

#[tokio::test]
async fn an_exhausted_pool_is_told_in_time() {
    let place = server_or_skip!(with_table().await);
    let pool = pool(&place.direct, 1);
    let provider = PostgresLockProvider::new(pool.clone());
    let taken = pool.get().await.expect("the first connection");
    let asked = Instant::now();
    let limited = config("a").with_timeout("500ms").expect("legal");
    let error = provider.try_lock(limited).await;
    let error = error.expect_err("no connection is left");
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "the pool has no limit"
    );
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.is_transient());
    let told = "all connections are in use; give the lock provider connections of its own, or the pool more";
    assert!(error.to_string().ends_with(told), "{error}");
    drop(taken);
    assert_eq!(once(&provider, "a").await, WORKS);
    pool.close();
    let said = once(&provider, "a").await;
    assert!(
        said.starts_with("Unavailable") && said.contains("the pool is closed"),
        "{said}"
    );
}

/// A server of the test's own is killed and comes back while a lock is held.
#[tokio::test]
async fn the_server_comes_back() {
    let server = server_or_skip!(Postgres::start().await);
    for via in Via::REPLACING {
        let place = Place::on(&server).await;
        let (one, two) = (place.provider(*via).await, place.provider(*via).await);
        one.ensure_schema().await.expect("the table can be made");
        let lease = take(&one, "a").await;
        assert_eq!(once(&two, "a").await, "refused");
        for _ in 0..2 {
            server.kill().await.expect("it can be killed");
            let error = two.try_lock(config("a")).await;
            let error = error.expect_err("there is no server");
            assert!(error.is_transient(), "{error:?}");
            server.restart().await.expect("it comes back");
            assert_eq!(once(&two, "a").await, "refused", "the lock is still held");
            let extended = in_time(one.extend(&lease, Duration::from_secs(60))).await;
            assert_eq!(extended.expect("it is back"), Ownership::Ours);
        }
        server.restart().await.expect("it comes back");
        let released = in_time(one.release(&lease, Duration::ZERO)).await;
        assert_eq!(released.expect("it is back"), Ownership::Ours);
        let next = take(&two, "a").await;
        assert!(next.fencing_token() > lease.fencing_token());
    }
}

/// A server that stands still costs no more than the time limit, and nothing stays behind.
#[tokio::test]
async fn the_server_stands_still() {
    let server = server_or_skip!(Postgres::start().await);
    for via in Via::REPLACING {
        let place = Place::on(&server).await;
        let one = place.provider(*via).await;
        one.ensure_schema().await.expect("the table can be made");
        assert_eq!(once(&one, "a").await, WORKS);
        // A kept connection, and one that must be made.
        let fresh = place.provider(*via).await;
        server.pause().await.expect("it can be stopped");
        for provider in [&one, &fresh] {
            let asked = Instant::now();
            let limited = config("a").with_timeout("400ms").expect("legal");
            let error = provider.try_lock(limited).await;
            let error = error.expect_err("the server stands still");
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
            assert!(
                asked.elapsed() < Duration::from_secs(4),
                "{:?}",
                asked.elapsed()
            );
        }
        server.resume().await.expect("it can go on");
        // What it grants now, nobody waits for; it is given back in the background.
        let free = async || once(&fresh, "a").await == WORKS;
        until("the orphan is given back", free).await;
        assert_eq!(once(&one, "a").await, WORKS);
    }
}

/// The backend is killed while statements wait on it; the calls go on over another connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_killed_in_the_middle_of_a_statement() {
    for via in Via::REPLACING {
        let place = server_or_skip!(with_table().await);
        let provider = place.provider(*via).await;
        assert_eq!(once(&provider, "a").await, WORKS);
        let other = client(&place.direct).await;
        rows(
            &other,
            "BEGIN; SELECT name FROM shedlock WHERE name = 'a' FOR UPDATE",
        )
        .await;
        let asking = {
            let provider = provider.clone();
            tokio::spawn(async move { provider.try_lock(config("a")).await })
        };
        let waiting =
            "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let killed = async || {
            let kill = format!("SELECT pg_terminate_backend(pid) {waiting}");
            let killed = place.server.execute(&place.direct, &kill).await;
            killed.lines().count() > 0
        };
        until("it waits for the row", killed).await;
        rows(&other, "ROLLBACK").await;
        let lock = in_time(asking).await.expect("no panic");
        let lock = lock.expect("the second connection works");
        let lock = lock.expect("the lock is free");
        assert_eq!(once(&provider, "a").await, "refused");
        lock.unlock().await.expect("the database answers");
        assert_eq!(once(&provider, "a").await, WORKS);
    }
}

#[tokio::test]
async fn a_session_that_accepts_no_writes() {
    let place = server_or_skip!(with_table().await);
    let url = format!(
        "{}?options=-cdefault_transaction_read_only%3Don",
        place.direct
    );
    for via in Via::ALL {
        let built = place::builder(*via, &url).await.build();
        let provider = built.expect("the options are valid");
        let error = provider.try_lock(config("a")).await.expect_err("no writes");
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{via:?}: {error:?}");
        assert!(error.is_transient());
        assert!(
            error.to_string().contains("takes no writes at present"),
            "{error}"
        );
    }
}

/// Many calls while there is no server: each is told in its time, and all work when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_without_a_server() {
    let place = server_or_skip!(with_table().await);
    let provider = place.provider(Via::Url).await;
    assert_eq!(once(&provider, "a").await, WORKS);
    place.proxy.refuse_connections().await;
    place
        .proxy
        .end_connections(shedlock_testkit::proxy::Ending::Reset);
    let all = async |expected: fn(Result<(), LockError>) -> bool| {
        let tasks = (0..32).map(|number| {
            let provider = provider.clone();
            tokio::spawn(async move {
                let config = config(&format!("job-{number}"));
                let asked = provider.try_lock(config).await?;
                asked.expect("it is free").unlock().await.map(drop)
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            let done = tokio::time::timeout(TEST_TIMEOUT, task).await;
            let done = done.expect("an answer").expect("no panic");
            assert!(expected(done.clone()), "{done:?}");
        }
    };
    all(|done| done.is_err_and(|error| error.is_transient())).await;
    place
        .proxy
        .accept_connections()
        .await
        .expect("the port is free");
    all(|done| done.is_ok()).await;
}

/// A provider outlives the runtime that opened its connection.
#[test]
fn another_runtime_opens_another_connection() {
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    let first = runtime();
    let Ok(place) = first.block_on(with_table()) else {
        return;
    };
    let provider = place.provider_past_proxy();
    for _ in 0..2 {
        let runtime = runtime();
        assert_eq!(runtime.block_on(once(&provider, "a")), WORKS);
    }
}
