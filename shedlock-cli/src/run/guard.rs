//! The guard: a second process of this program, which ends the command if the first one is killed and cannot do it.

use std::ffi::OsString;
use std::io::{self, Write as _, stdin};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

use super::launch::this_program;
use crate::exit::{Exit, Failure};

/// The argument that makes this program the guard.
pub(super) const HELPER: &str = "__watch-over-command";

/// What the wrapper writes when it ends in good order. Its other lines each say by when everything has to be gone.
const IN_ORDER: &str = ".";
/// The line for a command that need not be gone by any time.
const NEVER: &str = "never";
/// Two times that differ by less are the same, read twice.
const SAME: Duration = Duration::from_millis(5);

/// A clock that all processes of the machine read alike, and that goes on while the machine is suspended.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// The guard's process, seen from the wrapper.
#[derive(Debug)]
pub(super) struct Guard {
    process: Child,
    /// The other end is the guard's stdin. A socket, because writing to a pipe could wait for a guard that is stopped.
    wire: UnixStream,
    told: Option<Duration>,
}

impl Guard {
    /// Starts a guard over the process group. The command has `kill_after` between TERM and KILL, but must be gone in `left`, if there is such
    /// a limit.
    pub(super) fn start(
        group: Pid,
        kill_after: Duration,
        left: Option<Duration>,
    ) -> Result<Self, Failure> {
        Self::try_start(group, kill_after, left).map_err(|error| {
            Failure::internal(format!("cannot start the guard of the command: {error}"))
        })
    }

    fn try_start(group: Pid, kill_after: Duration, left: Option<Duration>) -> io::Result<Self> {
        let (mut wire, its_end) = UnixStream::pair()?;
        wire.set_nonblocking(true)?;
        let told = left.map(|left| now().saturating_add(left));
        // Before it starts, so that it never knows less.
        writeln!(wire, "{}", line(told))?;
        let mut guard = this_program();
        guard.args([
            HELPER,
            &group.to_string(),
            &kill_after.as_millis().to_string(),
        ]);
        // The guard learns of the wrapper's death when its stdin ends. A group of its own keeps the terminal's signals away.
        guard
            .stdin(Stdio::from(OwnedFd::from(its_end)))
            .stdout(Stdio::null())
            .process_group(0);
        guard.env_clear();
        Ok(Self {
            process: guard.spawn()?,
            wire,
            told,
        })
    }

    pub(super) fn id(&self) -> Option<Pid> {
        i32::try_from(self.process.id()).ok().map(Pid::from_raw)
    }

    /// Tells the guard in which time everything has to be gone, if there is such a limit.
    pub(super) fn limit(&mut self, left: Option<Duration>) {
        let end = left.map(|left| now().saturating_add(left));
        let is_known = match (self.told, end) {
            (Some(told), Some(end)) => told.abs_diff(end) < SAME,
            (told, end) => told == end,
        };
        // What does not get through is tried again at the next look. Until then, the guard knows an end that comes too early.
        if !is_known && writeln!(self.wire, "{}", line(end)).is_ok() {
            self.told = end;
        }
    }

    /// Tells the guard that it is not needed any more.
    pub(super) fn dismiss(self) {
        let Self {
            mut process,
            mut wire,
            ..
        } = self;
        // This word must get through: a guard that is stopped would later end whatever has the group's number then.
        let _waits = wire.set_nonblocking(false);
        // A guard that has gone needs no word.
        let _told = writeln!(wire, "{IN_ORDER}");
        drop(wire);
        let _reaped = process.wait();
    }
}

fn line(end: Option<Duration>) -> String {
    end.map_or_else(|| NEVER.to_owned(), |end| end.as_millis().to_string())
}

/// The time on the clock that wrapper and guard share.
fn now() -> Duration {
    // No kernel is without this clock. If it were, nothing would be waited for.
    clock_gettime(CLOCK).map_or(Duration::MAX, Duration::from)
}

/// Is the guard: waits for the wrapper's end, and ends the command if the wrapper could not.
pub(super) fn watch(mut arguments: impl Iterator<Item = OsString>) -> Exit {
    let (Some(group), Some(kill_after)) = (number(arguments.next()), number(arguments.next()))
    else {
        return Exit::INTERNAL;
    };
    let (group, kill_after) = (Pid::from_raw(group), Duration::from_millis(kill_after));
    let mut end = None;
    for word in stdin().lines().map_while(Result::ok) {
        if word == IN_ORDER {
            return Exit::SUCCESS;
        }
        end = word.parse().ok().map(Duration::from_millis);
    }
    let is_gone = || killpg(group, None) == Err(Errno::ESRCH);
    let until = now().saturating_add(kill_after);
    let until = end.map_or(until, |end| until.min(end));
    // A process that is stopped acts on TERM only when it goes on.
    for signal in [Signal::SIGTERM, Signal::SIGCONT] {
        let _sent = killpg(group, signal);
    }
    while !is_gone() && now() < until {
        thread::sleep(Duration::from_millis(10));
    }
    let _sent = killpg(group, Signal::SIGKILL);
    Exit::SUCCESS
}

fn number<N: FromStr>(argument: Option<OsString>) -> Option<N> {
    argument?.to_str()?.parse().ok()
}
