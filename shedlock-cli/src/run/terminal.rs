//! The controlling terminal, which the command's process group gets when it asks for it.

use std::fs::File;
use std::io::stdin;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// The terminal of the session, if it has one. Stdin may be elsewhere, and the command still ask the user, as `ssh` and `less` do.
#[derive(Debug)]
pub(super) struct Terminal(Option<File>);

impl Terminal {
    /// Opens the terminal that controls this process.
    pub(super) fn open() -> Self {
        let opened = File::open("/dev/tty").or_else(|_missing| {
            // A root directory without devices may be given it as stdin.
            stdin().as_fd().try_clone_to_owned().map(File::from)
        });
        // Without one, nobody is stopped for want of it.
        Self(opened.ok())
    }

    /// Gives the terminal to the group, if it is this process's; returns whether that was possible.
    pub(super) fn give_to(&self, group: Pid) -> bool {
        let Some(terminal) = self.held_by(getpgrp()) else {
            return false;
        };
        tcsetpgrp(terminal, group).is_ok()
    }

    /// Takes the terminal back from the group, if it has it.
    pub(super) fn take_back_from(&self, group: Pid) {
        let Some(terminal) = self.held_by(group) else {
            return;
        };
        // A process in the background that asks for the terminal is stopped, unless it blocks this signal.
        let mut blocked = SigSet::empty();
        blocked.add(Signal::SIGTTOU);
        if blocked.thread_block().is_ok() {
            // Not to have the terminal is no reason to end otherwise.
            let _taken = tcsetpgrp(terminal, getpgrp());
            let _unblocked = blocked.thread_unblock();
        }
    }

    /// The terminal, if this group is in its foreground.
    fn held_by(&self, group: Pid) -> Option<BorrowedFd<'_>> {
        let terminal = self.0.as_ref()?.as_fd();
        (tcgetpgrp(terminal) == Ok(group)).then_some(terminal)
    }
}
