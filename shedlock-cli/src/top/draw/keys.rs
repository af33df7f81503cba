//! The two lines at the bottom: what was done or is being typed, and the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::form::last_columns;
use super::look::Look;
use super::text::fit;
use super::write_lines;
use crate::top::app::{App, Prompt, View};

pub(super) fn draw(app: &App, look: Look, area: Rect, screen: &mut Buffer) {
    let width = usize::from(area.width);
    let lines = [told(app, look, width), keys(app)];
    // On a screen of one line, the keys are worth more.
    let from = lines.len().saturating_sub(usize::from(area.height));
    write_lines(lines.get(from..).unwrap_or_default(), area, screen);
}

fn told(app: &App, look: Look, width: usize) -> Line<'_> {
    if let Some(Prompt::Filter(field)) = &app.prompt {
        let text = last_columns(&field.text, width.saturating_sub(9));
        return Line::from(vec![
            Span::styled("filter: ", Look::strong()),
            Span::raw(text),
            Span::styled(" ", Look::selected()),
        ]);
    }
    if let Some(doing) = &app.doing {
        return Line::raw(fit(doing, width));
    }
    if let Some(said) = &app.said {
        let style = if said.is_error {
            look.bad()
        } else {
            look.good()
        };
        return Line::styled(fit(&said.text, width), style);
    }
    let mut facts = Vec::new();
    if app.table.is_filtered() {
        facts.push(format!(
            "filter: {}",
            shedlock_runtime::printable(&app.filter)
        ));
    }
    if app.view == View::List && app.table.len() > 0 {
        let sort = app.table.sort().word();
        let (place, all) = (app.table.place() + 1, app.table.len());
        facts.push(format!("by {sort}, {place} of {all}"));
    }
    Line::styled(fit(&facts.join("  "), width), Look::faint())
}

fn keys<'a>(app: &App) -> Line<'a> {
    let keys: &[(&str, &str)] = match (&app.prompt, &app.view) {
        (Some(Prompt::Filter(_)), _) => &[("Enter", "keep"), ("Esc", "show all")],
        (Some(Prompt::Form(_)), _) => &[("Enter", "go on"), ("Esc", "leave it")],
        (None, View::Help) => &[("any key", "back"), ("q", "quit")],
        (None, View::Detail { .. }) => &[
            ("Esc", "back"),
            ("?", "help"),
            ("q", "quit"),
            ("↑↓", "runs"),
            ("p", "pause"),
            ("u", "resume"),
            ("K", "release"),
            ("space", "freeze"),
        ],
        (None, View::List) => &[
            ("?", "help"),
            ("q", "quit"),
            ("Enter", "all"),
            ("f", "filter"),
            ("s", "sort"),
            ("p", "pause"),
            ("u", "resume"),
            ("K", "release"),
            ("space", "freeze"),
        ],
    };
    // Those that are needed most come first: what does not fit is cut.
    let mut line = Line::default();
    for (key, what) in keys {
        line.push_span(Span::styled((*key).to_owned(), Look::strong()));
        line.push_span(Span::raw(format!(" {what} ")));
    }
    line
}
