//! Reads the notes of a fleet and says what was wrong.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::node::AT_MOST;
use crate::record::{Event, Record};

/// What one process noted until it was killed.
#[derive(Debug, Default)]
pub(crate) struct Life {
    records: Vec<Record>,
    ended: u64,
}

impl Life {
    pub(crate) fn read(notes: &Path, ended: u64) -> Self {
        // A node that was killed before it began has no notes.
        let notes = fs::read_to_string(notes).unwrap_or_default();
        Self {
            records: notes.lines().map(|line| line.parse().unwrap()).collect(),
            ended,
        }
    }
}

/// One run of the job's body.
#[derive(Debug, Clone)]
struct Run {
    /// When the call began: the lease cannot have begun before.
    asked: u64,
    /// Each moment at which the body was seen at work.
    at_work: Vec<u64>,
    token: u64,
    /// Whether the body came to its end.
    ended: bool,
}

/// What the notes show.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) violations: Vec<String>,
    pub(crate) runs: usize,
    pub(crate) killed_runs: usize,
    /// Runs with one note later than the next holder's first: a poll that began in time.
    pub(crate) stragglers: usize,
    pub(crate) last_run_ago: Duration,
    skips: usize,
    failures: usize,
}

impl Verdict {
    pub(crate) fn over(lives: &[Life]) -> Self {
        let mut runs: Vec<Run> = lives.iter().flat_map(runs).collect();
        runs.sort_by_key(Run::entered);
        let count = |event| {
            lives
                .iter()
                .flat_map(|life| &life.records)
                .filter(|r| r.event == event)
                .count()
        };
        let mut verdict = Self {
            runs: runs.len(),
            killed_runs: runs.iter().filter(|run| !run.ended).count(),
            skips: count(Event::Skip),
            failures: count(Event::Fail),
            ..Self::default()
        };
        let end = lives
            .iter()
            .map(|life| life.ended)
            .max()
            .unwrap_or_default();
        let last = runs.last().map_or(0, Run::entered);
        verdict.last_run_ago = Duration::from_nanos(end.saturating_sub(last));
        for pair in runs.windows(2) {
            verdict.compare(&pair[0], &pair[1]);
        }
        verdict
    }

    fn compare(&mut self, earlier: &Run, later: &Run) {
        match earlier
            .at_work
            .iter()
            .filter(|at| **at > later.entered())
            .count()
        {
            0 => {}
            1 => self.stragglers += 1,
            n => self.violations.push(format!(
                "a run was seen {n} times after the next had begun: {earlier:?} {later:?}"
            )),
        }
        if later.token <= earlier.token {
            self.violations.push(format!(
                "the token did not grow: {} then {}",
                earlier.token, later.token
            ));
        }
        let lease = u64::try_from(AT_MOST.as_nanos()).unwrap();
        if !earlier.ended && later.entered() < earlier.asked + lease {
            self.violations.push(format!(
                "the lock of a run that never ended was taken too early: {earlier:?} {later:?}"
            ));
        }
    }
}

impl Run {
    fn entered(&self) -> u64 {
        self.at_work[0]
    }
}

fn runs(life: &Life) -> Vec<Run> {
    let (mut runs, mut asked) = (Vec::<Run>::new(), 0);
    for record in &life.records {
        match record.event {
            Event::Ask => asked = record.at,
            Event::Enter => {
                runs.push(Run {
                    asked,
                    at_work: vec![record.at],
                    token: record.token,
                    ended: false,
                });
            }
            Event::Step | Event::Exit => {
                let run = runs.last_mut().unwrap();
                run.at_work.push(record.at);
                run.ended = record.event == Event::Exit;
            }
            Event::Skip | Event::Fail => {}
        }
    }
    runs
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs ({} killed or cancelled), {} skips, {} failures, {} stragglers, last run {:?} before the end",
            self.runs,
            self.killed_runs,
            self.skips,
            self.failures,
            self.stragglers,
            self.last_run_ago
        )
    }
}

mod tests {
    use super::*;

    fn life(records: &[(u64, Event, u64)]) -> Life {
        let record = |&(at, event, token)| Record {
            at: at * 1_000_000,
            event,
            token,
        };
        Life {
            records: records.iter().map(record).collect(),
            ended: 10_000_000_000,
        }
    }

    #[test]
    fn the_checker_finds_an_overlap() {
        let one = life(&[
            (0, Event::Ask, 0),
            (1, Event::Enter, 1),
            (50, Event::Step, 1),
            (60, Event::Exit, 1),
        ]);
        let two = life(&[
            (0, Event::Ask, 0),
            (40, Event::Enter, 2),
            (70, Event::Exit, 2),
        ]);
        let verdict = Verdict::over(&[one, two]);
        assert!(
            verdict.violations[0].starts_with("a run was seen 2 times after"),
            "{verdict:?}"
        );
    }

    #[test]
    fn the_checker_finds_a_token_that_does_not_grow_and_an_early_theft() {
        let dead = life(&[(0, Event::Ask, 0), (1, Event::Enter, 7)]);
        let thief = life(&[
            (500, Event::Ask, 0),
            (599, Event::Enter, 7),
            (600, Event::Exit, 7),
        ]);
        let verdict = Verdict::over(&[dead, thief]);
        assert_eq!(verdict.violations.len(), 2, "{verdict:?}");
        let dead = life(&[(0, Event::Ask, 0), (1, Event::Enter, 7)]);
        let heir = life(&[
            (500, Event::Ask, 0),
            (601, Event::Enter, 8),
            (602, Event::Exit, 8),
        ]);
        assert_eq!(
            Verdict::over(&[dead, heir]).violations,
            Vec::<String>::new()
        );
    }
}
