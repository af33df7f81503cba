//! Processes that this process had before it started the command: a shell that becomes this program by `exec` leaves its children to it.

use nix::unistd::{Pid, getpgrp, getpid};

use super::processes::{Process, children, process, processes};

/// The processes that descended from this one before the command did, and what can be told of their descendants.
///
/// A logger among them ends when this program has ended and nobody writes any more, so it must not be waited for.
#[derive(Debug, Default)]
pub(in crate::run) struct Inherited {
    processes: Vec<Process>,
    /// Their process groups, and that of this process. The command begins in a group of its own.
    groups: Vec<Pid>,
}

impl Inherited {
    /// Takes note of them. To be called before the command is started.
    pub(in crate::run) fn note() -> Self {
        // Nearly nobody has any, and to look at all processes of a machine takes a while.
        if children().is_some_and(|children| children.is_empty()) {
            return Self::default();
        }
        let all = processes();
        let mut parents = vec![getpid()];
        let mut inherited: Vec<Process> = Vec::new();
        while let Some(parent) = parents.pop() {
            let children = all.iter().filter(|process| process.parent == parent);
            for child in children {
                parents.push(child.id);
                inherited.push(*child);
            }
        }
        if inherited.is_empty() {
            return Self::default();
        }
        let mut groups: Vec<_> = inherited.iter().map(|process| process.group).collect();
        groups.push(getpgrp());
        Self {
            processes: inherited,
            groups,
        }
    }

    /// Whether the child of this process with this number is none of the command's.
    pub(super) fn has_child(&self, child: Pid) -> bool {
        // Nothing is read for the usual case.
        !self.processes.is_empty() && process(child).is_some_and(|child| self.has(&child))
    }

    /// Whether this child of this process is none of the command's.
    ///
    /// One that was there before the command has its number and its time, so that a later process with the same number is none of them. What
    /// such a process starts is found below it, until it ends and its children are adopted like the orphans of the command. An orphan
    /// tells by its group where it comes from: it is in that of an inherited process, which nothing of the command's joins. What
    /// cannot be told apart counts as the command's, so that the lock is rather kept too long: an orphan that an inherited process has started
    /// meanwhile in a group of its own. The other way round, the number of a group that has ended may come back, for a process that the command
    /// puts at the head of a group, after all numbers of the machine have been used once.
    pub(super) fn has(&self, child: &Process) -> bool {
        let was_there =
            |process: &Process| process.id == child.id && process.started == child.started;
        self.processes.iter().any(was_there) || self.groups.contains(&child.group)
    }
}
