//! A holder in a process of its own, to be killed and stopped, and what it does.

mod inside;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use shedlock_testkit::Cable;
use shedlock_testkit::processes::Reexec;
use shedlock_tests::holds::monotonic_nanos;
use tempfile::TempDir;
use tokio::process::ChildStdin;

use super::notes::{Note, Notes};
use super::until;

const SCENARIO: &str = "SHEDLOCK_FAULTS_SCENARIO";
const URL: &str = "SHEDLOCK_FAULTS_URL";
const NOTES: &str = "SHEDLOCK_FAULTS_NOTES";
const AT_MOST: &str = "SHEDLOCK_FAULTS_AT_MOST";
/// Says how fast the child's forward clock runs.
pub(crate) const RATE: &str = "SHEDLOCK_FAULTS_RATE";

/// What a child does: it calls the locked job `job`, once unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Works until its lease ends, and is cancelled then.
    Cancel,
    /// Works until its lease ends, and is told then.
    Notify,
    /// Works with its lease kept alive until its notes end with `stop`.
    KeepAlive,
    /// The same beside threads that never rest.
    Starve,
    /// Blocks the only thread of its runtime for twice its lease, then awaits.
    Block,
    /// Takes more memory than there is.
    Devour,
    /// Works until SIGTERM, and then ends as a program should: what it had begun is cancelled.
    EndByCancelling,
    /// The same, but what it had begun may end by itself, which it does once its notes end with `stop`.
    EndByAwaiting,
    /// Drops its runtime while its job is at work.
    LoseRuntime,
    /// Calls the job again and again until its notes end with `stop`, as a scheduler would; not between `rest` and `go`.
    Tick,
    /// Aborts, as a panic does with `panic = "abort"`.
    Abort,
}

const SCENARIOS: [Scenario; 11] = [
    Scenario::Cancel,
    Scenario::Notify,
    Scenario::KeepAlive,
    Scenario::Starve,
    Scenario::Block,
    Scenario::Devour,
    Scenario::EndByCancelling,
    Scenario::EndByAwaiting,
    Scenario::LoseRuntime,
    Scenario::Tick,
    Scenario::Abort,
];

/// A child, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    /// Closed, it ends the child; to wait for a child closes it unless it is here.
    #[expect(dead_code, reason = "the child has the other end")]
    input: Option<ChildStdin>,
    path: PathBuf,
    #[expect(dead_code, reason = "the notes are in there")]
    directory: TempDir,
}

impl Child {
    pub(crate) fn start(scenario: Scenario, url: &str, at_most: Duration) -> Self {
        Self::start_with(scenario, url, at_most, Vec::new())
    }

    pub(crate) fn start_with(
        scenario: Scenario,
        url: &str,
        at_most: Duration,
        variables: Vec<(OsString, OsString)>,
    ) -> Self {
        Self::start_as(scenario, url, at_most, |mut child| {
            for (name, value) in variables {
                child = child.env(name, value);
            }
            child
        })
    }

    /// A child that reaches the store over this cable alone.
    pub(crate) fn start_behind(
        cable: &Cable,
        scenario: Scenario,
        url: &str,
        at_most: Duration,
    ) -> Self {
        Self::start_as(scenario, url, at_most, |child| child.behind(cable))
    }

    /// A child that leaves the processors to the other tests: what starves in it, starves beside its own threads.
    pub(crate) fn start_last_in_line(scenario: Scenario, url: &str, at_most: Duration) -> Self {
        Self::start_as(scenario, url, at_most, |child| {
            child.started_by(&["nice", "-n", "15"])
        })
    }

    fn start_as(
        scenario: Scenario,
        url: &str,
        at_most: Duration,
        prepare: impl FnOnce(Reexec) -> Reexec,
    ) -> Self {
        let directory = tempfile::tempdir().expect("there is a place for temporary files");
        let path = directory.path().join("notes");
        let child = Reexec::new(concat!(module_path!(), "::inside::child"))
            .env(SCENARIO, format!("{scenario:?}"))
            .env(URL, url)
            .env(NOTES, &path)
            .env(AT_MOST, at_most.as_millis().to_string());
        let mut command = prepare(child).command().expect("this program has a path");
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a process can be started");
        Self {
            input: process.stdin.take(),
            process,
            path,
            directory,
        }
    }

    /// Waits until the child has noted this.
    pub(crate) async fn until(&self, what: &str) -> Note {
        until(async || self.notes().into_iter().find(|note| note.what == what)).await
    }

    /// Waits until the body has come to work, and lets it rest: with the next step far off, it is asleep now.
    pub(crate) async fn until_at_work(&self) -> Note {
        let steps = self.count("step");
        until(async || (self.count("step") > steps).then_some(())).await;
        self.until("enter").await
    }

    pub(crate) fn notes(&self) -> Vec<Note> {
        Note::read(&self.path)
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        self.notes().iter().filter(|note| note.what == what).count()
    }

    /// The last moment at which the body was at work.
    pub(crate) fn last_step(&self) -> u64 {
        let at_work = |note: &Note| matches!(&*note.what, "enter" | "step").then_some(note.at);
        self.notes().iter().filter_map(at_work).max().unwrap_or(0)
    }

    /// Tells a body that looks at its notes to end.
    pub(crate) fn tell_to_stop(&self) {
        self.tell("stop");
    }

    /// Notes a word for the child.
    pub(crate) fn tell(&self, word: &str) {
        Notes::open(&self.path).note(word);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.process.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw).expect("the child lives");
        kill_process(pid, signal).expect("the child lives");
    }

    /// Waits for the child's end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        super::in_time(self.process.wait())
            .await
            .expect("it is our child")
    }

    /// Kills the child and gives the moment at which it was surely dead.
    pub(crate) async fn kill(&mut self) -> u64 {
        self.process.kill().await.expect("it is our child");
        monotonic_nanos()
    }
}
