//! The state without a terminal and a store that can fail, and frames as texts.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use shedlock_dashboard::Snapshot;

use super::app::{App, Effect, Event, Settings};
use super::once;
use crate::view::times::Zone;

mod forms;
mod frames;
mod keys;
mod store;
mod troubles;

const SECOND: Duration = Duration::from_secs(1);

fn settings(has_colors: bool) -> Settings {
    Settings {
        zone: Zone::new(true),
        every: SECOND,
        has_colors,
    }
}

/// A screen that has just shown what the store says.
fn showing(snapshot: Snapshot) -> App {
    let mut app = App::new(settings(false), "");
    assert_eq!(app.update(Event::Read(Ok(snapshot)), SECOND), None);
    app
}

fn press(app: &mut App, code: KeyCode) -> Option<Effect> {
    let key = KeyEvent::new(code, KeyModifiers::NONE);
    let at = app.now;
    app.update(Event::Key(key), at)
}

fn control(app: &mut App, c: char) -> Option<Effect> {
    let key = KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
    let at = app.now;
    app.update(Event::Key(key), at)
}

/// Types each character of `text`, and returns what the last one asked for.
fn types(app: &mut App, text: &str) -> Option<Effect> {
    let mut effect = None;
    for c in text.chars() {
        effect = press(app, KeyCode::Char(c));
    }
    effect
}

fn frame(app: &App, columns: u16, lines: u16) -> String {
    once::frame(app, (columns, lines))
}

/// The names of the locks in the table, from the top.
fn names(app: &App) -> Vec<String> {
    (0..app.table.len())
        .filter_map(|place| app.table.row(place, app.snapshot()))
        .map(|row| row.info.name.clone())
        .collect()
}

fn selected(app: &App) -> Option<String> {
    let row = app.table.selected(app.snapshot())?;
    Some(row.info.name.clone())
}
