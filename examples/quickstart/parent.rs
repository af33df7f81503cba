//! The parent's side of the demonstration: it starts the nodes, kills the one that holds the lock, and ends the rest.

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::AT_MOST;
use crate::evidence::{Death, Evidence, Run, node_name};
use crate::report::{Micros, Report};
use crate::timeline::{self, Cell, PATIENCE, Timeline};

pub(crate) const NODES: usize = 3;
/// The first run in this tick or later is the one that is killed.
pub(crate) const KILL_FROM: u64 = 4;
pub(crate) const LAST_TICK: u64 = 13;

/// How long the nodes may take to start and to end.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// A line of a node, or `None` at its end.
type Message = (usize, Option<Report>);

/// Runs the demonstration; fails if the lock did not keep its promises.
pub(crate) async fn run() -> anyhow::Result<ExitCode> {
    let directory = tempfile::tempdir().context("no temporary directory")?;
    let database = directory.path().join("shedlock.db");
    timeline::print_header(&database);
    // Interrupted or failed, the nodes end here: each is killed when it is dropped.
    tokio::select! {
        verdict = demonstrate(&database) => verdict,
        _ = tokio::signal::ctrl_c() => {
            println!("\ninterrupted");
            Ok(ExitCode::from(130))
        }
    }
}

async fn demonstrate(database: &Path) -> anyhow::Result<ExitCode> {
    let (mut fleet, mut reports) = Fleet::start(database)?;
    timeout(START_TIMEOUT, all_ready(&mut reports))
        .await
        .context("the nodes did not start in time")??;
    let zero = fleet.go().await?;

    let mut timeline = Timeline::new(zero);
    let mut evidence = Evidence::default();
    while timeline.next_row() <= zero + LAST_TICK {
        let row_due = Micros(timeline.next_row() * 1_000_000) + PATIENCE;
        tokio::select! {
            message = reports.recv() => {
                let (node, report) = message.context("all nodes are gone")?;
                observe(node, report, &mut timeline, &mut evidence);
                fleet.kill_who_holds_the_lock(node, zero, &mut timeline, &mut evidence).await?;
                while timeline.next_row() <= zero + LAST_TICK && timeline.print_if_complete(&evidence) {}
            }
            () = sleep(row_due.since(Micros::now())) => timeline.print(&evidence),
        }
    }
    fleet.end().await;

    let problems = evidence.problems(AT_MOST, |tick| timeline.tick_name(tick));
    timeline::print_summary(&evidence, &problems, &timeline);
    Ok(ExitCode::from(u8::from(!problems.is_empty())))
}

async fn all_ready(reports: &mut mpsc::UnboundedReceiver<Message>) -> anyhow::Result<()> {
    for _ in 0..NODES {
        match reports.recv().await {
            Some((_, Some(Report::Ready))) => {}
            Some((node, _)) => bail!("{} could not start", node_name(node)),
            None => bail!("no node could start"),
        }
    }
    Ok(())
}

/// Takes a report into the timeline and into evidence.
fn observe(node: usize, report: Option<Report>, timeline: &mut Timeline, evidence: &mut Evidence) {
    match report {
        Some(Report::Ready) => {}
        Some(Report::Started {
            tick,
            asked,
            at,
            token,
        }) => {
            timeline.set(node, tick, Cell::Running);
            evidence.runs.push(Run {
                node,
                tick,
                asked,
                started: at,
                ended: None,
                token,
            });
        }
        Some(Report::Ended { tick, at }) => {
            timeline.set(node, tick, Cell::Ran);
            let run = evidence
                .runs
                .iter_mut()
                .rfind(|run| run.node == node && run.tick == tick);
            if let Some(run) = run {
                run.ended = Some(at);
            }
        }
        Some(Report::Skipped { tick, reason }) => {
            if reason == shedlock::SkipReason::StoreError.to_string() {
                let tick = timeline.tick_name(tick);
                evidence.mishaps.push(format!(
                    "{} could not ask the store at {tick}",
                    node_name(node)
                ));
            }
            timeline.set(node, tick, Cell::Skipped(reason.clone()));
            *evidence.skips.entry((node, reason)).or_default() += 1;
        }
        None if evidence.death.is_some_and(|death| death.node == node) => {}
        None => evidence
            .mishaps
            .push(format!("{} ended by itself", node_name(node))),
    }
}

/// The nodes, started from this very executable.
struct Fleet {
    nodes: Vec<Child>,
}

impl Fleet {
    fn start(database: &Path) -> anyhow::Result<(Self, mpsc::UnboundedReceiver<Message>)> {
        let program = std::env::current_exe().context("this executable cannot be found")?;
        let database = database.to_str().context("the path is not text")?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut nodes = Vec::new();
        for node in 0..NODES {
            let mut child = Command::new(&program)
                .args(["node", &format!("sqlite://{database}")])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .with_context(|| format!("{} cannot be started", node_name(node)))?;
            let stdout = child.stdout.take().context("standard output is piped")?;
            tokio::spawn(forward(node, stdout, sender.clone()));
            nodes.push(child);
        }
        Ok((Self { nodes }, receiver))
    }

    /// Lets all nodes start their schedulers at once and returns the second in which that was.
    async fn go(&mut self) -> anyhow::Result<u64> {
        // In the middle of a second, so that the first tick is the next second's for all.
        let now = Micros::now();
        let start = Micros((now.second() + 1) * 1_000_000) + Duration::from_millis(500);
        sleep(start.since(now)).await;
        for (node, child) in self.nodes.iter_mut().enumerate() {
            let stdin = child.stdin.as_mut().context("standard input is piped")?;
            stdin
                .write_all(b"\n")
                .await
                .with_context(|| format!("{} is gone", node_name(node)))?;
        }
        Ok(start.second())
    }

    /// Kills `node`, with a signal that it can neither catch nor survive, if it has just begun the run to be killed.
    async fn kill_who_holds_the_lock(
        &mut self,
        node: usize,
        zero: u64,
        timeline: &mut Timeline,
        evidence: &mut Evidence,
    ) -> anyhow::Result<()> {
        let Some(run) = evidence.runs.last() else {
            return Ok(());
        };
        let wanted = run.node == node && run.ended.is_none() && run.tick >= zero + KILL_FROM;
        if evidence.death.is_some() || !wanted {
            return Ok(());
        }
        let tick = run.tick;
        self.nodes[node].kill().await.context("kill")?;
        let at = Micros::now();
        evidence.death = Some(Death { node, tick, at });
        timeline.set(node, tick, Cell::Killed);
        Ok(())
    }

    /// Ends the nodes as the end of this process would: by closing their standard input.
    async fn end(mut self) {
        for child in &mut self.nodes {
            child.stdin.take();
            // One that does not end is killed when it is dropped.
            drop(timeout(END_TIMEOUT, child.wait()).await);
        }
    }
}

async fn forward(node: usize, stdout: ChildStdout, sender: mpsc::UnboundedSender<Message>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(report) = line.parse() else {
            // Not a node's report: it can no longer be understood, so it counts as gone.
            break;
        };
        if sender.send((node, Some(report))).is_err() {
            // The demonstration is over.
            return;
        }
    }
    drop(sender.send((node, None)));
}
