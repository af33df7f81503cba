//! Cases for the history of runs.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use shedlock_runtime::{ErrorKind, LockName, Position, RunHistory, RunOutcome, RunRecord};

use super::node::Node;
use super::subject::{LONG, PATIENCE, POLL, Subject, config, fresh, soon};

const SECOND: Duration = Duration::from_secs(1);

/// The history of `node`'s provider. If there is none, prints that the case is not applicable.
async fn history<'n>(subject: &Subject, node: &'n Node) -> Option<&'n dyn RunHistory> {
    let history = node.provider().run_history();
    let read = match history {
        Some(history) => history
            .runs(&name(&fresh("unknown")), now()..now())
            .await
            .err(),
        None => None,
    };
    // A router learns from the tenant whether there is one.
    let is_kept = read.is_none_or(|error| error.kind() != ErrorKind::Unsupported);
    let history = history.filter(|_| is_kept);
    if history.is_none() {
        subject.not_applicable("the provider keeps no history");
    }
    history
}

fn name(lock: &str) -> LockName {
    LockName::new(lock).unwrap_or_else(|invalid| panic!("`{lock}` is a legal name: {invalid}"))
}

/// A time that every store can represent.
fn now() -> SystemTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.unwrap_or_default().as_secs())
}

async fn read(history: &dyn RunHistory, lock: &str, began: Range<SystemTime>) -> Vec<RunRecord> {
    let runs = history.runs(&name(lock), began).await;
    runs.expect("the store answers")
}

async fn append(history: &dyn RunHistory, run: &RunRecord) {
    history.append(run).await.expect("the store answers");
}

/// An entry reads back as it was written, through another node too, with everything in it.
pub async fn an_entry_reads_back(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    let Some(history) = history(subject, &one).await else {
        return;
    };
    let (lock, began) = (fresh("history"), now());
    let position = Position {
        number: 1_795_863_775_972,
        is_done: false,
        tries: 2,
    };
    let full = RunRecord::new(&*lock, "web-2", began..began + SECOND, RunOutcome::Failed)
        .with_fencing_token(Some(33))
        .with_position(Some(position))
        .with_error("out of paper: it's \"over\" \\ \u{e9}");
    append(history, &full).await;
    let later = began + SECOND;
    let empty = RunRecord::new(&*lock, "web-3", later..later, RunOutcome::Completed);
    append(history, &empty).await;
    let other = RunRecord::new(fresh("other"), "web-2", later..later, RunOutcome::Lost);
    append(history, &other).await;
    let expected = [empty, full];
    for node in [&one, &two] {
        let history = node.provider().run_history().expect("both have one");
        let runs = read(history, &lock, began..later + SECOND).await;
        assert_eq!(runs, expected, "the latest first, and no others");
    }
}

/// Each outcome reads back.
pub async fn each_outcome_reads_back(subject: &Subject) {
    let one = subject.node("one").await;
    let Some(history) = history(subject, &one).await else {
        return;
    };
    let (lock, began) = (fresh("outcomes"), now());
    let outcomes = [
        RunOutcome::Completed,
        RunOutcome::Failed,
        RunOutcome::Panicked,
        RunOutcome::Dropped,
        RunOutcome::Lost,
        RunOutcome::ShutDown,
        RunOutcome::Crashed,
    ];
    for (seconds, outcome) in (0..).zip(outcomes) {
        let at = began + SECOND * seconds;
        append(history, &RunRecord::new(&*lock, "web-2", at..at, outcome)).await;
    }
    let runs = read(history, &lock, began..began + SECOND * 60).await;
    let read: Vec<_> = runs.iter().rev().map(|run| run.outcome).collect();
    assert_eq!(read, outcomes);
}

/// Only the runs that began in the range are read: its start belongs to it, its end does not.
pub async fn a_range_is_read(subject: &Subject) {
    let one = subject.node("one").await;
    let Some(history) = history(subject, &one).await else {
        return;
    };
    let (lock, began) = (fresh("range"), now());
    for seconds in 0..5 {
        let at = began + SECOND * seconds;
        let run = RunRecord::new(&*lock, "web-2", at..at + LONG, RunOutcome::Completed);
        append(history, &run).await;
    }
    let runs = read(history, &lock, began + SECOND..began + SECOND * 3).await;
    let read: Vec<_> = runs.iter().map(|run| run.began).collect();
    assert_eq!(read, [began + SECOND * 2, began + SECOND]);
    assert_eq!(read_none(history, &fresh("unknown"), began).await, 0);
}

async fn read_none(history: &dyn RunHistory, lock: &str, began: SystemTime) -> usize {
    read(history, lock, began..began + LONG).await.len()
}

/// Entries that many nodes write at once are all there.
pub async fn many_write_at_once(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    if history(subject, &one).await.is_none() {
        return;
    }
    let (lock, began) = (fresh("history-race"), now());
    let written = (0..40_u32).map(|number| {
        let node = if number % 2 == 0 {
            one.clone()
        } else {
            two.clone()
        };
        let at = began + SECOND * number;
        let run = RunRecord::new(&*lock, "web-2", at..at, RunOutcome::Completed);
        tokio::spawn(async move {
            let history = node.provider().run_history().expect("both have one");
            history.append(&run).await
        })
    });
    for written in join_all(written).await {
        written.expect("no panic").expect("the store answers");
    }
    let history = one.provider().run_history().expect("it has one");
    let runs = read(history, &lock, began..began + SECOND * 60).await;
    assert_eq!(runs.len(), 40);
}

/// A run is entered when it ends, and a crash when another node takes over.
pub async fn runs_are_entered(subject: &Subject) {
    let (one, two) = subject.two_nodes().await;
    if history(subject, &one).await.is_none() {
        return;
    }
    let lock = fresh("entered");
    let began = now();
    let held = one.lock(&lock, LONG, Duration::ZERO).await;
    let token = held.fencing_token();
    held.unlock().await.expect("the store answers");
    let history = one.provider().run_history().expect("it has one");
    let range = || began..began + LONG;
    let entered = |count| {
        let lock = &lock;
        soon("an entry", async move {
            loop {
                let runs = read(history, lock, range()).await;
                if runs.len() >= count {
                    return runs;
                }
                tokio::time::sleep(POLL).await;
            }
        })
    };
    let runs = entered(1).await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0].outcome, RunOutcome::Completed);
    assert_eq!(runs[0].fencing_token, token);
    if !subject.capabilities().tells_takeovers() {
        return;
    }
    let dead = one.seize(&lock, subject.short()).await;
    let wait = config(&lock, LONG, Duration::ZERO).with_wait(PATIENCE);
    let wait = wait.expect("a legal wait");
    let next = shedlock_runtime::LockProviderExt::try_lock(two.provider(), wait).await;
    let next = next.expect("the store answers").expect("it is free again");
    let runs = entered(2).await;
    let crashed = runs.iter().find(|run| run.outcome == RunOutcome::Crashed);
    let crashed = crashed.unwrap_or_else(|| panic!("the crash is entered: {runs:?}"));
    if crashed.fencing_token.is_some() {
        assert_eq!(crashed.fencing_token, dead.lease.fencing_token());
    }
    drop(next);
}
