//! The guard: a second process of this program, which ends the command if the first one is killed and cannot do it.

use std::ffi::OsString;
use std::io::{Read as _, Write as _, stdin};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::launch::this_program;
use crate::exit::{Exit, Failure};

/// The argument that makes this program the guard.
pub(super) const HELPER: &str = "__watch-over-command";

/// What the wrapper writes when it ends in good order.
const IN_ORDER: u8 = b'.';

/// The guard's process, seen from the wrapper.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Starts a guard over the process group. The command has `kill_after` between TERM and KILL.
    pub(super) fn start(group: Pid, kill_after: Duration) -> Result<Self, Failure> {
        let mut guard = this_program();
        guard.args([
            HELPER,
            &group.to_string(),
            &kill_after.as_millis().to_string(),
        ]);
        // The guard learns of the wrapper's death when its stdin ends. A group of its own keeps the terminal's signals away.
        guard
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0);
        guard.env_clear();
        let started = guard.spawn().map_err(|error| {
            Failure::internal(format!("cannot start the guard of the command: {error}"))
        })?;
        Ok(Self(started))
    }

    pub(super) fn id(&self) -> Option<Pid> {
        i32::try_from(self.0.id()).ok().map(Pid::from_raw)
    }

    /// Tells the guard that it is not needed any more.
    pub(super) fn dismiss(mut self) {
        if let Some(mut stdin) = self.0.stdin.take() {
            // A guard that has gone needs no word.
            let _told = stdin.write_all(&[IN_ORDER]);
        }
        let _reaped = self.0.wait();
    }
}

/// Is the guard: waits for the wrapper's end, and ends the command if the wrapper could not.
pub(super) fn watch(mut arguments: impl Iterator<Item = OsString>) -> Exit {
    let (Some(group), Some(kill_after)) = (number(arguments.next()), number(arguments.next()))
    else {
        return Exit::INTERNAL;
    };
    let (group, kill_after) = (Pid::from_raw(group), Duration::from_millis(kill_after));
    let mut word = Vec::new();
    let read = stdin().read_to_end(&mut word);
    if read.is_ok() && word.contains(&IN_ORDER) {
        return Exit::SUCCESS;
    }
    let is_gone = || killpg(group, None) == Err(Errno::ESRCH);
    let until = Instant::now() + kill_after;
    // A process that is stopped acts on TERM only when it goes on.
    for signal in [Signal::SIGTERM, Signal::SIGCONT] {
        let _sent = killpg(group, signal);
    }
    while !is_gone() && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
    let _sent = killpg(group, Signal::SIGKILL);
    Exit::SUCCESS
}

fn number<N: FromStr>(argument: Option<OsString>) -> Option<N> {
    argument?.to_str()?.parse().ok()
}
