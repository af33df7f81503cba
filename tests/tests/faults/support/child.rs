//! A holder in a process of its own, to be killed and stopped, and what it does.

use std::env;
use std::ffi::OsString;
use std::hint::black_box;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use shedlock::{LockError, Outcome, lock, scheduler_lock};
use shedlock_testkit::processes::Reexec;
use shedlock_tests::holds::monotonic_nanos;
use tempfile::TempDir;
use tokio::process::ChildStdin;
use tokio::time::sleep;

use super::notes::{Note, Notes};
use super::place::{Locks, connect};
use super::until;

const SCENARIO: &str = "SHEDLOCK_FAULTS_SCENARIO";
const URL: &str = "SHEDLOCK_FAULTS_URL";
const NOTES: &str = "SHEDLOCK_FAULTS_NOTES";
const AT_MOST: &str = "SHEDLOCK_FAULTS_AT_MOST";
/// How often a body says that it is at work.
const PACE: Duration = Duration::from_millis(25);

/// What a child does: it calls the locked job `job` once.
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
    /// Aborts, as a panic does with `panic = "abort"`.
    Abort,
}

const SCENARIOS: [Scenario; 7] = [
    Scenario::Cancel,
    Scenario::Notify,
    Scenario::KeepAlive,
    Scenario::Starve,
    Scenario::Block,
    Scenario::Devour,
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
        let directory = tempfile::tempdir().expect("there is a place for temporary files");
        let path = directory.path().join("notes");
        let mut child = Reexec::new(concat!(module_path!(), "::child"))
            .env(SCENARIO, format!("{scenario:?}"))
            .env(URL, url)
            .env(NOTES, &path)
            .env(AT_MOST, at_most.as_millis().to_string());
        for (name, value) in variables {
            child = child.env(name, value);
        }
        let mut command = child.command().expect("this program has a path");
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
        Notes::open(&self.path).note("stop");
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

#[test]
#[ignore = "runs as the child of the other tests of this program"]
fn child() {
    let Ok(wanted) = env::var(SCENARIO) else {
        return;
    };
    let scenario = SCENARIOS
        .into_iter()
        .find(|scenario| format!("{scenario:?}") == wanted)
        .expect("a scenario");
    // The parent holds the other end: without it this process has no business.
    std::thread::spawn(|| {
        drop(std::io::stdin().read(&mut [0]));
        std::process::exit(0);
    });
    let mut runtime = match scenario {
        Scenario::Block => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(run(scenario));
}

async fn run(scenario: Scenario) {
    let path = env::var_os(NOTES).expect("set by the parent");
    let path = Path::new(&path);
    let notes = Notes::open(path);
    let millis = env::var(AT_MOST)
        .ok()
        .and_then(|at_most| at_most.parse().ok());
    let at_most = Duration::from_millis(millis.expect("set by the parent"));
    let locks = connect(&env::var(URL).expect("set by the parent")).await;
    // What a first statement takes longer is not to be measured.
    super::is_free(&locks, "warm-up").await;
    notes.note("ask");
    let done = match scenario {
        Scenario::Cancel => cancelled(&locks, at_most, work(&notes)).await,
        Scenario::Notify => {
            let told = async {
                tokio::join!(work(&notes), async {
                    lock::lost().await;
                    notes.note("told");
                });
            };
            notified(&locks, at_most, told).await
        }
        Scenario::KeepAlive => kept(&locks, at_most, work_until_told(&notes, path)).await,
        Scenario::Starve => {
            // At work only once the lock is held: until then nothing is measured.
            let body = async {
                for _ in 0..32 {
                    std::thread::spawn(|| {
                        loop {
                            black_box(0);
                        }
                    });
                }
                work_until_told(&notes, path).await;
            };
            kept(&locks, at_most, body).await
        }
        Scenario::Block => {
            let body = async {
                notes.note("enter");
                std::thread::sleep(at_most * 2);
                notes.note("unblocked");
                tokio::task::yield_now().await;
                notes.note("step");
            };
            kept(&locks, at_most, body).await
        }
        Scenario::Devour => {
            let body = async {
                notes.note("enter");
                // What is there already counts too.
                let limit = 4 << 30;
                let hard = getrlimit(Resource::As).maximum;
                let limits = Rlimit {
                    current: Some(limit),
                    maximum: hard,
                };
                setrlimit(Resource::As, limits).expect("a limit can be lowered");
                black_box(vec![1_u8; 8 << 30]);
                notes.note("step");
            };
            cancelled(&locks, at_most, body).await
        }
        Scenario::Abort => {
            let body = async {
                notes.note("enter");
                std::process::abort();
            };
            cancelled(&locks, at_most, body).await
        }
    };
    match done {
        Ok(Outcome::Executed(())) => notes.note("executed"),
        Ok(Outcome::Skipped(reason)) => notes.note(&format!("skipped: {reason}")),
        Err(error) => notes.note(&format!("failed: {:?}", error.kind())),
    }
}

async fn work(notes: &Notes) {
    notes.note("enter");
    loop {
        notes.note("step");
        sleep(PACE).await;
    }
}

async fn work_until_told(notes: &Notes, path: &Path) {
    notes.note("enter");
    while !Note::read(path).iter().any(|note| note.what == "stop") {
        notes.note("step");
        sleep(PACE).await;
    }
}

type Answer = Result<Outcome<()>, LockError>;

#[scheduler_lock(name = "job", at_most = at_most, on_lost = "cancel", provider = locks)]
async fn cancelled(locks: &Locks, at_most: Duration, body: impl Future<Output = ()>) -> Answer {
    body.await;
    Ok(Outcome::Executed(()))
}

#[scheduler_lock(name = "job", at_most = at_most, on_lost = "notify", provider = locks)]
async fn notified(locks: &Locks, at_most: Duration, body: impl Future<Output = ()>) -> Answer {
    body.await;
    Ok(Outcome::Executed(()))
}

#[scheduler_lock(name = "job", at_most = at_most, keep_alive, provider = locks)]
async fn kept(locks: &Locks, at_most: Duration, body: impl Future<Output = ()>) -> Answer {
    body.await;
    Ok(Outcome::Executed(()))
}
