//! The three answers of "run now".

#[path = "support/program.rs"]
mod program;

use shedlock_runtime::host_node_name;
use shedlock_sqlx::sqlx;
use tempfile::TempDir;

use crate::program::{Program, request};

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
