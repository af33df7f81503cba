//! The timeline of a lock's holders: one lane for each node.

use std::time::{Duration, SystemTime};

use ratatui::text::{Line, Span};
use shedlock_dashboard::{LockRow, LockState};

use super::look::{Look, sign_of_outcome};
use super::text::fit;
use crate::view::times::Zone;

/// How many of the last runs are on the timeline: with more, they could not be told apart.
const RUNS: usize = 20;
/// How wide the names of nodes are.
const NAME: usize = 14;

/// What a node did in a column of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Nothing,
    Ran,
    Ended(char),
    Holds,
    Keeps,
}

/// The time from the first of the last runs until now, as columns.
struct Scale {
    from: SystemTime,
    length: Duration,
    columns: usize,
}

impl Scale {
    fn column(&self, time: SystemTime) -> usize {
        let passed = time.duration_since(self.from).unwrap_or_default();
        let most = self.columns.saturating_sub(1);
        let column = passed.as_millis() * most as u128 / self.length.as_millis().max(1);
        usize::try_from(column).map_or(most, |column| column.min(most))
    }
}

/// The lanes as lines, the node that ran last first, at most `room` of them with the title and the times.
pub(super) fn lines<'a>(
    row: &LockRow,
    now: SystemTime,
    zone: &Zone,
    look: Look,
    width: usize,
    room: usize,
) -> Vec<Line<'a>> {
    let runs = || row.runs.iter().take(RUNS);
    let first = runs().map(|run| run.began).min();
    let columns = width.saturating_sub(NAME + 1);
    let Some(from) = first.filter(|_| room > 3 && columns > 16) else {
        return Vec::new();
    };
    let length = now.duration_since(from).unwrap_or_default();
    let scale = Scale {
        from,
        length,
        columns,
    };
    let mut lanes: Vec<(&str, Vec<Mark>)> = Vec::new();
    let holder =
        (row.info.is_held() && !row.info.node.is_empty()).then_some(row.info.node.as_str());
    for node in holder
        .into_iter()
        .chain(runs().map(|run| run.node.as_str()))
    {
        if !lanes.iter().any(|(known, _)| *known == node) {
            lanes.push((node, vec![Mark::Nothing; columns]));
        }
    }
    let mut mark = |node: &str, began: SystemTime, ended: SystemTime, mark: Mark, end: Mark| {
        let (from, to) = (scale.column(began), scale.column(ended));
        let lane = lanes.iter_mut().find(|(known, _)| *known == node);
        if let Some(cells) = lane.and_then(|(_, lane)| lane.get_mut(from..=to.max(from))) {
            cells.fill(mark);
            if let Some(last) = cells.last_mut() {
                *last = end;
            }
        }
    };
    // The latest last, so that it is not hidden by one before it.
    for run in runs().collect::<Vec<_>>().into_iter().rev() {
        let end = sign_of_outcome(run.outcome).map_or(Mark::Ran, Mark::Ended);
        mark(&run.node, run.began, run.ended, Mark::Ran, end);
    }
    if let (Some(node), Some(since)) = (holder, row.info.since) {
        let holds = match row.state {
            LockState::AtLeast => Mark::Keeps,
            _ => Mark::Holds,
        };
        let ended = runs().find(|run| run.node == node && holds == Mark::Keeps);
        let since = ended.map_or(since, |run| run.ended);
        mark(node, since, now, holds, holds);
    }
    let mut drawn = vec![Line::styled("Holders over time", Look::strong())];
    let hidden = lanes.len().saturating_sub(room - 2);
    lanes.truncate(room - 2);
    drawn.extend(lanes.into_iter().map(|(node, lane)| {
        let mut line = Line::from(Span::raw(fit(node, NAME) + " "));
        line.spans
            .extend(lane.into_iter().map(|mark| span(mark, look)));
        line
    }));
    drawn.push(times(&scale, now, zone, hidden));
    drawn
}

fn span<'a>(mark: Mark, look: Look) -> Span<'a> {
    match mark {
        Mark::Nothing => Span::styled("·", Look::faint()),
        Mark::Ran => Span::styled("█", look.good()),
        Mark::Ended(sign) => Span::styled(sign.to_string(), look.bad()),
        Mark::Holds => Span::styled("▒", look.good()),
        Mark::Keeps => Span::styled("░", look.calm()),
    }
}

/// The times at both ends, and what the marks mean.
fn times<'a>(scale: &Scale, now: SystemTime, zone: &Zone, hidden: usize) -> Line<'a> {
    let (from, to) = (zone.time(scale.from, now), "now");
    let others = match hidden {
        0 => String::new(),
        some => format!("{some} more nodes"),
    };
    let key = "█ ran × failed ▒ holds ░ at_least";
    let middle = scale.columns.saturating_sub(from.len() + to.len());
    let key = if key.chars().count() + 4 <= middle {
        key
    } else {
        ""
    };
    let text = format!("{} {from}{}{to}", fit(&others, NAME), centered(key, middle));
    Line::styled(text, Look::faint())
}

fn centered(text: &str, width: usize) -> String {
    let left = width.saturating_sub(text.chars().count()) / 2;
    fit(&format!("{}{text}", " ".repeat(left)), width)
}
