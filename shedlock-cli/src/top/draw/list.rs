//! The table of locks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use shedlock_dashboard::{LockRow, LockState};
use shedlock_runtime::{RunRecord, printable};

use super::look::{Look, sign_of_outcome, sign_of_state};
use super::text::{bar, compact, fit, fit_end};
use super::{below, write_lines};
use crate::top::app::App;

/// The columns that a table of some width has, and how wide they are; a column of no width is not shown.
#[derive(Debug, Clone, Copy)]
struct Columns {
    state: usize,
    name: usize,
    holder: usize,
    held: usize,
    bar: usize,
    left: usize,
    fence: usize,
    runs: usize,
    last: usize,
}

impl Columns {
    fn new(width: usize) -> Self {
        let none = Self {
            state: 1,
            name: 0,
            holder: 0,
            held: 0,
            bar: 0,
            left: 6,
            fence: 0,
            runs: 0,
            last: 0,
        };
        let mut columns = match width {
            118.. => Self {
                state: 12,
                holder: 16,
                held: 6,
                bar: 10,
                fence: 16,
                runs: 12,
                last: 9,
                ..none
            },
            76.. => Self {
                state: 10,
                holder: 11,
                held: 6,
                bar: 6,
                fence: 7,
                runs: 8,
                ..none
            },
            50.. => Self {
                state: 10,
                holder: 10,
                bar: 6,
                ..none
            },
            _ => none,
        };
        let others = columns.others();
        columns.name = width.saturating_sub(others);
        columns
    }

    /// How much the columns other than the name take, with a blank before each.
    fn others(&self) -> usize {
        let widths = [
            self.state,
            self.holder,
            self.held,
            self.bar,
            self.left,
            self.fence,
            self.runs,
            self.last,
        ];
        let shown = widths.iter().filter(|width| **width > 0);
        shown.map(|width| width + 1).sum()
    }

    fn header(&self) -> String {
        let left = format!("{} {}", fit("LEASE", self.bar), fit("LEFT", self.left));
        let cells = [
            (
                fit(if self.state > 1 { "STATE" } else { "" }, self.state),
                self.state,
            ),
            (fit(" NAME", self.name), self.name),
            (fit("HOLDER", self.holder), self.holder),
            (fit("HELD", self.held), self.held),
            (left.trim_start().to_owned(), self.left),
            (fit_end("FENCE", self.fence), self.fence),
            (fit("RUNS", self.runs), self.runs),
            (fit("LAST", self.last), self.last),
        ];
        let shown: Vec<String> = cells
            .into_iter()
            .filter(|(_, width)| *width > 0)
            .map(|(cell, _)| cell)
            .collect();
        shown.join(" ")
    }
}

/// Draws the table.
pub(super) fn draw(app: &App, look: Look, area: Rect, screen: &mut Buffer) {
    let Some(snapshot) = app.snapshot() else {
        if app.failure.is_none() {
            let line = Line::styled("waiting for the store ..", Look::faint());
            write_lines(&[line], area, screen);
        }
        return;
    };
    let columns = Columns::new(usize::from(area.width));
    let header = Line::styled(columns.header(), Look::strong());
    let rest = write_lines(&[header], area, screen);
    if app.table.len() == 0 {
        let text = if snapshot.locks.is_empty() {
            "no lock was taken yet; a store may also forget locks that are free"
        } else {
            "no lock has these words in its name, holder or state; `f` changes them"
        };
        write_lines(&[Line::styled(text, Look::faint())], rest, screen);
        return;
    }
    let height = usize::from(rest.height);
    let selected = app.table.place();
    // The selected lock is in the middle, but for the ends of the table.
    let most = app.table.len().saturating_sub(height);
    let from = selected.saturating_sub(height / 2).min(most);
    let lines: Vec<Line<'_>> = (from..app.table.len())
        .take(height)
        .filter_map(|place| {
            let row = app.table.row(place, Some(snapshot))?;
            let is_of_row = |of: &String| *of == row.info.name;
            let mut warnings = snapshot.warnings.iter();
            let is_warned = warnings.any(|warning| warning.lock.as_ref().is_some_and(is_of_row));
            let line = line(row, is_warned, columns, look);
            Some(if place == selected {
                line.style(Look::selected())
            } else {
                line
            })
        })
        .collect();
    for (at, line) in lines.iter().enumerate() {
        let area = below(rest, at);
        if line.style == Look::selected() {
            screen.set_style(Rect { height: 1, ..area }, Look::selected());
        }
        screen.set_line(area.x, area.y, line, area.width);
    }
}

