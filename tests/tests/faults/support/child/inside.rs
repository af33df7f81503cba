//! Inside the child.

use std::env;
use std::hint::black_box;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use shedlock::{LockError, Outcome, SchedulerLock, ShutdownPolicy, lock, scheduler_lock};
use shedlock_sqlx::PostgresLockProvider;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::{AT_MOST, NOTES, RATE, SCENARIO, SCENARIOS, Scenario, URL};
use crate::support::{Events, Locks, Note, Notes, RateClock, connect, is_free};

/// How often a body says that it is at work.
const PACE: Duration = Duration::from_millis(25);

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
    if scenario == Scenario::LoseRuntime {
        lose(runtime);
    } else {
        runtime.block_on(run(scenario));
    }
}

fn lose(runtime: Runtime) {
    let path = PathBuf::from(env::var_os(NOTES).expect("set by the parent"));
    let notes = Notes::open(&path);
    std::panic::set_hook(Box::new(move |panic| {
        notes.note(&format!("panic: {panic}"));
    }));
    runtime.spawn(run(Scenario::Cancel));
    while !Note::read(&path).iter().any(|note| note.what == "step") {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(runtime);
    Notes::open(&path).note("dropped");
}

async fn run(scenario: Scenario) {
    let path = env::var_os(NOTES).expect("set by the parent");
    let path = Path::new(&path);
    let notes = Notes::open(path);
    let millis = env::var(AT_MOST)
        .ok()
        .and_then(|at_most| at_most.parse().ok());
    let at_most = Duration::from_millis(millis.expect("set by the parent"));
    let url = env::var(URL).expect("set by the parent");
    let locks: Locks = match env::var(RATE).ok().and_then(|rate| rate.parse().ok()) {
        Some(rate) => {
            let provider = PostgresLockProvider::builder_from_url(&url);
            let provider = provider.time_source(RateClock::new(rate)).build();
            Arc::new(provider.expect("legal options"))
        }
        None => connect(&url).await,
    };
    // What a first statement takes longer is not to be measured.
    is_free(&locks, "warm-up").await;
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
            let events = Events::listen();
            let done = kept(&locks, at_most, body).await;
            for told in events.messages("lock.starved") {
                notes.note(&format!("starved: {told}"));
            }
            done
        }
        Scenario::EndByCancelling => {
            let policy = ShutdownPolicy::Cancel;
            tokio::join!(
                kept(&locks, at_most, work(&notes)),
                end_on_sigterm(&notes, policy)
            )
            .0
        }
        Scenario::EndByAwaiting => {
            let policy = ShutdownPolicy::Await(Duration::from_secs(20));
            tokio::join!(
                kept(&locks, at_most, work_until_told(&notes, path)),
                end_on_sigterm(&notes, policy)
            )
            .0
        }
        Scenario::Devour => cancelled(&locks, at_most, async { devour(&notes) }).await,
        Scenario::Abort => {
            let body = async {
                notes.note("enter");
                std::process::abort();
            };
            cancelled(&locks, at_most, body).await
        }
        Scenario::Tick => loop {
            let body = async { notes.note("enter") };
            note_end(&notes, &cancelled(&locks, at_most, body).await);
            if Note::read(path).iter().any(|note| note.what == "stop") {
                return;
            }
            sleep(PACE).await;
            rest(&notes, path).await;
            notes.note("ask");
        },
        Scenario::LoseRuntime => unreachable!("it has no runtime to run on"),
    };
    note_end(&notes, &done);
}

fn note_end(notes: &Notes, done: &Answer) {
    match done {
        Ok(Outcome::Executed(())) => notes.note("executed"),
        Ok(Outcome::Skipped(reason)) => notes.note(&format!("skipped: {reason}")),
        Err(error) => notes.note(&format!("failed: {:?}", error.kind())),
    }
}

fn devour(notes: &Notes) {
    notes.note("enter");
    // What is there already counts too.
    let limits = Rlimit {
        current: Some(4 << 30),
        maximum: getrlimit(Resource::As).maximum,
    };
    setrlimit(Resource::As, limits).expect("a limit can be lowered");
    black_box(vec![1_u8; 8 << 30]);
    notes.note("step");
}

async fn end_on_sigterm(notes: &Notes, policy: ShutdownPolicy) {
    let mut term = signal(SignalKind::terminate()).expect("a handler can be had");
    notes.note("handles SIGTERM");
    term.recv().await;
    notes.note("asked to end");
    let report = SchedulerLock::shutdown(policy).await;
    let (cancelled, abandoned) = (report.cancelled, report.abandoned.len());
    notes.note(&format!(
        "shut down: {cancelled} cancelled, {abandoned} abandoned"
    ));
}

async fn work(notes: &Notes) {
    notes.note("enter");
    loop {
        notes.note("step");
        sleep(PACE).await;
    }
}

/// Waits from the parent's `rest` to its `go`.
async fn rest(notes: &Notes, path: &Path) {
    let is_to_rest = || {
        let notes = Note::read(path);
        let mut words = notes.iter().rev().map(|note| note.what.as_str());
        words.find(|what| ["rest", "go"].contains(what)) == Some("rest")
    };
    if is_to_rest() {
        notes.note("rests");
        while is_to_rest() {
            sleep(PACE).await;
        }
    }
}

async fn work_until_told(notes: &Notes, path: &Path) {
    notes.note("enter");
    let _left = Left(notes);
    while !Note::read(path).iter().any(|note| note.what == "stop") {
        notes.note("step");
        sleep(PACE).await;
    }
}

/// Notes the end of a body, whichever it is.
struct Left<'n>(&'n Notes);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.note("left");
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
