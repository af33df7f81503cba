//! One lock: everything that the store tells of it.

use std::time::SystemTime;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use shedlock_dashboard::{LockRow, Snapshot, Warning};
use shedlock_runtime::{RunRecord, printable};

use super::look::{Look, sign_of_state};
use super::text::{compact, fit};
use super::{header, lanes, list, write_lines};
use crate::top::app::App;
use crate::view::times::Zone;

/// How wide the bar of the lease is.
const BAR: usize = 20;

/// Draws the lock `name`, with its runs from the one at `from` on.
pub(super) fn draw(
    app: &App,
    look: Look,
    name: &str,
    from: usize,
    area: Rect,
    screen: &mut Buffer,
) {
    let width = usize::from(area.width);
    let title = fit(
        &format!("Lock {}", printable(name)),
        width.saturating_sub(20),
    );
    let title = vec![Span::styled(title, Look::strong())];
    let mut head = vec![header::facts(app, look)];
    head.push(header::with_liveness(title, app, look, area.width));
    head.extend(header::failure(app, look, width));
    head.push(Line::default());
    let rest = write_lines(&head, area, screen);
    let (Some(snapshot), Some(row)) = (app.snapshot(), app.lock(name)) else {
        let text = "the store has no record of this lock any more: it is free";
        write_lines(&[Line::styled(text, Look::faint())], rest, screen);
        return;
    };
    let now = snapshot.store_time().unwrap_or(snapshot.read_at);
    let page = Page {
        app,
        look,
        row,
        now,
    };
    let mut lines = page.facts(area.width);
    lines.extend(page.warnings(snapshot, width));
    lines.push(Line::default());
    if !snapshot.keeps_history {
        let text =
            "This store keeps no history of runs: add `?history=90d` to the URL of a database.";
        lines.push(Line::styled(text, Look::faint()));
    } else if row.runs.is_empty() {
        lines.push(Line::styled("No run is in the history yet.", Look::faint()));
    }
    let rest = write_lines(&lines, rest, screen);
    let rest = write_lines(&page.lanes(snapshot, rest), rest, screen);
    write_lines(&page.runs(from, rest), rest, screen);
}

struct Page<'a> {
    app: &'a App,
    look: Look,
    row: &'a LockRow,
    now: SystemTime,
}

impl<'a> Page<'a> {
    fn zone(&self) -> &Zone {
        &self.app.settings.zone
    }

    fn facts(&self, width: u16) -> Vec<Line<'a>> {
        let (row, info) = (self.row, &self.row.info);
        let state = format!("{} {}", sign_of_state(row.state), row.state);
        let mut state = vec![Span::styled(state, self.look.of_state(row.state))];
        if !info.node.is_empty() {
            let by = if info.is_held() { "by" } else { "last by" };
            state.push(Span::raw(format!("  {by} {}", info.node)));
        }
        let mut lines = vec![fact("state", state)];
        if let Some(since) = info.since {
            let held = row.held_for.map(|held| format!(", {}", compact(held)));
            let text = self.zone().time(since, self.now) + &held.unwrap_or_default();
            lines.push(fact("since", vec![Span::raw(text)]));
        }
        if let Some(until) = info.until {
            let text = self.zone().time(until, self.now);
            lines.push(fact("until", vec![Span::raw(text)]));
        }
        if info.is_held() {
            let of = row.lease().map(|whole| format!(" of {}", compact(whole)));
            let left = format!(
                " {} left{}",
                compact(info.remaining),
                of.unwrap_or_default()
            );
            let bar = list::lease(row, BAR, self.look);
            lines.push(fact("lease", vec![bar, Span::raw(left)]));
        }
        if let Some(token) = info.fencing_token {
            lines.push(fact("fence", vec![Span::raw(token.to_string())]));
        }
        if let Some(position) = info.position {
            lines.push(fact("position", vec![Span::raw(position.to_string())]));
        }
        for (label, text) in [("reason", &info.reason), ("problem", &info.problem)] {
            if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                let room = usize::from(width).saturating_sub(10);
                let text = fit(&printable(text), room);
                lines.push(fact(label, vec![Span::raw(text.trim_end().to_owned())]));
            }
        }
        lines
    }

    fn warnings(&self, snapshot: &Snapshot, width: usize) -> Vec<Line<'a>> {
        let name = &self.row.info.name;
        let of_lock = |warning: &&Warning| warning.lock.as_ref() == Some(name);
        let warnings = snapshot.warnings.iter().filter(of_lock);
        warnings
            .map(|warning| fit(&format!("! {warning}"), width))
            .map(|text| Line::styled(text.trim_end().to_owned(), self.look.bad()))
            .collect()
    }

    /// The timeline, in at most half of the room.
    fn lanes(&self, snapshot: &Snapshot, area: Rect) -> Vec<Line<'a>> {
        let room = usize::from(area.height / 2);
        let now = snapshot.store_time().unwrap_or(snapshot.read_at);
        lanes::lines(
            self.row,
            now,
            self.zone(),
            self.look,
            usize::from(area.width),
            room,
        )
    }

    fn runs(&self, from: usize, area: Rect) -> Vec<Line<'a>> {
        let room = usize::from(area.height).saturating_sub(2);
        let runs = &self.row.runs;
        if runs.is_empty() || room == 0 {
            return Vec::new();
        }
        let last = (from + room).min(runs.len());
        let title = format!("Last runs, {} to {last} of {}", from + 1, runs.len());
        let mut lines = vec![Line::default(), Line::styled(title, Look::strong())];
        let shown = runs.iter().skip(from).take(room);
        lines.extend(shown.map(|run| self.run(run, usize::from(area.width))));
        lines
    }

    fn run(&self, run: &RunRecord, width: usize) -> Line<'a> {
        let began = self.zone().time(run.began, self.now);
        let token = run.fencing_token.map(|token| format!("  fence {token}"));
        let error = run.error.as_ref().map(|error| format!("  {error}"));
        let rest = token.unwrap_or_default() + &error.unwrap_or_default();
        let head = format!("{}  {}  ", fit(&began, 19), fit(&compact(run.took()), 6));
        let outcome = fit(run.outcome.as_str(), 10);
        let tail = format!("  {}{rest}", fit(&run.node, 12));
        let room = width.saturating_sub(19 + 2 + 6 + 2 + 10);
        Line::from(vec![
            Span::raw(head),
            Span::styled(outcome, self.look.of_outcome(run.outcome)),
            Span::raw(fit(&tail, room).trim_end().to_owned()),
        ])
    }
}

fn fact<'a>(label: &str, mut spans: Vec<Span<'a>>) -> Line<'a> {
    spans.insert(0, Span::styled(fit(label, 10), Look::faint()));
    Line::from(spans)
}