fn line<'a>(row: &LockRow, is_warned: bool, columns: Columns, look: Look) -> Line<'a> {
    let info = &row.info;
    let state = match columns.state {
        1 => sign_of_state(row.state).to_string(),
        _ => format!("{} {}", sign_of_state(row.state), row.state),
    };
    let name = printable(&info.name);
    // Who left a lock behind is who has to be looked at.
    let holder = if info.is_held() || row.state == LockState::Expired {
        info.node.as_str()
    } else {
        ""
    };
    let held = row.held_for.map(compact).unwrap_or_default();
    let left = info.is_held().then(|| compact(info.remaining));
    let fence = info.fencing_token.map(|token| token.to_string());
    let last = row.runs.first();
    let mut cells: Vec<(usize, Vec<Span<'a>>)> = Vec::new();
    let plain = |width: usize, text: &str| (width, vec![Span::raw(fit(text, width))]);
    cells.push((
        columns.state,
        vec![Span::styled(
            fit(&state, columns.state),
            look.of_state(row.state),
        )],
    ));
    let name = fit(&name, columns.name.saturating_sub(1));
    let mark = if is_warned { "!" } else { " " };
    let name = vec![Span::styled(mark, look.bad()), Span::raw(name)];
    cells.push((columns.name, name));
    cells.push(plain(columns.holder, holder));
    cells.push(plain(columns.held, &held));
    cells.push((columns.bar, vec![lease(row, columns.bar, look)]));
    cells.push(plain(columns.left, &left.unwrap_or_default()));
    let fence = fit_end(&fence.unwrap_or_default(), columns.fence);
    cells.push((columns.fence, vec![Span::raw(fence)]));
    cells.push((columns.runs, sparkline(&row.runs, columns.runs, look)));
    let outcome = last.map_or("", |run| run.outcome.as_str());
    let style = last.map_or(Style::new(), |run| look.of_outcome(run.outcome));
    cells.push((
        columns.last,
        vec![Span::styled(fit(outcome, columns.last), style)],
    ));
    let mut line = Line::default();
    for (at, (_, spans)) in cells
        .into_iter()
        .filter(|(width, _)| *width > 0)
        .enumerate()
    {
        if at > 0 {
            line.push_span(Span::raw(" "));
        }
        line.spans.extend(spans);
    }
    line
}

/// What is left of the lease, as a bar.
pub(super) fn lease<'a>(row: &LockRow, width: usize, look: Look) -> Span<'a> {
    let left = row.info.remaining;
    match row.lease() {
        Some(whole) => Span::styled(
            bar(left, whole, width),
            look.of_lease(row.state, left, whole),
        ),
        None => Span::raw(" ".repeat(width)),
    }
}

/// The last runs, the latest at the right: how long each took, compared with the longest of them, or that it did not complete.
fn sparkline<'a>(runs: &[RunRecord], width: usize, look: Look) -> Vec<Span<'a>> {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let runs: Vec<_> = runs.iter().take(width).collect();
    let longest = runs.iter().map(|run| run.took()).max().unwrap_or_default();
    let mut spans = vec![Span::raw(" ".repeat(width - runs.len()))];
    for run in runs.iter().rev() {
        let height = run.took().as_millis() * 7 / longest.as_millis().max(1);
        let height = usize::try_from(height).ok().and_then(|at| HEIGHTS.get(at));
        let sign = sign_of_outcome(run.outcome).or(height.copied());
        let text = sign.unwrap_or(' ').to_string();
        spans.push(Span::styled(text, look.of_outcome(run.outcome)));
    }
    spans
}
