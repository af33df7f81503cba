//! Runs test programs in parallel: they spend nearly all of their time waiting for leases to end.

use crate::process::{self, Ended};
use std::collections::VecDeque;
use std::process::Command;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A program to run.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) name: String,
    /// Whether it must run alone.
    pub(super) alone: bool,
    command: Command,
}

impl Job {
    pub(super) fn new(name: &str, command: Command) -> Self {
        Self {
            name: name.to_owned(),
            alone: false,
            command,
        }
    }

    pub(super) fn command_mut(&mut self) -> &mut Command {
        &mut self.command
    }
}

/// How a program ended and what it said.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) name: String,
    pub(super) lines: Vec<String>,
    pub(super) ended: anyhow::Result<Ended>,
    pub(super) took: Duration,
}

/// Runs the jobs, `at_once` of them in parallel and each within `limit`, and then one after the other those that must run alone. Calls `on_done`
/// when a job has ended.
pub(super) fn run(jobs: Vec<Job>, at_once: usize, limit: Duration, on_done: &mut dyn FnMut(&Done)) {
    let (alone, together) = jobs.into_iter().partition(|job| job.alone);
    run_together(together, at_once, limit, on_done);
    run_together(alone, 1, limit, on_done);
}

fn run_together(jobs: Vec<Job>, at_once: usize, limit: Duration, on_done: &mut dyn FnMut(&Done)) {
    let waiting = Mutex::new(VecDeque::from(jobs));
    let (sender, done) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..at_once {
            let (sender, waiting) = (sender.clone(), &waiting);
            scope.spawn(move || {
                while let Some(job) = next(waiting) {
                    // The receiver lives as long as this scope.
                    sender.send(run_one(job, limit)).ok();
                }
            });
        }
        drop(sender);
        for done in done {
            on_done(&done);
        }
    });
}

fn next(waiting: &Mutex<VecDeque<Job>>) -> Option<Job> {
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.pop_front()
}

fn run_one(job: Job, limit: Duration) -> Done {
    let start = Instant::now();
    let mut lines = Vec::new();
    let ended = process::run_captured(job.command, limit, &mut |line| lines.push(line.to_owned()));
    Done {
        name: job.name,
        lines,
        ended,
        took: start.elapsed(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Done, Job, run};
    use crate::process::Ended;
    use std::process::Command;
    use std::time::{Duration, Instant};

    const LONG: Duration = Duration::from_secs(60);

    fn job(name: &str, script: &str) -> Job {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Job::new(name, command)
    }

    fn all(jobs: Vec<Job>, at_once: usize, limit: Duration) -> Vec<(String, Vec<String>, bool)> {
        let mut all = Vec::new();
        run(jobs, at_once, limit, &mut |done: &Done| {
            let well = done.ended.as_ref().is_ok_and(Ended::success);
            all.push((done.name.clone(), done.lines.clone(), well));
        });
        all.sort();
        all
    }

    #[test]
    fn each_has_its_own_output_and_end() {
        let jobs = vec![
            job("a", "echo out; echo err >&2"),
            job("b", "echo b; exit 1"),
        ];
        let lines = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
        assert_eq!(
            all(jobs, 2, LONG),
            [
                ("a".to_owned(), lines(&["out", "err"]), true),
                ("b".to_owned(), lines(&["b"]), false)
            ]
        );
    }

    #[test]
    fn as_many_as_asked_for_run_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo").display().to_string();
        assert!(
            Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        // Each of the two waits for the other to open its end.
        let jobs = || {
            vec![
                job("a", &format!("echo met > {fifo}")),
                job("b", &format!("cat {fifo}")),
            ]
        };
        assert!(all(jobs(), 2, LONG).iter().all(|(.., well)| *well));
        let limit = Duration::from_millis(300);
        assert!(all(jobs(), 1, limit).iter().all(|(.., well)| !*well));
    }

    #[test]
    fn one_that_wants_to_be_alone_waits_for_the_others() {
        let mut order = Vec::new();
        let mut alone = job("alone", "echo");
        alone.alone = true;
        let jobs = vec![alone, job("slow", "sleep 0.3"), job("fast", "echo")];
        run(jobs, 2, LONG, &mut |done| order.push(done.name.clone()));
        assert_eq!(order, ["fast", "slow", "alone"]);
    }

    #[test]
    fn one_past_its_limit_keeps_no_other_from_running() {
        let start = Instant::now();
        let jobs = vec![job("hangs", "echo begun; sleep 60"), job("runs", "echo b")];
        let done = all(jobs, 1, Duration::from_millis(300));
        assert!(!done[0].2 && done[0].1 == ["begun"], "{done:?}");
        assert!(done[1].2, "{done:?}");
        assert!(start.elapsed() < LONG);
    }
}
