//! A process that is stopped (SIGSTOP) between its work and the end of its transaction, for longer than its lease.
//!
//! Not in SQLite: a transaction that has written lets no other process write, so nobody can take the lock over before it ends.

use std::io::{BufRead as _, Write as _};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use shedlock_runtime::ErrorKind;
use shedlock_sqlx::{LockInTransaction as _, SqlxLockProvider};
use shedlock_testkit::processes::Reexec;
use shedlock_testkit::server_or_skip;
use sqlx::pool::PoolOptions;
use sqlx::{MySql, Postgres};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::*;
use crate::place::Via;

const URL: &str = "SHEDLOCK_TEST_TRANSACTION_URL";
const LEASE: Duration = Duration::from_secs(3);
const WORKED: &str = "worked";

#[tokio::test]
async fn a_stopped_process_commits_nothing_in_postgres() {
    let place: Place<Postgres> = server_or_skip!(Place::empty().await);
    a_stopped_process_commits_nothing(place).await;
}

#[tokio::test]
async fn a_stopped_process_commits_nothing_in_mariadb() {
    let place: Place<MySql> = server_or_skip!(Place::empty().await);
    a_stopped_process_commits_nothing(place).await;
}

async fn a_stopped_process_commits_nothing<DB: TestStore>(place: Place<DB>) {
    with_work(&place).await;
    let child = Reexec::new(concat!(module_path!(), "::child")).env(URL, &place.direct);
    let mut command = child.command().expect("this binary has a path");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the child starts");
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let mut lines = BufReader::new(stdout.expect("a pipe")).lines();
    let mut said = async |word: &str| {
        let wait = async {
            loop {
                let line = lines.next_line().await.expect("the pipe works");
                let line = line.expect("the child says it before it ends");
                if let Some(said) = line.strip_prefix(word) {
                    return said.to_owned();
                }
            }
        };
        let waited = tokio::time::timeout(LONG, wait).await;
        waited.expect("the child says it")
    };
    said(WORKED).await;
    let pid = child.id().expect("it runs").try_into().expect("a number");
    let pid = Pid::from_raw(pid).expect("a number above zero");
    kill_process(pid, Signal::STOP).expect("it can be stopped");

    let rival = place.provider(Via::Url);
    let wait = step(1, LONG).with_attempts(2).expect("legal");
    let taken = begin(&rival, wait.with_wait(LONG).expect("a legal wait")).await;
    let mut transaction = work(&place).await;
    let completed = taken.complete_in(&mut transaction).await;
    completed.expect("it is held");
    transaction.commit().await.expect("it can be committed");
    assert!(taken.unlock().await.is_ok());

    let mut stdin = stdin.expect("a pipe");
    let written = stdin.write_all(b"go on\n").await;
    written.expect("the child still waits");
    kill_process(pid, Signal::CONT).expect("it can go on");
    assert_eq!(
        said("completed: ").await,
        format!("{:?}", Some(ErrorKind::Lost))
    );
    let ended = child.wait().await.expect("the child ends");
    assert!(ended.success(), "{ended}");
    assert_eq!(committed(&place).await, 1, "the rival's work alone");
    assert_eq!(reason(&rival, step(1, LONG)).await, SkipReason::AlreadyRan);
}

#[tokio::test]
#[ignore = "runs as the child of the other tests of this file"]
async fn child() {
    let Ok(url) = std::env::var(URL) else {
        return;
    };
    if url.starts_with("postgres") {
        work_and_wait::<Postgres>(&url).await;
    } else {
        work_and_wait::<MySql>(&url).await;
    }
}

/// Prints a line for the parent, below what the test harness has printed.
fn tell(line: &str) {
    let told = writeln!(std::io::stdout(), "\n{line}");
    told.expect("the parent lives");
}

async fn work_and_wait<DB: TestStore>(url: &str) {
    let provider = SqlxLockProvider::<DB>::connect(url).await;
    let provider = provider.expect("the database is there");
    let pool = PoolOptions::<DB>::new().connect(url).await;
    let pool = pool.expect("the database is there");
    let lock = begin(&provider, step(1, LEASE)).await;
    let mut transaction = pool.begin().await.expect("a transaction begins");
    let worked = DB::run_in(&mut transaction, "INSERT INTO work VALUES (2)").await;
    worked.expect("the work can be done");
    tell(WORKED);
    // Here it is stopped.
    let line = std::io::stdin().lock().lines().next();
    line.expect("the parent lives").expect("the pipe works");
    let completed = lock.complete_in(&mut transaction).await;
    tell(&format!("completed: {:?}", kind(completed)));
    // The program ignores the error.
    drop(transaction.commit().await);
}
