//! What keys do.

use crossterm::event::KeyCode;
use shedlock_runtime::RunOutcome;

use super::frames::night;
use super::store::{record, run, snapshot};
use super::{SECOND, control, frame, names, press, selected, showing, types};
use crate::top::app::{App, Effect, Event, View};
use crate::top::deed::Deed;

async fn few() -> App {
    let locks = vec![
        record("a", "web-2", 5, 50),
        record("b", "web-1", 70, 10),
        record("c", "web-1", 20, 0),
    ];
    showing(snapshot(locks, Vec::new()).await)
}

#[tokio::test]
async fn the_program_ends_as_the_user_expects() {
    for quits in [
        |app: &mut App| types(app, "q"),
        |app: &mut App| press(app, KeyCode::Esc),
        |app: &mut App| control(app, 'c'),
    ] {
        assert_eq!(quits(&mut few().await), Some(Effect::Quit));
    }
    let mut app = few().await;
    assert_eq!(control(&mut app, 'z'), Some(Effect::Suspend));
    // Escape leaves one thing after the other.
    types(&mut app, "fa");
    press(&mut app, KeyCode::Enter);
    press(&mut app, KeyCode::Enter);
    assert_eq!(press(&mut app, KeyCode::Esc), None);
    assert_eq!(app.view, View::List);
    assert_eq!(names(&app), ["a"]);
    assert_eq!(press(&mut app, KeyCode::Esc), None);
    assert_eq!(names(&app).len(), 3);
    assert_eq!(press(&mut app, KeyCode::Esc), Some(Effect::Quit));
    // What is typed into a question is no command.
    types(&mut app, "p");
    assert_eq!(types(&mut app, "q?K u"), None);
    assert_eq!(control(&mut app, 'c'), Some(Effect::Quit));
}

#[tokio::test]
async fn the_selection_stays_with_its_lock() {
    let mut app = few().await;
    assert_eq!(selected(&app).as_deref(), Some("a"));
    types(&mut app, "jjjj");
    assert_eq!(selected(&app).as_deref(), Some("c"));
    types(&mut app, "k");
    assert_eq!(selected(&app).as_deref(), Some("b"));
    let more = vec![
        record("0", "web-1", 1, 1),
        record("a", "web-1", 1, 1),
        record("b", "web-1", 1, 1),
    ];
    let read = Event::Read(Ok(snapshot(more, Vec::new()).await));
    app.update(read, SECOND * 2);
    assert_eq!(selected(&app).as_deref(), Some("b"));
    // A lock that the store forgets leaves its place to the next one.
    let fewer = vec![record("0", "web-1", 1, 1)];
    let read = Event::Read(Ok(snapshot(fewer, Vec::new()).await));
    app.update(read, SECOND * 3);
    assert_eq!(selected(&app).as_deref(), Some("0"));
    let none = Event::Read(Ok(snapshot(Vec::new(), Vec::new()).await));
    app.update(none, SECOND * 4);
    assert_eq!(selected(&app), None);
    for keys in ["pKujk", " "] {
        assert_eq!(types(&mut app, keys), None);
    }
}

#[tokio::test]
async fn locks_are_sorted_by_what_the_operator_asks_for() {
    let mut app = few().await;
    let mut orders = Vec::new();
    for _ in 0..6 {
        orders.push(names(&app).join(""));
        types(&mut app, "s");
    }
    // By name, state, time left, time held, holder, and by name again.
    assert_eq!(orders, ["abc", "abc", "bac", "bac", "bac", "abc"]);

    let mut app = showing(night().await);
    types(&mut app, "s");
    assert_eq!(
        names(&app)[..3],
        ["billing:de", "nightly_report", "backup"],
        "what needs a look is first"
    );
}

#[tokio::test]
async fn a_filter_has_words_that_all_match() {
    let mut app = showing(night().await);
    for (filter, expected) in [
        ("BACK", &["backup"][..]),
        ("web-2", &["cleanup", "import"]),
        ("web-2 at_least", &["import"]),
        ("expired", &["nightly_report"]),
        (r"\u{1b}", &["sync-\u{1b}[2J-müller"]),
        ("nothing", &[]),
    ] {
        types(&mut app, "f");
        control(&mut app, 'u');
        types(&mut app, filter);
        assert_eq!(names(&app), expected, "{filter}");
        press(&mut app, KeyCode::Enter);
        assert_eq!(names(&app), expected, "{filter} is kept");
    }
    assert!(frame(&app, 80, 24).contains("no lock has these words"));
    types(&mut app, "f");
    press(&mut app, KeyCode::Backspace);
    press(&mut app, KeyCode::Esc);
    assert_eq!(names(&app).len(), 8);
}

#[tokio::test]
async fn a_frozen_screen_shows_what_it_showed_and_then_the_newest() {
    let mut app = few().await;
    types(&mut app, " ");
    for n in 0..3 {
        let newer = vec![record(&format!("n{n}"), "web-1", 1, 1)];
        let read = Event::Read(Ok(snapshot(newer, Vec::new()).await));
        app.update(read, SECOND * (n + 2));
    }
    assert_eq!(names(&app), ["a", "b", "c"]);
    assert!(frame(&app, 80, 24).contains("FROZEN 3.0s"));
    types(&mut app, " ");
    assert_eq!(names(&app), ["n2"]);
    assert!(frame(&app, 80, 24).contains("live"));
}

#[tokio::test]
async fn the_detail_of_a_lock_stays_with_it_and_can_be_scrolled() {
    let runs = (1..=40).map(|n| run("a", "web-1", n * 60, 5, RunOutcome::Completed));
    let locks = vec![record("a", "web-2", 5, 50), record("b", "web-1", 70, 10)];
    let mut app = showing(snapshot(locks, runs.collect()).await);
    press(&mut app, KeyCode::Enter);
    assert!(frame(&app, 80, 40).contains("Last runs, 1 to"));
    press(&mut app, KeyCode::PageDown);
    types(&mut app, "j");
    assert!(frame(&app, 80, 40).contains("Last runs, 12 to"));
    press(&mut app, KeyCode::End);
    assert!(frame(&app, 80, 40).contains("Last runs, 40 to 40 of 40"));
    press(&mut app, KeyCode::Home);
    // The store forgets the lock, and the keys are not about another one.
    let fewer = vec![record("b", "web-1", 70, 10)];
    let read = Event::Read(Ok(snapshot(fewer, Vec::new()).await));
    app.update(read, SECOND * 2);
    assert!(frame(&app, 80, 24).contains("no record of this lock any more"));
    assert_eq!(types(&mut app, "u"), None);
    assert!(frame(&app, 80, 24).contains("a is not paused"));
    types(&mut app, "p");
    press(&mut app, KeyCode::Enter);
    let Some(Effect::Do(Deed::Pause { lock, .. })) = press(&mut app, KeyCode::Enter) else {
        panic!("a pause");
    };
    assert_eq!(lock, "a");
}
