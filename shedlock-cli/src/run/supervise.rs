//! Watches over the command: hands signals on, follows its end, and ends it when the lock is lost.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use shedlock_runtime::{lock, printable};
use tokio::time::{Instant, sleep, sleep_until};

use super::guard::Guard;
use super::launch;
use super::signals::{Event, Signals};
use super::terminal::Terminal;
use super::tree::{Inherited, Tree};
use crate::exit::Exit;
use crate::output::{self, Level};

mod children;

use children::stop;

/// The timers stand still while a machine is suspended, and the lease does not: it is looked at this often.
const LOOK: Duration = Duration::from_secs(1);
/// How long processes may take to vanish after KILL.
const VANISHING: Duration = Duration::from_secs(2);

/// What is to be run, and how.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each but one is a flag of the command line"
)]
#[derive(Debug)]
pub(super) struct Job {
    pub(super) command: Vec<OsString>,
    pub(super) name: String,
    pub(super) node: String,
    /// Whether the calling task holds the lock.
    pub(super) is_locked: bool,
    pub(super) kill_after: Duration,
    /// How long before the end of the lease KILL is sent, so that the kernel has the time to carry it out.
    pub(super) lead: Duration,
    pub(super) ends_on_loss: bool,
    pub(super) leaves_processes: bool,
    pub(super) is_quiet: bool,
}

/// How the command ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) exit: Exit,
}

impl Ended {
    /// How a run ended that is to count as a failure for its slot, instant or step; `None` for a success.
    pub(super) fn error(&self) -> Option<&dyn fmt::Display> {
        (self.exit != Exit::SUCCESS).then_some(self)
    }
}

/// For the history of runs.
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {}", self.exit.0)
    }
}

/// How far the end of the command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    /// The lock is lost and the command goes on, as was asked for.
    Unlocked,
    /// TERM was sent; KILL follows at this time.
    Ending(Instant),
}

struct Supervision<'a> {
    job: &'a Job,
    tree: Tree,
    guard: Guard,
    phase: Phase,
    /// The end of the lease, as it was known last.
    lease_ends: Instant,
    /// The exit code of the command itself.
    ended: Option<Exit>,
    interrupts: u32,
    terminal: Terminal,
    has_terminal: bool,
    has_told_of_rest: bool,
}

/// Runs the command to its end, or until the lock is lost.
pub(super) async fn supervise(job: &Job, mut signals: Signals) -> Ended {
    let adopts = Tree::adopt_orphans();
    let inherited = Inherited::note();
    let started = launch::start(job);
    let child = match started {
        Ok(child) => child,
        Err(error) => {
            output::say(Level::Error, &format!("cannot start a process: {error}"));
            return Ended {
                exit: Exit::INTERNAL,
            };
        }
    };
    // Not reaped by this handle: one place alone reaps all children.
    let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
    let mut tree = Tree {
        group,
        guard: None,
        inherited,
        adopts,
    };
    let left = lock::remaining().filter(|_| job.is_locked);
    let left = left.map(|left| left.saturating_sub(job.lead));
    let guard = match Guard::start(group, job.kill_after, left) {
        Ok(guard) => guard,
        Err(failure) => {
            tree.signal_all(Signal::SIGKILL);
            return Ended {
                exit: failure.report(),
            };
        }
    };
    tree.guard = guard.id();
    let mut supervision = Supervision::new(job, tree, guard);
    let exit = supervision.until_the_end(&mut signals).await;
    supervision.terminal.take_back_from(group);
    supervision.guard.dismiss();
    Ended { exit }
}

impl<'a> Supervision<'a> {
    fn new(job: &'a Job, tree: Tree, guard: Guard) -> Self {
        Self {
            job,
            tree,
            guard,
            phase: Phase::Running,
            lease_ends: Instant::now(),
            ended: None,
            interrupts: 0,
            terminal: Terminal::open(),
            has_terminal: false,
            has_told_of_rest: false,
        }
    }

    async fn until_the_end(&mut self, signals: &mut Signals) -> Exit {
        // The command may have ended before anybody listened.
        self.reap();
        loop {
            if let Some(exit) = self.outcome() {
                return exit;
            }
            let due = self.due();
            let can_be_lost = self.job.is_locked && self.phase == Phase::Running;
            tokio::select! {
                event = signals.next() => self.on_signal(event).await,
                () = lock::lost(), if can_be_lost => self.lose(),
                () = sleep_until(due) => self.on_time().await,
            }
        }
    }

