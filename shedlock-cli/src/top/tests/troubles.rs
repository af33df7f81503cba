//! A store that fails or is slow, and colours.

use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use shedlock_runtime::InMemoryLockProvider;

use super::frames::night;
use super::store::{record, snapshot};
use super::{SECOND, frame, names, settings, showing};
use crate::top::app::{App, Event};
use crate::top::draw;
use crate::top::reader::Reader;

#[tokio::test]
async fn the_last_frame_stays_with_its_age_while_the_store_fails() {
    let mut app = showing(night().await);
    let failed = || Event::Read(Err("the server cannot be reached".to_owned()));
    app.update(failed(), SECOND * 3);
    app.update(failed(), SECOND * 64);
    app.update(Event::Tick, SECOND * 65);
    let shown = frame(&app, 80, 24);
    assert!(shown.contains("NO ANSWER 1m04s"), "{shown}");
    assert!(shown.contains("! the server cannot be reached"), "{shown}");
    assert!(shown.contains("backup"), "{shown}");

    app.update(Event::Read(Ok(night().await)), SECOND * 66);
    let shown = frame(&app, 80, 24);
    assert!(shown.contains("live"), "{shown}");
    assert!(!shown.contains("cannot be reached"), "{shown}");
}

#[tokio::test]
async fn a_store_that_is_slow_is_no_live_view() {
    let mut app = showing(night().await);
    app.update(Event::Tick, SECOND * 4);
    assert!(frame(&app, 80, 24).contains("live"));
    app.update(Event::Tick, SECOND * 6);
    assert!(frame(&app, 80, 24).contains("WAITING 5.0s"));
}

/// The colour of the first cell that shows `sign`.
fn color_of(app: &App, sign: &str) -> Color {
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let drawn = terminal.draw(|frame| draw::draw(app, frame)).unwrap();
    let cell = drawn
        .buffer
        .content()
        .iter()
        .find(|cell| cell.symbol() == sign);
    cell.expect(sign).fg
}

#[tokio::test]
async fn a_lease_that_nears_its_end_changes_its_colour() {
    for (left, color) in [(21, Color::Green), (19, Color::Yellow), (9, Color::Red)] {
        let lock = record("a", "web-1", 100 - left, left);
        let mut app = App::new(settings(true), "");
        let read = Event::Read(Ok(snapshot(vec![lock], Vec::new()).await));
        app.update(read, SECOND);
        assert_eq!(color_of(&app, "░"), color, "{left} of 100 seconds left");
    }
    // The end of a pause is no danger.
    let lock = record("a", "paused: a release", 99, 1);
    let mut app = App::new(settings(true), "");
    let read = Event::Read(Ok(snapshot(vec![lock], Vec::new()).await));
    app.update(read, SECOND);
    assert_eq!(color_of(&app, "░"), Color::Yellow);
}

#[tokio::test]
async fn without_colours_there_is_none() {
    let app = showing(night().await);
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let drawn = terminal.draw(|frame| draw::draw(&app, frame)).unwrap();
    for cell in drawn.buffer.content() {
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
}

#[tokio::test]
async fn the_reader_reads_again_and_again_and_at_once_when_it_is_told() {
    let store = Arc::new(InMemoryLockProvider::new());
    let (reader, mut read) = Reader::start(store, SECOND / 100);
    for _ in 0..3 {
        read.recv().await.unwrap().unwrap();
    }
    drop(reader);
    let store = Arc::new(InMemoryLockProvider::new());
    let (reader, mut read) = Reader::start(store, SECOND * 3_600);
    read.recv().await.unwrap().unwrap();
    reader.hurry();
    read.recv().await.unwrap().unwrap();
    drop(reader);
    // The task ends with its owner.
    while read.recv().await.is_some() {}
}

#[tokio::test]
async fn a_filter_from_the_command_line_is_there_from_the_beginning() {
    let mut app = App::new(settings(false), "web-2");
    app.update(Event::Read(Ok(night().await)), SECOND);
    assert_eq!(names(&app), ["cleanup", "import"]);
}
