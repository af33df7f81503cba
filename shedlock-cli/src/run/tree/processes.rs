//! The processes of the machine, as the kernel lists them.

use nix::unistd::Pid;

/// One process.
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "only Linux lists processes in files")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: Pid,
    pub(super) parent: Pid,
    pub(super) group: Pid,
    /// When it was started, in the kernel's ticks since the boot. No two processes have the same number and were started at the same time.
    pub(super) started: u64,
    pub(super) is_dead: bool,
}

/// The children of this process, where the kernel lists them: a few files instead of one for each process of the machine. `None` elsewhere.
#[cfg(target_os = "linux")]
pub(super) fn children() -> Option<Vec<Pid>> {
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
pub(super) fn children() -> Option<Vec<Pid>> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn processes() -> Vec<Process> {
    Vec::new()
}

#[cfg(target_os = "linux")]
pub(super) fn processes() -> Vec<Process> {
    let Ok(folder) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    folder
        .filter_map(|entry| {
            let id = entry.ok()?.file_name().to_str()?.parse().ok()?;
            process(Pid::from_raw(id))
        })
        .collect()
}

/// The process with this number; `None` if it has just ended.
#[cfg(target_os = "linux")]
pub(super) fn process(id: Pid) -> Option<Process> {
    parse(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn process(_id: Pid) -> Option<Process> {
    None
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
    // The time is the 22nd field of the line, and the group the fifth.
    let started = rest.nth(16)?.parse().ok()?;
    Some(Process {
        id: Pid::from_raw(id),
        parent: Pid::from_raw(parent),
        group: Pid::from_raw(group),
        started,
        is_dead: matches!(state, "Z" | "X"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let process =
            parse("17 (a) S 9 (b) Z 4 3 2 0 -1 8 0 0 0 0 1 1 0 0 20 0 1 0 4711 9 9").unwrap();
        let expected = Process {
            id: Pid::from_raw(17),
            parent: Pid::from_raw(4),
            group: Pid::from_raw(3),
            started: 4711,
            is_dead: true,
        };
        assert_eq!(process, expected);
        assert_eq!(parse("17 (a"), None);
    }
}
