//! The terminal, which the command's process group gets when it asks for it.

use std::io::{IsTerminal as _, stdin};

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// Whether this process's group may read from the terminal, if stdin is one.
pub(super) fn is_ours() -> bool {
    stdin().is_terminal() && tcgetpgrp(stdin()) == Ok(getpgrp())
}

/// Gives the terminal to the group; returns whether that was possible.
pub(super) fn give_to(group: Pid) -> bool {
    is_ours() && tcsetpgrp(stdin(), group).is_ok()
}

/// Takes the terminal back from the group, if it has it.
pub(super) fn take_back_from(group: Pid) {
    if !stdin().is_terminal() || tcgetpgrp(stdin()) != Ok(group) {
        return;
    }
    // A process in the background that asks for the terminal is stopped, unless it blocks this signal.
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTTOU);
    if blocked.thread_block().is_ok() {
        // Not to have the terminal is no reason to end otherwise.
        let _taken = tcsetpgrp(stdin(), getpgrp());
        let _unblocked = blocked.thread_unblock();
    }
}
