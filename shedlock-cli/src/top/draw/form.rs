//! A box with questions about one lock.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget as _};
use shedlock_dashboard::LockState;
use shedlock_runtime::printable;

use super::header::wrapped;
use super::look::Look;
use super::text::{compact, fit};
use super::write_lines;
use crate::top::app::App;
use crate::top::form::{Form, Purpose};

/// How wide and high the box is on a screen that has the room.
const WIDTH: u16 = 70;
const HEIGHT: u16 = 9;
const LABEL: usize = 17;

/// Draws the form in the middle of `area`.
pub(super) fn draw(app: &App, look: Look, form: &Form, area: Rect, screen: &mut Buffer) {
    let (width, height) = (WIDTH.min(area.width), HEIGHT.min(area.height));
    let area = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let name = printable(&form.lock);
    let title = match form.purpose {
        Purpose::Pause => format!(" Pause {name} "),
        Purpose::Release => format!(" Release {name} by force "),
    };
    let room = usize::from(width).saturating_sub(4);
    let title = fit(&title, room.min(title.chars().count()));
    let block = Block::bordered().title(Line::styled(title, Look::strong()));
    let inside = block.inner(area);
    Clear.render(area, screen);
    block.render(area, screen);
    let room = usize::from(inside.width);
    let mut lines: Vec<Line<'_>> = wrapped(&consequence(app, form), room, 2)
        .into_iter()
        .map(Line::raw)
        .collect();
    lines.push(Line::default());
    for (at, field) in form.fields.iter().enumerate() {
        let text = last_columns(&field.text, room.saturating_sub(LABEL + 1));
        let mut line = Line::from(vec![
            Span::styled(fit(field.label, LABEL), Look::faint()),
            Span::raw(text),
        ]);
        if at == form.at {
            line.push_span(Span::styled(" ", Look::selected()));
        }
        lines.push(line);
    }
    lines.push(match &form.error {
        Some(error) => Line::styled(fit(error, room), look.bad()),
        None => Line::default(),
    });
    let keys = "Enter: next, then do it   Tab: other line   Esc: leave it";
    lines.push(Line::styled(keys, Look::faint()));
    write_lines(&lines, inside, screen);
}

/// What the operator should know before.
fn consequence(app: &App, form: &Form) -> String {
    let row = app.lock(&form.lock);
    let holder = row.filter(|row| row.state == LockState::Held).map(|row| {
        let by = match row.info.node.as_str() {
            "" => String::new(),
            node => format!(" by {node}"),
        };
        let since = row.held_for.map(|held| format!(" for {}", compact(held)));
        format!("Held{by}{}.", since.unwrap_or_default())
    });
    match (form.purpose, holder) {
        (Purpose::Pause, None) => "Every node skips it until the pause ends.".to_owned(),
        (Purpose::Pause, Some(held)) => {
            format!(
                "{held} This run goes on without its lock until its node notices. Every node skips the next ones."
            )
        }
        (Purpose::Release, None) => {
            "Nobody is seen to hold it. A pause or an at_least ends.".to_owned()
        }
        (Purpose::Release, Some(held)) => {
            format!(
                "{held} Its node is not asked: it runs on until it notices, while another may begin."
            )
        }
    }
}

/// The end of what is typed, where the cursor is.
pub(super) fn last_columns(text: &str, width: usize) -> String {
    let text = printable(text);
    let mut from = 0;
    while unicode_width::UnicodeWidthStr::width(text.get(from..).unwrap_or_default()) > width {
        from += text
            .get(from..)
            .and_then(|rest| rest.chars().next())
            .map_or(1, char::len_utf8);
    }
    text.get(from..).unwrap_or_default().to_owned()
}
