//! Children that have ended or stopped, as the kernel tells their parent.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::getpid;

use super::Supervision;
use crate::exit::Exit;

impl Supervision<'_> {
    /// Takes note of children that have ended or stopped.
    pub(super) fn reap(&mut self) {
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
        loop {
            match waitpid(None, Some(flags)) {
                Ok(WaitStatus::Exited(id, code)) if id == self.tree.group => {
                    self.ended = Some(Exit(u8::try_from(code).unwrap_or(u8::MAX)));
                }
                Ok(WaitStatus::Signaled(id, signal, _)) if id == self.tree.group => {
                    self.ended = Some(Exit::of_signal(signal as i32));
                }
                Ok(WaitStatus::Stopped(id, signal)) if id == self.tree.group => {
                    self.command_stopped(signal);
                }
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    fn command_stopped(&mut self, signal: Signal) {
        match signal {
            Signal::SIGTTIN | Signal::SIGTTOU => {
                if self.terminal.give_to(self.tree.group) {
                    self.has_terminal = true;
                    self.tree.signal_group(Signal::SIGCONT);
                } else {
                    stop();
                }
            }
            // The terminal's own key, which reaches only the group that has the terminal.
            Signal::SIGTSTP if self.has_terminal => {
                self.terminal.take_back_from(self.tree.group);
                stop();
            }
            _ => {}
        }
    }
}

/// Stops this process until somebody continues it.
pub(super) fn stop() {
    // The kernel refuses no process a signal to itself.
    let _stopped = kill(getpid(), Signal::SIGSTOP);
}
