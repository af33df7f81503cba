//! The worker of the queue is killed at each of its checkpoints, and another one finishes its work.
#![expect(clippy::unwrap_used, reason = "a helper of tests fails as they do")]
#![cfg(unix)]

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use shedlock_examples::built_example;
use tempfile::TempDir;

/// Runs a worker until the queue is empty, or until it is killed at that checkpoint.
fn worker(folder: &Path, killed_at: Option<u32>) -> Output {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=1", "60"])
        .arg(built_example("order_queue"))
        .arg(folder)
        .stdin(Stdio::null());
    if let Some(number) = killed_at {
        command.env("KILLED_AT", number.to_string());
    }
    command.output().unwrap()
}

/// The three counts in each line of a worker's report.
fn counts(report: &str) -> Vec<[u32; 3]> {
    let count = |line: &str, what: &str| -> u32 {
        let (_, rest) = line.split_once(what).unwrap();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    };
    let line = |line| {
        [
            count(line, "charged "),
            count(line, "mailed "),
            count(line, "texted "),
        ]
    };
    report.lines().map(line).collect()
}

/// The checkpoints that a worker passes for three orders.
const CHECKPOINTS: u32 = 3 * 10;

/// Kills a worker at that checkpoint, lets another one finish, and returns what was done for each order.
fn finished_after_a_kill(killed_at: u32) -> Vec<[u32; 3]> {
    let folder = TempDir::new().unwrap();
    let killed = worker(folder.path(), Some(killed_at));
    // `timeout` ends as its program does.
    let is_killed = killed.status.signal() == Some(9) || killed.status.code() == Some(137);
    assert!(is_killed, "{killed_at}: {killed:?}");
    let next = worker(folder.path(), None);
    assert!(next.status.success(), "{killed_at}: {next:?}");
    counts(&String::from_utf8(next.stdout).unwrap())
}

#[test]
fn a_worker_killed_at_any_checkpoint_repeats_no_charge() {
    // Most of the time passes in waiting for the killed worker's lease to end.
    let all: Vec<_> = (1..=CHECKPOINTS).collect();
    // No more of them at a time than a machine can serve well within a lease.
    let finished = all.chunks(6).flat_map(|some| {
        let kills: Vec<_> = some
            .iter()
            .map(|&killed_at| std::thread::spawn(move || finished_after_a_kill(killed_at)))
            .collect();
        some.iter().zip(kills)
    });
    let (mut mailed_twice, mut never_texted) = (0, 0);
    for (killed_at, kill) in finished {
        let orders = kill.join().unwrap();
        assert_eq!(orders.len(), 3);
        for [charged, mailed, texted] in orders {
            assert_eq!(charged, 1, "killed at {killed_at}");
            assert!((1..=2).contains(&mailed), "killed at {killed_at}: {mailed}");
            assert!(texted <= 1, "killed at {killed_at}: {texted}");
            mailed_twice += u32::from(mailed == 2);
            never_texted += u32::from(texted == 0);
        }
    }
    // What an effect outside of the database cannot have: each order was mailed twice once, and once not texted.
    assert_eq!((mailed_twice, never_texted), (3, 3));
    let folder = TempDir::new().unwrap();
    let last = worker(folder.path(), Some(CHECKPOINTS + 1));
    assert!(
        last.status.success(),
        "there are more checkpoints: {last:?}"
    );
}

/// Four workers at one queue, without a fault: every effect once.
#[test]
fn workers_beside_each_other_do_every_step_once() {
    let folder = TempDir::new().unwrap();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let folder = folder.path().to_owned();
            std::thread::spawn(move || worker(&folder, None))
        })
        .collect();
    let reports: Vec<_> = workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .collect();
    for report in &reports {
        assert!(report.status.success(), "{report:?}");
    }
    // The last one to end saw all of it.
    let last = worker(folder.path(), None);
    let report = String::from_utf8(last.stdout).unwrap();
    assert_eq!(counts(&report), [[1, 1, 1]; 3], "{report}");
}
