//! Signals to a process and all its descendants.
//!
//! A process group is not enough: each PostgreSQL backend starts a session of its own.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

/// What the process table says about one process.
struct Entry {
    pid: Pid,
    parent: Option<Pid>,
    /// `Z` means that the process has ended and its parent has not waited for it.
    state: String,
}

pub(super) fn is_alive(pid: Pid) -> bool {
    processes().is_ok_and(|all| {
        all.iter()
            .any(|entry| entry.pid == pid && !entry.state.starts_with('Z'))
    })
}

pub(super) fn is_child(pid: Pid, parent: Pid) -> io::Result<bool> {
    let all = processes()?;
    Ok(all
        .iter()
        .any(|entry| entry.pid == pid && entry.parent == Some(parent)))
}

/// Sends `signal`. A process that has already ended is not an error.
pub(super) fn signal(pid: Pid, signal: Signal) -> io::Result<()> {
    match kill_process(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn signal_tree(root: Pid, what: Signal) -> io::Result<()> {
    for pid in tree(root)? {
        signal(pid, what)?;
    }
    Ok(())
}

/// Stops the tree from the root down, until no new process appears, and returns the stopped processes.
pub(super) fn stop_tree(root: Pid) -> io::Result<Vec<Pid>> {
    let mut stopped = Vec::new();
    loop {
        let fresh: Vec<Pid> = tree(root)?
            .into_iter()
            .filter(|pid| !stopped.contains(pid))
            .collect();
        if fresh.is_empty() {
            return Ok(stopped);
        }
        for pid in fresh {
            signal(pid, Signal::STOP)?;
            stopped.push(pid);
        }
    }
}

/// Whether every thread of these processes has stopped. On a busy machine, a stop signal needs time to reach each thread.
pub(super) fn stand_still(pids: &[Pid]) -> io::Result<bool> {
    let all = processes()?;
    let mut theirs = all.iter().filter(|entry| pids.contains(&entry.pid));
    Ok(theirs.all(|entry| states(entry).iter().all(|&state| "TtZX".contains(state))))
}

/// Kills the tree and returns its processes. The tree is stopped first, so that no process can start another one meanwhile.
pub(super) fn kill_tree(root: Pid) -> io::Result<Vec<Pid>> {
    let tree = stop_tree(root)?;
    for &pid in &tree {
        signal(pid, Signal::KILL)?;
    }
    Ok(tree)
}

/// `root` and its descendants, parents before children.
fn tree(root: Pid) -> io::Result<Vec<Pid>> {
    let all = processes()?;
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(&parent) = tree.get(next) {
        tree.extend(
            all.iter()
                .filter(|entry| entry.parent == Some(parent))
                .map(|entry| entry.pid),
        );
        next += 1;
    }
    Ok(tree)
}

/// The state of each thread of a process. The process table contains only the state of the first thread.
#[cfg(target_os = "linux")]
fn states(entry: &Entry) -> Vec<char> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", entry.pid.as_raw_nonzero()));
    // Threads may start and end during this loop.
    let stats = threads
        .into_iter()
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok());
    stats
        .filter_map(|stat| stat.rsplit_once(") ")?.1.chars().next())
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn states(entry: &Entry) -> Vec<char> {
    entry.state.chars().take(1).collect()
}

#[cfg(target_os = "linux")]
fn processes() -> io::Result<Vec<Entry>> {
    let mut all = Vec::new();
    for directory in std::fs::read_dir("/proc")? {
        let directory = directory?;
        let Some(pid) = directory
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
            .and_then(Pid::from_raw)
        else {
            continue;
        };
        // Processes may start and end during this loop.
        let Ok(stat) = std::fs::read_to_string(directory.path().join("stat")) else {
            continue;
        };
        // The command, in parentheses, may itself contain spaces and parentheses.
        let Some((_, fields)) = stat.rsplit_once(") ") else {
            continue;
        };
        let mut fields = fields.split(' ');
        let state = fields.next().unwrap_or_default().to_owned();
        let parent = fields
            .next()
            .and_then(|field| field.parse().ok())
            .and_then(Pid::from_raw);
        all.push(Entry { pid, parent, state });
    }
    Ok(all)
}

#[cfg(not(target_os = "linux"))]
fn processes() -> io::Result<Vec<Entry>> {
    let table = std::process::Command::new("ps")
        .args(["-A", "-o", "pid=,ppid=,state="])
        .output()?;
    let table = String::from_utf8_lossy(&table.stdout);
    Ok(table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let pid = Pid::from_raw(fields.next()?.parse().ok()?)?;
            let parent = Pid::from_raw(fields.next()?.parse().ok()?);
            Some(Entry {
                pid,
                parent,
                state: fields.next()?.to_owned(),
            })
        })
        .collect())
}
