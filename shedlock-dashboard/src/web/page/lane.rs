//! The lane of a lock: who held it when, drawn over time.

use std::time::{Duration, SystemTime};

use maud::{Markup, html};
use sha2::{Digest as _, Sha256};
use shedlock_runtime::{RunOutcome, RunRecord, short_duration};

use super::strip::percent;
use super::words::outcome;
use crate::web::query::Window;
use crate::web::skips::Skip;
use crate::{LockRow, LockState, Snapshot};

/// How many colours holders have. Each colour comes plain and striped.
pub(super) const COLOURS: u8 = 8;
/// How many blocks a lane draws at most. An observer remembers a few more runs.
const BLOCKS: usize = 40;
/// Skips that are nearer than this are one dot.
const DOT: f64 = 0.6;
/// The future is this part of the past.
const FUTURE: f64 = 0.12;

/// The time that the lanes of a page show, from some time ago to a little later than now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) now: SystemTime,
    past: Duration,
}

impl Axis {
    pub(super) fn new(snapshot: &Snapshot, window: Window) -> Self {
        Self {
            // The records are dated by the store's clock.
            now: snapshot.store_time().unwrap_or(snapshot.read_at),
            past: window.length,
        }
    }

    /// Where `time` is, in percent of the width; outside of 0 to 100 if it is not on the axis.
    fn x(&self, time: SystemTime) -> f64 {
        let from_now = match time.duration_since(self.now) {
            Ok(later) => later.as_secs_f64(),
            Err(earlier) => -earlier.duration().as_secs_f64(),
        };
        let past = self.past.as_secs_f64();
        100.0 * (past + from_now) / (past * (1.0 + FUTURE))
    }

    fn shows(&self, time: SystemTime) -> bool {
        (0.0..=100.0).contains(&self.x(time))
    }

    /// The marks of the time, above all lanes.
    pub(super) fn marks(&self) -> Markup {
        let quarters = (1..=4_u32).rev().map(|quarters| self.past * quarters / 4);
        html! {
            svg.axis width="100%" height="16" aria-hidden="true" {
                @for ago in quarters {
                    text x=(percent(self.x(self.now - ago))) y="12" { "−" (short_duration(ago).replace(" 0s", "")) }
                }
                text.now x=(percent(self.x(self.now))) y="12" text-anchor="middle" { "now" }
            }
        }
    }
}

/// How a holder is drawn, the same on each page and each node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint {
    colour: u8,
    is_striped: bool,
}

impl Paint {
    pub(super) fn of(node: &str) -> Self {
        let hash = Sha256::digest(node.as_bytes());
        Self {
            colour: hash[0] % COLOURS,
            is_striped: hash[1] % 2 == 1,
        }
    }

    pub(super) fn fill(self) -> String {
        let kind = if self.is_striped { "stripe" } else { "plain" };
        format!("url(#{kind}{})", self.colour)
    }
}

/// The lane of one lock.
pub(super) fn of(row: &LockRow, axis: Axis, skips: &[Skip]) -> Markup {
    let runs = &row.runs[..row.runs.len().min(BLOCKS)];
    let known_from = match runs.last() {
        Some(oldest) if runs.len() == BLOCKS => axis.x(oldest.began),
        _ => 0.0,
    };
    let known_from = known_from.clamp(0.0, 100.0);
    let now = axis.x(axis.now);
    html! {
        svg.lane width="100%" height="28" role="img" aria-label=(label(row, axis, skips)) {
            rect.ground x=(percent(known_from)) width=(percent(now - known_from)) y="12" height="2" {}
            @for (at, run) in runs.iter().enumerate() {
                (block(run, axis))
                @if is_takeover(run, runs.get(at + 1)) && axis.shows(run.began) {
                    use.takeover href="#takeover" x=(percent(axis.x(run.began))) y="0" width="10" height="10" {
                        title { "taken over by " (run.node) }
                    }
                }
            }
            (holding(row, axis))
            @for (x, count) in dots(skips, axis) {
                circle.skip cx=(percent(x)) cy="24" r=(if count > 1 { "3" } else { "2" }) {
                    title { (count) " skipped here" }
                }
            }
            line.now x1=(percent(now)) x2=(percent(now)) y1="0" y2="28" {}
        }
    }
}

/// The lane in words.
fn label(row: &LockRow, axis: Axis, skips: &[Skip]) -> String {
    let in_window = |run: &&RunRecord| axis.x(run.ended) >= 0.0;
    let runs = row.runs.iter().filter(in_window).count();
    let mut label = format!(
        "{runs} {} in the last {}",
        if runs == 1 { "run" } else { "runs" },
        short_duration(axis.past)
    );
    if row.state == LockState::Held && !row.info.node.is_empty() {
        label.push_str(", held now by ");
        label.push_str(&row.info.node);
    }
    let skipped = skips.iter().filter(|skip| axis.shows(skip.at)).count();
    if skipped > 0 {
        label.push_str(", skipped here ");
        label.push_str(&skipped.to_string());
        label.push_str(if skipped == 1 { " time" } else { " times" });
    }
    label
}