    /// The exit code, once nothing is left to wait for.
    fn outcome(&mut self) -> Option<Exit> {
        let ended = self.ended?;
        let waits = matches!(self.phase, Phase::Ending(_)) || !self.job.leaves_processes;
        if waits && self.tree.is_alive() {
            if self.phase == Phase::Running && !self.has_told_of_rest {
                self.has_told_of_rest = true;
                self.say("the command has ended, but not the processes that it has started; the lock is kept until they end");
            }
            return None;
        }
        match self.phase {
            Phase::Ending(_) => Some(Exit::LOST),
            Phase::Running | Phase::Unlocked => Some(ended),
        }
    }

    /// When the lease, KILL or the processes that are left have to be looked at.
    fn due(&mut self) -> Instant {
        let next_look = Instant::now() + LOOK;
        match self.phase {
            Phase::Ending(kill_at) => kill_at,
            Phase::Running if self.job.is_locked => {
                if let Some(left) = lock::remaining() {
                    self.lease_ends = Instant::now() + left;
                    self.guard.limit(Some(left.saturating_sub(self.job.lead)));
                }
                let last_moment = self
                    .lease_ends
                    .checked_sub(self.job.kill_after + self.job.lead);
                next_look.min(last_moment.unwrap_or_else(Instant::now))
            }
            Phase::Running | Phase::Unlocked => next_look,
        }
    }

    async fn on_time(&mut self) {
        self.reap();
        match self.phase {
            Phase::Ending(kill_at) if Instant::now() >= kill_at => {
                self.kill().await;
                // What KILL does not end, nothing does.
                self.ended.get_or_insert(Exit::LOST);
            }
            Phase::Running if self.job.is_locked => {
                let left = lock::remaining().unwrap_or_default();
                if left <= self.job.kill_after + self.job.lead {
                    self.lose();
                }
            }
            _ => {}
        }
    }

    /// The lock is lost, or its lease is about to end: the command must be gone before another node begins.
    fn lose(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        if !self.job.ends_on_loss {
            self.phase = Phase::Unlocked;
            self.guard.limit(None);
            self.warn("the lock is lost, and the command goes on, as `--on-lost warn` says");
            return;
        }
        let left = self.lease_ends.saturating_duration_since(Instant::now());
        let grace = self.job.kill_after.min(left.saturating_sub(self.job.lead));
        self.phase = Phase::Ending(Instant::now() + grace);
        self.warn("the lock is lost: the command is ended");
        if grace.is_zero() {
            self.tree.signal_all(Signal::SIGKILL);
            return;
        }
        self.tree.signal_all(Signal::SIGTERM);
        // A process that is stopped acts on TERM only when it goes on.
        self.tree.signal_all(Signal::SIGCONT);
    }

    async fn on_signal(&mut self, event: Event) {
        match event {
            Event::ChildChanged => self.reap(),
            Event::Forward(Signal::SIGINT) if self.interrupts > 0 => {
                self.kill().await;
            }
            Event::Forward(signal) => {
                self.interrupts += u32::from(signal == Signal::SIGINT);
                match self.ended {
                    None => self.tree.signal_group(signal),
                    // Only what the command has left behind is there to hear of it.
                    Some(_) => self.tree.signal_all(signal),
                }
            }
            Event::Stop => {
                self.tree.signal_group(Signal::SIGTSTP);
                stop();
            }
            Event::Continue => self.go_on(),
        }
    }

    /// Ends everything by KILL, also what is being started meanwhile.
    async fn kill(&mut self) {
        let until = Instant::now() + VANISHING;
        loop {
            self.tree.signal_all(Signal::SIGKILL);
            self.reap();
            if !self.tree.is_alive() || Instant::now() > until {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// This process goes on after a stop: so does the command, unless the lease has ended meanwhile.
    fn go_on(&mut self) {
        if self.job.is_locked && self.phase == Phase::Running && lock::remaining().is_none() {
            self.lose();
            return;
        }
        if self.has_terminal {
            self.terminal.give_to(self.tree.group);
        }
        self.tree.signal_group(Signal::SIGCONT);
    }

    fn say(&self, text: &str) {
        if !self.job.is_quiet {
            self.tell(Level::Info, text);
        }
    }

    fn warn(&self, text: &str) {
        self.tell(Level::Warning, text);
    }

    fn tell(&self, level: Level, text: &str) {
        let text = format!("`{}`: {text}", printable(&self.job.name));
        output::say_of(level, &self.job.name, &text);
    }
}
