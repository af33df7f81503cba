//! The last runs of a lock as a strip of marks, and the bar of what is left of its lease.

use maud::{Markup, html};
use shedlock_runtime::{RunOutcome, RunRecord, short_duration};

use super::words::{outcome, quality};
use crate::LockRow;

/// How many runs a strip shows.
const MARKS: usize = 10;
/// The width of one mark.
const WIDTH: usize = 13;

/// The name of the drawing of an outcome.
pub(super) const fn mark(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Completed => "#completed",
        RunOutcome::Failed => "#failed",
        RunOutcome::Panicked => "#panicked",
        RunOutcome::Lost => "#lost",
        RunOutcome::Crashed => "#crashed",
        // Dropped, shut down.
        _ => "#stopped",
    }
}

/// The last runs, the latest at the right, and how the latest ended.
pub(super) fn of(runs: &[RunRecord]) -> Markup {
    let shown = &runs[..runs.len().min(MARKS)];
    let Some(latest) = shown.first() else {
        return html! { span.none { "no runs known" } };
    };
    let completed = shown
        .iter()
        .filter(|run| run.outcome == RunOutcome::Completed)
        .count();
    html! {
        span.runs {
            svg.strip width=(MARKS * WIDTH) height="14" role="img"
                aria-label={ (completed) " of the last " (shown.len()) " runs completed" } {
                @for (at, run) in shown.iter().enumerate() {
                    use href=(mark(run.outcome)) class=(quality(run.outcome))
                        x=((MARKS - 1 - at) * WIDTH) width="12" height="14" {}
                }
            }
            // The mark at the right end says it, too; a word in each line would hide the words that matter.
            @let class = if latest.outcome == RunOutcome::Completed { "quiet" } else { quality(latest.outcome) };
            span class=(class) { (outcome(latest.outcome)) }
        }
    }
}

/// What is left of the lease: a bar, if it is known how long the whole lease is, and the time.
pub(super) fn lease(row: &LockRow) -> Markup {
    if !row.info.is_held() {
        return html! {};
    }
    let left = row.info.remaining;
    let Some(whole) = row.lease().filter(|whole| !whole.is_zero()) else {
        return html! { (short_duration(left)) };
    };
    let part = 100.0 * left.as_secs_f64() / whole.as_secs_f64();
    let level = match part {
        // Paused and kept locks have no holder whose lease could end too early.
        _ if row.state != crate::LockState::Held => "kept",
        part if part < 10.0 => "low",
        part if part < 25.0 => "middle",
        _ => "high",
    };
    html! {
        span.lease {
            svg.bar width="64" height="8" role="img" aria-label={ (part.round()) " percent left" } {
                rect.rest width="100%" height="8" rx="2" {}
                rect class=(level) width={ (percent(part)) } height="8" rx="2" {}
            }
            span { (short_duration(left)) }
        }
    }
}

/// A length or a place in a drawing.
pub(super) fn percent(part: f64) -> String {
    format!("{:.2}%", part.clamp(0.0, 100.0))
}
