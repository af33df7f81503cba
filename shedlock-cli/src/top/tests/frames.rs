//! Whole frames. After a change on purpose: `SHEDLOCK_BLESS=1 cargo test -p shedlock-cli --bin shedlock frames`, and look at the diff.

use std::path::Path;
use std::{env, fs};

use crossterm::event::KeyCode;
use shedlock_dashboard::Snapshot;
use shedlock_runtime::{LockInfo, RunOutcome};

use super::store::{freed, record, run, snapshot};
use super::{SECOND, frame, press, settings, showing, types};
use crate::top::app::{App, Event};

/// Compares the frame with the file of this name.
#[track_caller]
fn assert_frame(app: &App, (columns, lines): (u16, u16), name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/frames")
        .join(format!("{name}-{columns}x{lines}.txt"));
    let drawn = frame(app, columns, lines);
    assert_eq!(drawn.lines().count(), usize::from(lines));
    if env::var_os("SHEDLOCK_BLESS").is_some() {
        fs::write(&path, &drawn).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        drawn == expected,
        "{}:\n{expected}\nis now:\n{drawn}",
        path.display()
    );
}

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

/// The owner of an acquisition as the store has it, and the same after a release.
fn owner(node: &str) -> String {
    format!("{node}#{}", "0".repeat(32))
}

fn released(node: &str) -> String {
    format!("{}000000000003", owner(node))
}

/// One lock in each state, and runs.
pub(super) async fn night() -> Snapshot {
    use RunOutcome::{Completed, Crashed, Failed, ShutDown};
    let paused = record("archive", "paused: moving the mail server", 600, 3_000);
    let position = |lock: LockInfo| lock.with_problem("the end of the lease is NULL");
    let broken = position(freed("billing:de", &released("web-3"), 60));
    let locks = vec![
        paused,
        record("backup", &owner("web-1"), 742, 4_658),
        broken,
        record("cleanup", &owner("web-2"), 55, 5),
        record("import", &released("web-2"), 30, 570),
        freed("mail", &released("web-1"), 600),
        freed("nightly_report", &owner("web-4"), 840),
        record("sync-\u{1b}[2J-müller", "app.example", 12, 48),
    ];
    let mut runs = Vec::new();
    for n in 1..12 {
        let outcome = match n {
            3 => Failed,
            6 => ShutDown,
            _ => Completed,
        };
        let node = if n % 3 == 0 { "web-2" } else { "web-1" };
        runs.push(run("mail", node, 60 + n * 600, 20 * n, outcome));
        runs.push(run("backup", node, n * 1_800, 240, Completed));
    }
    runs.push(run("cleanup", "web-2", 300, 60, Crashed));
    runs.push(run("cleanup", "web-1", 200, 9, Failed).with_error("disk full"));
    runs.push(run("import", "web-2", 30, 4, Completed));
    snapshot(locks, runs).await
}

#[tokio::test]
async fn a_night_with_a_lock_in_each_state() {
    let app = showing(night().await);
    for size in SIZES {
        assert_frame(&app, size, "night");
    }
}

#[tokio::test]
async fn the_readme_shows_this_frame() {
    let readme = include_str!("../../../README.md");
    let shown = readme.split("```text\n").nth(1).expect("a frame");
    let shown = shown.split("```").next().unwrap();
    let drawn = frame(&showing(night().await), 80, 18);
    if env::var_os("SHEDLOCK_BLESS").is_some() {
        let block = |frame: &str| format!("```text\n{frame}```");
        let readme = readme.replacen(&block(shown), &block(&drawn), 1);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        return fs::write(path, readme).unwrap();
    }
    assert!(
        shown == drawn,
        "README.md has:\n{shown}\nbut it is:\n{drawn}"
    );
}

#[tokio::test]
async fn an_empty_store() {
    let app = showing(snapshot(Vec::new(), Vec::new()).await);
    assert_frame(&app, SIZES[0], "empty");
}

#[tokio::test]
async fn a_lock_in_detail() {
    for (name, steps) in [("backup", 1), ("mail", 5), ("import", 4)] {
        let mut app = showing(night().await);
        for _ in 0..steps {
            press(&mut app, KeyCode::Down);
        }
        press(&mut app, KeyCode::Enter);
        for size in SIZES {
            assert_frame(&app, size, &format!("detail-{name}"));
        }
    }
}

#[tokio::test]
async fn questions_are_asked_above_the_table() {
    let mut app = showing(night().await);
    press(&mut app, KeyCode::Down);
    types(&mut app, "p");
    assert_frame(&app, SIZES[0], "pause");
    press(&mut app, KeyCode::Esc);
    types(&mut app, "Kbackup");
    press(&mut app, KeyCode::Enter);
    types(&mut app, "web-1 is on fire");
    assert_frame(&app, SIZES[0], "release");
    press(&mut app, KeyCode::Esc);
    types(&mut app, "fweb-2");
    assert_frame(&app, SIZES[0], "filter");
    press(&mut app, KeyCode::Enter);
    types(&mut app, "?");
    assert_frame(&app, SIZES[0], "help");
}

#[tokio::test]
async fn a_store_that_cannot_be_reached() {
    let failure = "cannot list the locks in postgres: the server cannot be reached; see whether it runs and which network it is in";
    let failed = || Event::Read(Err(failure.to_owned()));
    let mut app = App::new(settings(false), "");
    assert_frame(&app, SIZES[0], "waiting");
    app.update(failed(), SECOND * 5);
    assert_frame(&app, SIZES[0], "unreachable");

    let mut app = showing(night().await);
    app.update(failed(), SECOND * 43);
    assert_frame(&app, SIZES[0], "lost");
}

#[tokio::test]
async fn a_terminal_of_any_size_gets_what_fits() {
    let mut app = showing(night().await);
    assert_frame(&app, (60, 16), "night");
    assert_frame(&app, (30, 12), "night");
    for columns in [1, 2, 7, 20, 49, 75, 76, 117, 118, 500] {
        for lines in [1, 2, 3, 5, 9, 80] {
            for keys in ["", "p", "?"] {
                types(&mut app, keys);
                frame(&app, columns, lines);
                press(&mut app, KeyCode::Esc);
            }
            press(&mut app, KeyCode::Enter);
            frame(&app, columns, lines);
            press(&mut app, KeyCode::Esc);
        }
    }
}

#[tokio::test]
async fn wide_characters_keep_the_columns_straight() {
    let locks = vec![
        record(
            "夜間バッチ処理と月次報告書の作成",
            &owner("サーバー一号機の二"),
            60,
            60,
        ),
        record("plain", &owner("web-1"), 60, 60),
    ];
    assert_frame(
        &showing(snapshot(locks, Vec::new()).await),
        (80, 10),
        "wide",
    );
}

#[tokio::test]
async fn many_locks_are_drawn_as_fast_as_few() {
    let locks: Vec<_> = (0..10_000)
        .map(|n| record(&format!("job-{n:05}"), &owner("web-1"), n % 90, n % 77))
        .collect();
    let mut app = showing(snapshot(locks, Vec::new()).await);
    press(&mut app, KeyCode::End);
    let shown = frame(&app, 80, 24);
    assert!(shown.contains("job-09999"), "{shown}");
    assert!(shown.contains("10000 of 10000"), "{shown}");
    // Only the locks on the screen are drawn: a hundred frames are no work, also in a debug build on a slow machine.
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        press(&mut app, KeyCode::PageUp);
        frame(&app, 80, 24);
    }
    assert!(begun.elapsed() < SECOND * 10, "{:?}", begun.elapsed());
}
