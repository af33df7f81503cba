//! SIGTERM ends the service soon, and another has its lock at once; SIGKILL would have cost it ten minutes.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]

use std::process::Stdio;
use std::time::{Duration, Instant};

use shedlock_examples::built_example;
use shedlock_runtime::LockAdmin as _;
use shedlock_sqlx::SqliteLockProvider;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// For what happens at once, on a machine with much else to do.
const LIMIT: Duration = Duration::from_mins(1);

fn start(database: &str) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut service = Command::new(built_example("graceful_shutdown"))
        .env("SHEDLOCK_DATABASE", database)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = BufReader::new(service.stdout.take().unwrap()).lines();
    (service, lines)
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let line = timeout(LIMIT, lines.next_line()).await;
    line.expect("it says something").unwrap().unwrap()
}

#[tokio::test]
async fn a_service_that_is_asked_to_end_gives_its_lock_to_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/shedlock.db", directory.path().display());
    let (mut first, mut first_says) = start(&database);
    assert!(line(&mut first_says).await.starts_with("importing"));
    let (mut second, mut second_says) = start(&database);

    let asked = Instant::now();
    terminate(&first);
    let said = line(&mut first_says).await;
    assert_eq!(said, "ended: 1 cancelled, 0 locks left to run out");
    let ended = timeout(LIMIT, first.wait()).await.unwrap().unwrap();
    assert!(ended.success());
    assert!(line(&mut second_says).await.starts_with("importing"));
    assert!(
        asked.elapsed() < LIMIT,
        "long before the ten minutes of its lease"
    );

    terminate(&second);
    let ended = timeout(LIMIT, second.wait()).await.unwrap().unwrap();
    assert!(ended.success());
    let store = SqliteLockProvider::connect(&database).await.unwrap();
    let info = store.get("import").await.unwrap().unwrap();
    assert!(!info.is_held(), "{info:?}");
}

fn terminate(service: &Child) {
    let pid = rustix::process::Pid::from_raw(service.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}
