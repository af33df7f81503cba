//! What the nodes reported, and whether it is what the lock promises.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::report::Micros;

/// How much later than `at_most` the takeover may come: the next tick of the schedule (1 s), and a machine with much else to
/// do (1.5 s).
pub(crate) const SLACK: Duration = Duration::from_millis(2500);

/// One execution of the job's body.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) node: usize,
    pub(crate) tick: u64,
    pub(crate) asked: Micros,
    pub(crate) started: Micros,
    pub(crate) ended: Option<Micros>,
    pub(crate) token: Option<u64>,
}

/// The end of the node that was killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    pub(crate) node: usize,
    /// The tick it was running.
    pub(crate) tick: u64,
    /// When the operating system had confirmed it.
    pub(crate) at: Micros,
}

/// Everything the parent has seen.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) runs: Vec<Run>,
    /// How many calls of each node were skipped, by reason.
    pub(crate) skips: BTreeMap<(usize, String), usize>,
    pub(crate) death: Option<Death>,
    /// What should not have happened at all, such as a node that died by itself.
    pub(crate) mishaps: Vec<String>,
}

/// The run that had the lock after the dead node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Takeover {
    pub(crate) node: usize,
    pub(crate) tick: u64,
    /// Counted from the moment at which the dead node asked for the lock: its lease began no earlier.
    pub(crate) after: Duration,
}

impl Evidence {
    /// The run that was under way when its node was killed.
    pub(crate) fn killed_run(&self) -> Option<&Run> {
        let death = self.death?;
        self.runs
            .iter()
            .find(|run| run.node == death.node && run.tick == death.tick)
    }

    /// The first run after the one that was killed.
    pub(crate) fn takeover(&self) -> Option<Takeover> {
        let killed = self.killed_run()?;
        let next = self
            .runs
            .iter()
            .filter(|run| run.started > killed.started)
            .min_by_key(|run| run.started)?;
        Some(Takeover {
            node: next.node,
            tick: next.tick,
            after: next.started.since(killed.asked),
        })
    }

    /// What is wrong; nothing if the lock kept its promises. `tick_name` says a tick as the timeline does.
    pub(crate) fn problems(
        &self,
        at_most: Duration,
        tick_name: impl Fn(u64) -> String,
    ) -> Vec<String> {
        let mut problems = self.mishaps.clone();
        problems.extend(self.ticks_run_twice(&tick_name));
        problems.extend(self.overlaps(&tick_name));
        problems.extend(self.tokens_out_of_order(&tick_name));
        problems.extend(self.wrong_takeover(at_most, &tick_name));
        problems
    }

    fn ticks_run_twice(&self, tick_name: &impl Fn(u64) -> String) -> Vec<String> {
        let mut nodes_by_tick: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for run in &self.runs {
            nodes_by_tick
                .entry(run.tick)
                .or_default()
                .push(node_name(run.node));
        }
        nodes_by_tick
            .into_iter()
            .filter(|(_, nodes)| nodes.len() > 1)
            .map(|(tick, nodes)| {
                format!(
                    "tick {} ran more than once: {}",
                    tick_name(tick),
                    nodes.join(", ")
                )
            })
            .collect()
    }

    fn overlaps(&self, tick_name: &impl Fn(u64) -> String) -> Vec<String> {
        let mut problems = Vec::new();
        let mut last: Option<(Micros, &Run)> = None;
        for run in self.runs_by_start() {
            if let Some((end, earlier)) = last
                && run.started < end
            {
                problems.push(format!(
                    "{} began {} while {} was still running {}",
                    node_name(run.node),
                    tick_name(run.tick),
                    node_name(earlier.node),
                    tick_name(earlier.tick),
                ));
            }
            let end = self.end_of(run);
            if last.is_none_or(|(latest, _)| end > latest) {
                last = Some((end, run));
            }
        }
        problems
    }

    /// A run that was killed ended with its node; one that has not reported its end is still running.
    fn end_of(&self, run: &Run) -> Micros {
        let killed = self
            .death
            .filter(|death| death.node == run.node && death.tick == run.tick);
        run.ended
            .or(killed.map(|death| death.at))
            .unwrap_or(Micros(u64::MAX))
    }

    fn tokens_out_of_order(&self, tick_name: &impl Fn(u64) -> String) -> Vec<String> {
        let runs = self.runs_by_start();
        runs.windows(2)
            .filter(|pair| matches!((pair[0].token, pair[1].token), (Some(a), Some(b)) if b <= a))
            .map(|pair| {
                let tick = tick_name(pair[1].tick);
                format!(
                    "the fencing token did not grow from the run before {tick} to that of {tick}"
                )
            })
            .collect()
    }

    fn wrong_takeover(
        &self,
        at_most: Duration,
        tick_name: &impl Fn(u64) -> String,
    ) -> Option<String> {
        let Some(death) = self.death else {
            return Some("no node held the lock when one was to be killed".to_owned());
        };
        let dead = node_name(death.node);
        if self.killed_run().is_some_and(|run| run.ended.is_some()) {
            return Some(format!(
                "{dead} had ended its work before it was killed: this machine is too busy, run it again"
            ));
        }
        let Some(takeover) = self.takeover() else {
            return Some(format!("nobody took over the lock of {dead}"));
        };
        let what = format!(
            "{} took over at {}, {} after {dead} had asked for the lock",
            node_name(takeover.node),
            tick_name(takeover.tick),
            seconds(takeover.after),
        );
        if takeover.after < at_most {
            return Some(format!(
                "{what}: too early, at_most is {}",
                seconds(at_most)
            ));
        }
        let latest = at_most + SLACK;
        (takeover.after > latest)
            .then(|| format!("{what}: too late, {} is allowed", seconds(latest)))
    }

    fn runs_by_start(&self) -> Vec<&Run> {
        let mut runs: Vec<&Run> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.started);
        runs
    }
}

pub(crate) fn node_name(node: usize) -> String {
    format!("node-{}", node + 1)
}

/// `3.5 s`, to the millisecond where it matters.
pub(crate) fn seconds(duration: Duration) -> String {
    let millis = duration.as_millis();
    let thousandths = format!("{:03}", millis % 1000);
    let decimals = match thousandths.trim_end_matches('0') {
        "" => "0",
        decimals => decimals,
    };
    format!("{}.{decimals} s", millis / 1000)
}

#[cfg(test)]
#[path = "evidence/tests.rs"]
mod tests;
