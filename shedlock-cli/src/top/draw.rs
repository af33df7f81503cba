//! Draws a frame. What it draws depends on the [`App`] and the size of the screen alone.

use std::io::stdout;

use anstream::{AutoStream, ColorChoice};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::app::{App, Prompt, View};

mod detail;
mod form;
mod header;
mod help;
mod keys;
mod lanes;
mod list;
mod look;
mod text;

use look::Look;

/// Whether the user wants colours: `--color`, the variables for colours and the terminal decide.
pub(super) fn wants_colors() -> bool {
    AutoStream::choice(&stdout()) != ColorChoice::Never
}

/// Draws what `app` shows.
pub(super) fn draw(app: &App, frame: &mut Frame<'_>) {
    let look = Look::new(app.settings.has_colors);
    let area = frame.area();
    let screen = frame.buffer_mut();
    let (body, foot) = split_bottom(area, 2);
    match &app.view {
        View::List => {
            let rest = header::draw(app, look, body, screen);
            list::draw(app, look, rest, screen);
        }
        View::Detail { lock, from } => detail::draw(app, look, lock, *from, body, screen),
        View::Help => help::draw(body, screen),
    }
    if let Some(Prompt::Form(form)) = &app.prompt {
        form::draw(app, look, form, body, screen);
    }
    keys::draw(app, look, foot, screen);
}

/// Writes lines from the top, and returns what is left below them.
fn write_lines(lines: &[Line<'_>], area: Rect, screen: &mut Buffer) -> Rect {
    for (line, y) in lines.iter().zip(area.y..area.bottom()) {
        screen.set_line(area.x, y, line, area.width);
    }
    below(area, lines.len())
}

/// The part of an area below its first lines.
fn below(area: Rect, lines: usize) -> Rect {
    let lines = u16::try_from(lines).unwrap_or(u16::MAX).min(area.height);
    Rect {
        y: area.y + lines,
        height: area.height - lines,
        ..area
    }
}

/// An area without its last lines, and these.
fn split_bottom(area: Rect, lines: u16) -> (Rect, Rect) {
    let lines = lines.min(area.height);
    let top = Rect {
        height: area.height - lines,
        ..area
    };
    (top, below(area, usize::from(top.height)))
}
