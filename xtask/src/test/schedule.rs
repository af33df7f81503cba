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
    pub(super) beside: Beside,
    command: Command,
}

/// Which programs may run beside a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    /// As many as are asked for, each of which may have any number beside it.
    Many,
    /// One that may have one beside it as well.
    One,
    Nothing,
}

impl Beside {
    /// In the order in which they run: those that need the most quiet come last.
    const ALL: [Self; 3] = [Self::Many, Self::One, Self::Nothing];

    fn at_once(self, asked: usize) -> usize {
        match self {
            Self::Many => asked,
            Self::One => asked.min(2),
            Self::Nothing => 1,
        }
    }
}

impl Job {
    pub(super) fn new(name: &str, command: Command) -> Self {
        Self {
            name: name.to_owned(),
            beside: Beside::Many,
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

/// Runs the jobs, at most `at_once` of them in parallel and each within `limit`; those that may have less beside them come later. Calls
/// `on_done` when a job has ended.
pub(super) fn run(
    mut jobs: Vec<Job>,
    at_once: usize,
    limit: Duration,
    on_done: &mut dyn FnMut(&Done),
) {
    for beside in Beside::ALL {
        let (now, later) = jobs.into_iter().partition(|job| job.beside == beside);
        run_together(now, beside.at_once(at_once), limit, on_done);
        jobs = later;
    }
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
    use super::{Beside, Done, Job, run};
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
    fn as_many_as_asked_for_and_allowed_run_at_once() {
        for (beside, at_once, meet) in [
            (Beside::Many, 3, true),
            (Beside::Many, 2, true),
            (Beside::Many, 1, false),
            (Beside::One, 3, true),
            (Beside::One, 1, false),
            (Beside::Nothing, 3, false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let fifo = folder.path().join("fifo").display().to_string();
            let made = Command::new("mkfifo").arg(&fifo).status();
            assert!(made.unwrap().success());
            // Each of the two waits for the other to open its end.
            let mut jobs = vec![
                job("a", &format!("echo met > {fifo}")),
                job("b", &format!("cat {fifo}")),
            ];
            for job in &mut jobs {
                job.beside = beside;
            }
            let limit = if meet {
                LONG
            } else {
                Duration::from_millis(300)
            };
            let done = all(jobs, at_once, limit);
            assert!(done.iter().all(|(.., well)| *well == meet), "{beside:?}");
        }
    }

    #[test]
    fn a_third_waits_where_two_may_run() {
        let mut order = Vec::new();
        let quick = job("quick", "true");
        let mut jobs = vec![job("long", "sleep 0.2"), job("longer", "sleep 2"), quick];
        for job in &mut jobs {
            job.beside = Beside::One;
        }
        run(jobs, 3, LONG, &mut |done| order.push(done.name.clone()));
        assert_eq!(order, ["long", "quick", "longer"]);
    }

    #[test]
    fn those_that_need_quiet_wait_for_the_others() {
        let mut order = Vec::new();
        let mut alone = job("alone", "echo");
        alone.beside = Beside::Nothing;
        let mut pair = job("pair", "echo");
        pair.beside = Beside::One;
        let jobs = vec![alone, pair, job("slow", "sleep 0.3"), job("fast", "echo")];
        run(jobs, 2, LONG, &mut |done| order.push(done.name.clone()));
        assert_eq!(order, ["fast", "slow", "pair", "alone"]);
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
