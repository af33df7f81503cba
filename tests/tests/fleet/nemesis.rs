//! Starts the nodes, and kills, stops and continues them.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use shedlock_tests::holds::monotonic_nanos;
use tempfile::TempDir;

use crate::check::Life;
use crate::node::{NOTES, URL};
use crate::record::{Event, Record};

/// The living nodes, and the notes of all that lived.
pub(crate) struct Fleet {
    url: String,
    directory: TempDir,
    nodes: Vec<Node>,
    lives: Vec<Life>,
}

struct Node {
    child: Child,
    notes: PathBuf,
}

impl Fleet {
    pub(crate) fn start(nodes: usize, url: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut fleet = Self {
            url: url.to_owned(),
            directory,
            nodes: Vec::new(),
            lives: Vec::new(),
        };
        for _ in 0..nodes {
            fleet.spawn();
        }
        fleet
    }

    fn spawn(&mut self) {
        let notes = self
            .directory
            .path()
            .join(format!("{}.notes", self.lives.len() + self.nodes.len()));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "child_node"])
            .env(URL, &self.url)
            .env(NOTES, &notes)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.nodes.push(Node { child, notes });
    }

    /// Does one bad thing to one node.
    pub(crate) async fn strike(&mut self) {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..200))).await;
        let victim = self.victim();
        if fastrand::u8(..3) == 0 {
            self.kill(victim);
            self.spawn();
        } else {
            self.nodes[victim].signal(Signal::STOP);
            tokio::time::sleep(Duration::from_millis(fastrand::u64(50..1_500))).await;
            self.nodes[victim].signal(Signal::CONT);
        }
    }

    /// Mostly the node at work, which has most to lose.
    fn victim(&self) -> usize {
        let at_work = self.nodes.iter().position(|node| {
            let notes = fs::read_to_string(&node.notes).unwrap_or_default();
            let last = notes
                .lines()
                .last()
                .and_then(|line| line.parse::<Record>().ok());
            last.is_some_and(|record| matches!(record.event, Event::Enter | Event::Step))
        });
        match at_work {
            Some(holder) if fastrand::u8(..3) > 0 => holder,
            _ => fastrand::usize(..self.nodes.len()),
        }
    }

    /// Continues whoever is stopped.
    pub(crate) fn relieve(&self) {
        for node in &self.nodes {
            node.signal(Signal::CONT);
        }
    }

    /// Ends the fleet and reads what it did.
    pub(crate) fn end(mut self) -> Vec<Life> {
        while !self.nodes.is_empty() {
            self.kill(0);
        }
        self.lives
    }

    fn kill(&mut self, victim: usize) {
        let mut node = self.nodes.remove(victim);
        node.child.kill().unwrap();
        node.child.wait().unwrap();
        self.lives.push(Life::read(&node.notes, monotonic_nanos()));
    }
}

impl Node {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }
}
