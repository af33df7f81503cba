//! The processes of the command: its group, and on Linux whatever has descended from it.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// The processes of the command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    /// The process group, which has the number of the command's process.
    pub(super) group: Pid,
    /// A child of this process that is none of the command's.
    pub(super) guard: Option<Pid>,
    /// Whether orphans become children of this process.
    pub(super) adopts: bool,
}

/// One process.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only Linux lists processes in files")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    id: Pid,
    parent: Pid,
    group: Pid,
    is_dead: bool,
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
            return children.iter().any(|child| Some(*child) != self.guard);
        }
        let group = killpg(self.group, None) != Err(Errno::ESRCH);
        group || !self.outside().is_empty()
    }

    /// The descendants that are in other groups.
    fn outside(&self) -> Vec<Pid> {
        let processes = processes();
        let mut found = vec![nix::unistd::getpid()];
        let mut seen = 0;
        while let Some(parent) = found.get(seen).copied() {
            let children = processes.iter().filter(|process| process.parent == parent);
            let children = children.filter(|process| Some(process.id) != self.guard);
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

/// The children of this process, where the kernel lists them: a few files instead of one for each process of the machine. `None` elsewhere.
#[cfg(target_os = "linux")]
fn children() -> Option<Vec<Pid>> {
    let mut found = Vec::new();
    // A child belongs to the thread that has started or adopted it.
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let file = thread.ok()?.path().join("children");
        // Not there if the kernel has no such lists, or if the thread has just ended and left its children to another one.
        let list = std::fs::read_to_string(file).ok()?;
        found.extend(
            list.split_whitespace()
                .filter_map(|id| Some(Pid::from_raw(id.parse().ok()?))),
        );
    }
    Some(found)
}

#[cfg(not(target_os = "linux"))]
fn children() -> Option<Vec<Pid>> {
    None
}

#[cfg(not(target_os = "linux"))]
fn processes() -> Vec<Process> {
    Vec::new()
}

#[cfg(target_os = "linux")]
fn processes() -> Vec<Process> {
    let Ok(folder) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    folder
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            path.file_name()?.to_str()?.parse::<i32>().ok()?;
            // A process that has just ended has no file.
            parse(&std::fs::read_to_string(path.join("stat")).ok()?)
        })
        .collect()
}

/// Reads a line of `/proc/PID/stat`. The name of the program is in parentheses and may contain anything, so what counts comes after the last one.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only Linux lists processes in files")
)]
fn parse(stat: &str) -> Option<Process> {
    let id = stat.split(' ').next()?.parse().ok()?;
    let mut rest = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let state = rest.next()?;
    let parent = rest.next()?.parse().ok()?;
    let group = rest.next()?.parse().ok()?;
    Some(Process {
        id: Pid::from_raw(id),
        parent: Pid::from_raw(parent),
        group: Pid::from_raw(group),
        is_dead: matches!(state, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let process = parse("17 (a) S 9 (b) Z 4 3 2 0").unwrap();
        let expected = Process {
            id: Pid::from_raw(17),
            parent: Pid::from_raw(4),
            group: Pid::from_raw(3),
            is_dead: true,
        };
        assert_eq!(process, expected);
        assert_eq!(parse("17 (a"), None);
    }
}
