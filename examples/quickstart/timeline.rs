//! What the reader sees: a header, one row per tick, a summary.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::path::Path;
use std::time::Duration;

use crate::evidence::{Death, Evidence, SLACK, Takeover, node_name, seconds};
use crate::parent::{KILL_FROM, LAST_TICK, NODES};
use crate::{AT_LEAST, AT_MOST, WORK};

/// What one node did in one tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Running,
    Ran,
    Killed,
    Dead,
    Skipped(String),
}

/// Prints rows in the order of the ticks, each as soon as every node has said what it did.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// The second in which the demonstration began: `t+00s`.
    zero: u64,
    next: u64,
    cells: BTreeMap<u64, [Option<Cell>; NODES]>,
    colour: bool,
}

impl Timeline {
    pub(crate) fn new(zero: u64) -> Self {
        // See https://no-color.org.
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            zero,
            next: zero + 1,
            cells: BTreeMap::new(),
            colour,
        }
    }

    /// `t+03s`.
    pub(crate) fn tick_name(&self, tick: u64) -> String {
        format!("t+{:02}s", tick.saturating_sub(self.zero))
    }

    pub(crate) fn next_row(&self) -> u64 {
        self.next
    }

    pub(crate) fn set(&mut self, node: usize, tick: u64, cell: Cell) {
        let known = &mut self.cells.entry(tick).or_default()[node];
        // A late scheduler can fire twice in one second. That it was skipped then does not undo the run.
        if known.is_none() || !matches!(cell, Cell::Skipped(_)) {
            *known = Some(cell);
        }
    }

    /// Prints the next row if all nodes have reported what they did in it.
    pub(crate) fn print_if_complete(&mut self, evidence: &Evidence) -> bool {
        let cells = self.cells.get(&self.next);
        let dead = evidence.death.map(|death| death.node);
        let complete = (0..NODES).all(|node| {
            let cell = cells.and_then(|cells| cells[node].as_ref());
            cell.map_or(dead == Some(node), |cell| *cell != Cell::Running)
        });
        if complete {
            self.print(evidence);
        }
        complete
    }

    /// Prints the next row with what is known of it.
    pub(crate) fn print(&mut self, evidence: &Evidence) {
        let tick = self.next;
        self.next += 1;
        let cells = self.cells.remove(&tick).unwrap_or_default();
        let column = |(node, cell): (usize, Option<Cell>)| {
            let died_before = |death: Death| death.node == node && death.tick < tick;
            let dead = evidence.death.is_some_and(died_before);
            let cell = if dead { Some(Cell::Dead) } else { cell };
            format!("{} {}", node_name(node), self.paint(cell.as_ref()))
        };
        let columns: Vec<String> = cells.into_iter().enumerate().map(column).collect();
        let row = columns.join("  ");
        println!("  {}   {}", self.tick_name(tick), row.trim_end());
        if evidence.runs.iter().filter(|run| run.tick == tick).count() > 1 {
            println!("         >> RAN TWICE: the lock did not keep its promise.");
        }
        if let Some(remark) = self.remark(tick, evidence) {
            println!("         {remark}");
        }
    }

    /// What is special about a tick, in words.
    fn remark(&self, tick: u64, evidence: &Evidence) -> Option<String> {
        let (death, killed) = (evidence.death?, evidence.killed_run()?);
        let dead = node_name(death.node);
        if tick == death.tick {
            let into = death.at.since(killed.started).as_millis();
            let taken = self.tick_name(killed.asked.second());
            return Some(format!(
                ">> KILL: {dead} got SIGKILL {into} ms into its run and can give nothing back.\n         \
                    Its lock stays taken until at_most, {} after {taken}.",
                seconds(AT_MOST)
            ));
        }
        let takeover = evidence
            .takeover()
            .filter(|takeover| takeover.tick == tick)?;
        Some(format!(
            ">> TAKEOVER by {}, {} after {dead} took the lock (at_most {}).",
            node_name(takeover.node),
            seconds(takeover.after),
            seconds(AT_MOST)
        ))
    }

    fn paint(&self, cell: Option<&Cell>) -> String {
        let (text, style) = match cell {
            None => ("no report".to_owned(), "33"),
            Some(Cell::Running) => ("running".to_owned(), "33"),
            Some(Cell::Ran) => ("RAN".to_owned(), "1;32"),
            Some(Cell::Killed) => ("RAN, KILLED".to_owned(), "1;31"),
            Some(Cell::Dead) => ("dead".to_owned(), "31"),
            Some(Cell::Skipped(reason)) => (format!("skipped ({reason})"), "2"),
        };
        let padded = format!("{text:<19}");
        if self.colour {
            format!("\u{1b}[{style}m{padded}\u{1b}[0m")
        } else {
            padded
        }
    }
}

pub(crate) fn print_header(database: &Path) {
    println!("ShedLock quickstart: {NODES} processes (\"nodes\"), one job, one SQLite file\n");
    println!(
        "  Every second each node's scheduler fires the same job. One node gets the lock and runs it;"
    );
    println!(
        "  the others skip. At t+{KILL_FROM:02}s the node with the lock is killed: its lock stays taken until"
    );
    println!(
        "  at_most is over, then another node takes over. It ends by itself after {} seconds.\n",
        LAST_TICK + 2
    );
    println!(
        "  at_most {}, at_least {}, work {}, locks in {}\n",
        seconds(AT_MOST),
        seconds(AT_LEAST),
        seconds(WORK),
        database.display(),
    );
}

/// Prints counts and the verdict.
pub(crate) fn print_summary(evidence: &Evidence, problems: &[String], timeline: &Timeline) {
    println!("\nSummary");
    for node in 0..NODES {
        let runs = evidence.runs.iter().filter(|run| run.node == node).count();
        let mut counts = vec![format!("{runs} run")];
        for ((of, reason), count) in &evidence.skips {
            if *of == node {
                counts.push(format!("{count} skipped ({reason})"));
            }
        }
        if evidence.death.is_some_and(|death| death.node == node) {
            counts.push("then killed".to_owned());
        }
        println!("  {}     {}", node_name(node), counts.join(", "));
    }
    let ticks: BTreeSet<u64> = evidence.runs.iter().map(|run| run.tick).collect();
    println!(
        "  runs       {} in {} different ticks",
        evidence.runs.len(),
        ticks.len()
    );
    if let Some(Takeover { node, tick, after }) = evidence.takeover() {
        println!(
            "  takeover   by {} at {}, {} after the lease began (allowed: {} to {})",
            node_name(node),
            timeline.tick_name(tick),
            seconds(after),
            seconds(AT_MOST),
            seconds(AT_MOST + SLACK),
        );
    }
    if problems.is_empty() {
        println!(
            "\nOK: no tick ran on two nodes, no two runs overlapped, and the takeover came in time."
        );
        return;
    }
    println!("\nFAILED:");
    for problem in problems {
        println!("  - {problem}");
    }
}

/// How long to wait for the reports on a tick before its row is printed without them.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1900);
