//! `torture`.

use nix::sys::signal::Signal;

use crate::support::{Running, Site, until};

fn report(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("one object")
}

#[test]
fn a_store_that_keeps_locks_passes_and_nothing_is_left_in_it() {
    let site = Site::new();
    let shown = site.run([
        "torture",
        "--for",
        "3s",
        "--contenders",
        "6",
        "--locks",
        "2",
        "--json",
    ]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{shown:?}");
    let report = report(&shown.out);
    for promise in ["overlaps", "tokens_not_growing", "lost_early", "unanswered"] {
        assert_eq!(report[promise], 0, "{report}");
    }
    let count = |what: &str| {
        let figures = report["figures"].as_array().unwrap();
        let figure = figures.iter().find(|figure| figure["what"] == what);
        figure.unwrap()["count"].as_u64().unwrap()
    };
    assert!(count("acquired") > 10 && count("refused") > 0, "{report}");
    assert!(count("released") <= count("acquired"), "{report}");
    let listed = site.run(["list", "--csv"]);
    assert_eq!(listed.out.lines().count(), 1, "only the header: {listed:?}");
    let runs = rows_of_history(&site);
    assert_eq!(runs, 0, "a trial is no run");
}

/// How many runs of any lock the user's own file has.
fn rows_of_history(site: &Site) -> usize {
    let file = site.path("state/shedlock/shedlock.db");
    // A table that nobody has asked for yet has no rows either.
    let bytes = std::fs::read(file).expect("the user's own file");
    String::from_utf8_lossy(&bytes).matches("completed").count()
}

#[test]
fn it_is_judged_when_it_is_interrupted() {
    let site = Site::new();
    let running = Running::start(&mut site.command(["torture", "--for", "10m"]));
    until("the contenders compete", || {
        site.run(["list", "--csv"])
            .out
            .contains("shedlock-torture-")
    });
    running.signal(Signal::SIGINT);
    let shown = running.wait();
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("8 contenders for 3 locks"), "{shown:?}");
    assert!(shown.out.contains("PER SECOND"), "{shown:?}");
    assert_eq!(site.run(["list", "--csv"]).out.lines().count(), 1);
}

#[test]
fn a_store_that_is_not_there_is_no_broken_promise() {
    let site = Site::with_store(crate::exit_codes::NOWHERE);
    let shown = site.run(["torture", "--for", "300ms"]);
    assert_eq!(shown.code, 69, "{shown:?}");
    assert_eq!(site.run(["torture", "--contenders", "1"]).code, 64);
}