fn block(run: &RunRecord, axis: Axis) -> Markup {
    let (from, to) = (axis.x(run.began), axis.x(run.ended));
    if to < 0.0 || from > 100.0 {
        return html! {};
    }
    let is_bad = matches!(run.outcome, RunOutcome::Crashed | RunOutcome::Lost);
    html! {
        rect fill=(Paint::of(&run.node).fill()) x=(percent(from)) width=(percent(width(from, to))) y="5" height="16" {
            title { (run.node) ": " (outcome(run.outcome)) " after " (short_duration(run.took())) }
        }
        @if is_bad {
            rect.edge x=(percent(to)) y="3" width="3" height="20" {
                title { "the lease ended before the run" }
            }
        } @else if run.outcome != RunOutcome::Completed {
            rect.fault x=(percent(from)) width=(percent(width(from, to))) y="19" height="3" {}
        }
    }
}

/// Wide enough to be seen, and not beyond the lane.
fn width(from: f64, to: f64) -> f64 {
    let from = from.max(0.0);
    (to.min(100.0) - from).max(0.35)
}

/// Who has the lock now, and what is left: of the lease, of `at_least`, of a pause.
fn holding(row: &LockRow, axis: Axis) -> Markup {
    if row.state == LockState::Expired {
        return expired(row, axis);
    }
    if !row.info.is_held() {
        return html! {};
    }
    let now = axis.x(axis.now);
    let until = axis.now.checked_add(row.info.remaining);
    let until = until.map_or(100.0, |until| axis.x(until));
    let since = row.info.since.map_or(now, |since| axis.x(since)).min(now);
    let ended = row.runs.first().map_or(since, |run| axis.x(run.ended));
    let rest = percent(width(now, until));
    html! {
        @match row.state {
            LockState::Paused => {
                rect.kept fill="url(#hatch)" x=(percent(since)) width=(percent(width(since, until))) y="5" height="16" {
                    title { "paused" }
                }
            }
            LockState::AtLeast => {
                rect.kept fill="url(#hatch)" x=(percent(ended)) width=(percent(width(ended, until))) y="5" height="16" {
                    title { "kept taken for its at_least" }
                }
            }
            _ => {
                rect fill=(Paint::of(&row.info.node).fill()) x=(percent(since)) width=(percent(width(since, now))) y="5" height="16" {
                    title { (row.info.node) ": holds the lock" }
                }
                rect.left x=(percent(now)) width=(rest) y="6" height="14" {
                    title { (short_duration(row.info.remaining)) " of the lease left" }
                }
            }
        }
    }
}

/// A run whose lease has ended, and whose end nobody has written down.
fn expired(row: &LockRow, axis: Axis) -> Markup {
    let Some((since, until)) = row.info.since.zip(row.info.until) else {
        return html! {};
    };
    let ran = since..until;
    block(
        &RunRecord::new(&row.info.name, &row.info.node, ran, RunOutcome::Crashed),
        axis,
    )
}

/// Whether another node began after the lease of the one before had ended.
fn is_takeover(run: &RunRecord, before: Option<&RunRecord>) -> bool {
    before.is_some_and(|before| before.outcome == RunOutcome::Crashed)
        && run.outcome != RunOutcome::Crashed
}

/// Where the skips are, and how many there are at each place.
fn dots(skips: &[Skip], axis: Axis) -> Vec<(f64, usize)> {
    let mut dots: Vec<(f64, usize)> = Vec::new();
    for skip in skips.iter().filter(|skip| axis.shows(skip.at)) {
        let x = axis.x(skip.at);
        match dots.last_mut() {
            Some((last, count)) if (*last - x).abs() < DOT => *count += 1,
            _ => dots.push((x, 1)),
        }
    }
    dots
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn axis() -> Axis {
        Axis {
            now: UNIX_EPOCH + Duration::from_secs(1_000_000),
            past: Duration::from_secs(3_600),
        }
    }

    #[test]
    fn now_is_left_of_the_end_and_the_past_begins_at_zero() {
        let axis = axis();
        assert_eq!(percent(axis.x(axis.now)), "89.29%");
        assert_eq!(percent(axis.x(axis.now - axis.past)), "0.00%");
        assert!(!axis.shows(UNIX_EPOCH));
        assert!(axis.shows(axis.now + Duration::from_secs(60)));
    }

    #[test]
    fn a_run_that_began_before_the_axis_is_cut() {
        let axis = axis();
        let ran = UNIX_EPOCH..axis.now - Duration::from_secs(1_800);
        let run = RunRecord::new("mail", "web-1", ran, RunOutcome::Crashed);
        let drawn = block(&run, axis).0;
        assert!(drawn.contains("x=\"0.00%\" width=\"44.64%\""), "{drawn}");
        assert!(drawn.contains("class=\"edge\" x=\"44.64%\""), "{drawn}");
        let long_ago = RunRecord::new("mail", "web-1", UNIX_EPOCH..UNIX_EPOCH, RunOutcome::Failed);
        assert_eq!(block(&long_ago, axis).0, "");
    }

    #[test]
    fn a_takeover_follows_a_crash() {
        let run = |outcome| RunRecord::new("mail", "web-1", UNIX_EPOCH..UNIX_EPOCH, outcome);
        let (good, crashed) = (run(RunOutcome::Completed), run(RunOutcome::Crashed));
        assert!(is_takeover(&good, Some(&crashed)));
        assert!(!is_takeover(&good, Some(&good)) && !is_takeover(&good, None));
    }

    #[test]
    fn a_holder_is_drawn_alike_everywhere() {
        assert_eq!(Paint::of("web-1"), Paint::of("web-1"));
        let paints = (0..50).map(|at| Paint::of(&format!("web-{at}")).fill());
        let different: std::collections::BTreeSet<_> = paints.collect();
        assert!(different.len() > 10, "{different:?}");
    }
}
