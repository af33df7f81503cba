//! The store, its time and the clocks; how many locks are in which state; what looks wrong.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use shedlock_dashboard::{ClockDifference, LockRow, LockState, Snapshot};
use unicode_width::UnicodeWidthStr as _;

use super::look::{Look, sign_of_state};
use super::text::{compact, fit};
use super::write_lines;
use crate::top::app::App;

/// Clocks that differ by less than this are the same to a person.
const SAME: Duration = Duration::from_millis(100);

/// Draws the header, and returns what is left below it.
pub(super) fn draw(app: &App, look: Look, area: Rect, screen: &mut Buffer) -> Rect {
    let mut lines = vec![facts(app, look), counts(app, look, area.width)];
    lines.extend(troubles(app, look, area));
    lines.push(Line::default());
    write_lines(&lines, area, screen)
}

/// The first line.
pub(super) fn facts(app: &App, look: Look) -> Line<'_> {
    let gap = || Span::raw("  ");
    let every = humantime::format_duration(app.settings.every);
    let Some(snapshot) = app.snapshot() else {
        return Line::from(vec![
            Span::styled("shedlock top", Look::strong()),
            gap(),
            Span::raw(format!("every {every}")),
        ]);
    };
    let (time, clocks) = times(app, look, snapshot);
    Line::from(vec![
        Span::styled(snapshot.provider, Look::strong()),
        gap(),
        time,
        gap(),
        clocks,
        gap(),
        Span::raw(format!("round trip {}", round_trip(snapshot.round_trip))),
        gap(),
        Span::raw(format!("every {every}")),
    ])
}

/// The store's time, or else ours, and how our clock differs.
fn times<'a>(app: &App, look: Look, snapshot: &Snapshot) -> (Span<'a>, Span<'a>) {
    let zone = &app.settings.zone;
    let time = |time| zone.time(time, time);
    let Some(store_time) = snapshot.store_time() else {
        let ours = format!("our time {}", time(snapshot.read_at));
        return (
            Span::raw(ours),
            Span::styled("store's time unknown", Look::faint()),
        );
    };
    let clocks = match snapshot.clock_difference {
        Some(ClockDifference::Ahead(by)) if by >= SAME => {
            format!("our clock {} behind", compact(by))
        }
        Some(ClockDifference::Behind(by)) if by >= SAME => {
            format!("our clock {} ahead", compact(by))
        }
        _ => "our clock agrees".to_owned(),
    };
    let differs = snapshot
        .clock_difference
        .is_some_and(|difference| difference.length() > Duration::from_secs(1));
    let style = if differs { look.bad() } else { look.good() };
    let store = format!("store's time {}", time(store_time));
    (Span::raw(store), Span::styled(clocks, style))
}

fn round_trip(took: Duration) -> String {
    match took.as_millis() {
        0 => "<1ms".to_owned(),
        millis if millis < 1_000 => format!("{millis}ms"),
        _ => compact(took),
    }
}

/// How many locks are in which state, and whether the screen is up to date.
fn counts<'a>(app: &App, look: Look, width: u16) -> Line<'a> {
    const STATES: [LockState; 6] = [
        LockState::Unreadable,
        LockState::Expired,
        LockState::Held,
        LockState::AtLeast,
        LockState::Paused,
        LockState::Free,
    ];
    let Some(snapshot) = app.snapshot() else {
        return with_liveness(Vec::new(), app, look, width);
    };
    let total = snapshot.locks.len();
    let noun = if total == 1 { "lock" } else { "locks" };
    let all = if app.table.is_filtered() {
        format!("{} of {total} {noun}", app.table.len())
    } else {
        format!("{total} {noun}")
    };
    let mut spans = vec![Span::raw(all)];
    for state in STATES {
        let in_state = |row: &&LockRow| row.state == state;
        let count = snapshot.locks.iter().filter(in_state).count();
        if count > 0 {
            let text = format!("  {} {count} {state}", sign_of_state(state));
            spans.push(Span::styled(text, look.of_state(state)));
        }
    }
    with_liveness(spans, app, look, width)
}

/// As many of the spans as there is room for, and at the right whether to believe the screen, which is worth more.
pub(super) fn with_liveness<'a>(
    mut spans: Vec<Span<'a>>,
    app: &App,
    look: Look,
    width: u16,
) -> Line<'a> {
    let (word, style) = liveness(app, look);
    let room = usize::from(width).saturating_sub(word.width());
    let used = |spans: &[Span<'_>]| spans.iter().map(Span::width).sum::<usize>();
    while !spans.is_empty() && used(&spans) + 2 > room {
        spans.pop();
    }
    let blanks = room - used(&spans);
    spans.push(Span::raw(" ".repeat(blanks)));
    spans.push(Span::styled(word, style));
    Line::from(spans)
}

/// Whether the screen shows what the store says now.
fn liveness(app: &App, look: Look) -> (String, ratatui::style::Style) {
    let age = app.age().map(compact);
    match (age, app.is_frozen) {
        (Some(age), true) => (format!("FROZEN {age}"), look.careful()),
        (Some(age), false) if app.failure.is_some() => (format!("NO ANSWER {age}"), look.bad()),
        // One answer that takes long is no failure yet, but the screen is old.
        (Some(age), false) if app.age() > Some(app.settings.every * 2 + Duration::from_secs(2)) => {
            (format!("WAITING {age}"), look.careful())
        }
        (Some(_), false) => ("live".to_owned(), look.good()),
        (None, _) if app.failure.is_some() => ("NO ANSWER".to_owned(), look.bad()),
        (None, _) => (format!("WAITING {}", compact(app.now)), look.careful()),
    }
}

/// What looks wrong, the worst first, in at most a quarter of the screen.
fn troubles(app: &App, look: Look, area: Rect) -> Vec<Line<'_>> {
    let width = usize::from(area.width);
    let mut lines = failure(app, look, width);
    let warnings = app
        .snapshot()
        .map_or(&[][..], |snapshot| &snapshot.warnings);
    let room = usize::from(area.height / 4).max(1);
    let shown = if warnings.len() > room {
        room - 1
    } else {
        warnings.len()
    };
    for warning in warnings.iter().take(shown) {
        let text = fit(&format!("! {warning}"), width);
        lines.push(Line::styled(text.trim_end().to_owned(), look.bad()));
    }
    let more = warnings.len() - shown;
    if more > 0 {
        let and = if shown > 0 { "and " } else { "" };
        let noun = if more == 1 { "warning" } else { "warnings" };
        let text = format!("! {and}{more} more {noun}; the table marks these locks with !");
        lines.push(Line::styled(text, look.bad()));
    }
    lines
}

/// Why the store gave no answer. An error says what to do about it, which may take some lines.
pub(super) fn failure<'a>(app: &App, look: Look, width: usize) -> Vec<Line<'a>> {
    const LINES: usize = 3;
    let Some(failure) = &app.failure else {
        return Vec::new();
    };
    let parts = wrapped(&format!("! {failure}"), width, LINES);
    parts
        .into_iter()
        .map(|part| Line::styled(part, look.bad()))
        .collect()
}

/// The text in lines of `width` columns, at most `most` of them.
pub(super) fn wrapped(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let is_full = lines.len() == most;
        let Some(line) = lines.last_mut() else {
            break;
        };
        if line.is_empty() {
            line.push_str(word);
        } else if is_full || line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("  {word}"));
        }
    }
    let cut = |line: &String| fit(line, width).trim_end().to_owned();
    lines.iter().map(cut).collect()
}
