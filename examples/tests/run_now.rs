//! The three answers of "run now".

#[path = "support/program.rs"]
mod program;

use shedlock_runtime::{LockAdmin as _, host_node_name};
use shedlock_sqlx::{SqliteLockProvider, sqlx};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::program::{LIMIT, Program, request};

async fn replica(database: &str) -> (Program, String) {
    let mut program = Program::start("run_now", &[("DATABASE", database), ("PORT", "0")]);
    let address = program.next_line("listening on http://").await;
    (program, address)
}

#[tokio::test]
async fn a_click_runs_the_job_or_says_why_not() {
    let folder = TempDir::new().unwrap();
    let database = format!("sqlite://{}", folder.path().join("locks.db").display());
    let (_one, first) = replica(&database).await;
    let (_two, second) = replica(&database).await;

    let (answer, other) = tokio::join!(
        request(&first, "POST", "/report/run"),
        request(&second, "POST", "/report/run"),
    );
    let mut answers = [answer, other];
    answers.sort();
    assert!(answers[0].starts_with("HTTP/1.1 200 OK"), "{answers:?}");
    assert!(answers[0].contains("a report of 12 lines"), "{answers:?}");
    assert!(answers[1].starts_with("HTTP/1.1 409 "), "{answers:?}");
    let who = format!("{} has the lock for another ", host_node_name());
    assert!(answers[1].contains(&who), "{answers:?}");

    // It is free again at once.
    let answer = request(&second, "POST", "/report/run").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");

    let pool = sqlx::SqlitePool::connect(&database).await.unwrap();
    sqlx::query("DROP TABLE shedlock")
        .execute(&pool)
        .await
        .unwrap();
    let answer = request(&first, "POST", "/report/run").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("`report`"), "{answer}");
}

/// Else a click on "stop" in a browser would leave half a report behind.
#[tokio::test]
async fn a_client_that_hangs_up_does_not_end_the_job() {
    let folder = TempDir::new().unwrap();
    let database = format!("sqlite://{}", folder.path().join("locks.db").display());
    let (mut program, address) = replica(&database).await;

    let mut client = TcpStream::connect(&address).await.unwrap();
    let click = b"POST /report/run HTTP/1.1\r\nHost: localhost\r\n\r\n";
    client.write_all(click).await.unwrap();
    let locks = SqliteLockProvider::connect(&database).await.unwrap();
    let is_held = async || {
        let report = locks.get("report").await.unwrap();
        report.is_some_and(|report| report.is_held())
    };
    let begun = async {
        while !is_held().await {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, begun).await.expect("the job begins");
    drop(client);
    assert_eq!(program.next_line("a report of ").await, "12 lines");
}
