//! The processes of the command: its group, and on Linux whatever has descended from it.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpid};

mod inherited;
mod processes;

pub(super) use inherited::Inherited;
use processes::{Process, children, processes};

/// The processes of the command.
#[derive(Debug)]
pub(super) struct Tree {
    /// The process group, which has the number of the command's process.
    pub(super) group: Pid,
    /// A child of this process that is none of the command's.
    pub(super) guard: Option<Pid>,
    /// Children of this process that are none of the command's, either.
    pub(super) inherited: Inherited,
    /// Whether orphans become children of this process.
    pub(super) adopts: bool,
}

impl Tree {
    /// Makes this process the parent of what its descendants leave behind; returns whether that was possible. Only Linux can do it; elsewhere
    /// the group is all that is known.
    pub(super) fn adopt_orphans() -> bool {
        #[cfg(target_os = "linux")]
        return nix::sys::prctl::set_child_subreaper(true).is_ok();
        #[cfg(not(target_os = "linux"))]
        false
    }

    /// Sends the signal to the group.
    pub(super) fn signal_group(&self, signal: Signal) {
        // A group that has no process any more needs no signal.
        let _sent = killpg(self.group, signal);
    }

    /// Sends the signal to the group, and to what has left it.
    pub(super) fn signal_all(&self, signal: Signal) {
        self.signal_group(signal);
        for process in self.outside() {
            let _sent = kill(process, signal);
        }
    }

    /// Whether any process of the command is left. Those that have ended must have been reaped before.
    pub(super) fn is_alive(&self) -> bool {
        if let Some(children) = children().filter(|_| self.adopts) {
            // Whatever is left has an ancestor among them, as orphans are adopted.
            return children
                .into_iter()
                .any(|child| Some(child) != self.guard && !self.inherited.has_child(child));
        }
        let group = killpg(self.group, None) != Err(Errno::ESRCH);
        group || !self.outside().is_empty()
    }

    /// The descendants that are in other groups.
    fn outside(&self) -> Vec<Pid> {
        let processes = processes();
        let this = getpid();
        let is_none_of_ours = |process: &Process| {
            Some(process.id) == self.guard || process.parent == this && self.inherited.has(process)
        };
        let mut found = vec![this];
        let mut seen = 0;
        while let Some(parent) = found.get(seen).copied() {
            let children = processes.iter().filter(|process| process.parent == parent);
            let children = children.filter(|process| !is_none_of_ours(process));
            found.extend(children.map(|process| process.id));
            seen += 1;
        }
        let is_outside = |id: &Pid| {
            let process = processes.iter().find(|process| process.id == *id);
            process.is_some_and(|process| process.group != self.group && !process.is_dead)
        };
        found.into_iter().skip(1).filter(is_outside).collect()
    }
}
