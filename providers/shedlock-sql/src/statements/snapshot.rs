//! Compares the texts that servers receive with the files in `texts/`, so that the effect of a change in `sql/` is visible in a diff.
//!
//! `SHEDLOCK_BLESS=1 cargo test -p shedlock-sql` rewrites the files.

use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::names::DEFAULT_HISTORY_TABLE;
use crate::schema::Inspection;

/// Every text for one dialect, for each session and each clock.
fn texts(dialect: Dialect) -> String {
    let names = Names::shedlock(dialect);
    let mut texts = String::new();
    for (session, clock) in [
        (Session::Own, LockClock::Database),
        (Session::Shared, LockClock::Client),
    ] {
        let statements = Statements::new(&names, clock, session);
        for (name, statement) in labelled(&statements) {
            let (params, text) = (statement.params(), statement.text());
            let _ = writeln!(
                texts,
                "## {session:?} session, {clock:?} clock: {name}\n{params:?}\n{text}\n"
            );
        }
    }
    let zones = ["utc".to_owned(), "gmt".to_owned()];
    let with_zones = Statements::in_zone(&names, LockClock::Database, Session::Shared, &zones);
    for (name, statement) in [
        ("release", &with_zones.release),
        ("fence", &with_zones.transaction.fence),
    ] {
        let text = statement.text();
        let _ = writeln!(texts, "## Times that depend on the zone: {name}\n{text}\n");
    }
    let runs = Names::history(dialect, DEFAULT_HISTORY_TABLE).unwrap();
    for session in [Session::Own, Session::Shared] {
        let statements = HistoryStatements::new(&runs, session);
        let mut all = vec![("append", &statements.append), ("read", &statements.read)];
        for (name, deletion) in [("old", &statements.old), ("surplus", &statements.surplus)] {
            match deletion {
                Deletion::Direct(delete) => all.push((name, delete)),
                Deletion::ByKeys { find, delete } => all.extend([(name, find), (name, delete)]),
            }
        }
        for (name, statement) in all {
            let (params, text) = (statement.params(), statement.text());
            let _ = writeln!(
                texts,
                "## {session:?} session: {name} runs\n{params:?}\n{text}\n"
            );
        }
    }
    for probe in runs.history_probes() {
        let _ = writeln!(texts, "## Check of the history\n{probe}\n");
    }
    let asked = Inspection::from_names(&names);
    for text in [Some(asked.catalogue), asked.mixing, asked.definition]
        .into_iter()
        .flatten()
    {
        let _ = writeln!(texts, "## Inspection\n{text}\n");
    }
    let _ = writeln!(texts, "## Schema\n{}\n", names.find_schema());
    let _ = writeln!(texts, "## Table\n{}\n", names.ddl());
    let _ = writeln!(texts, "## Table of the history\n{}", runs.ddl());
    texts
}

fn labelled(all: &Statements) -> [(&'static str, &Statement); 32] {
    let admin = &all.admin;
    [
        (
            "acquire, with token, first",
            all.acquire(TokenColumn::Present, Sending::First),
        ),
        (
            "acquire, with token, repeated",
            all.acquire(TokenColumn::Present, Sending::Repeated),
        ),
        (
            "acquire, with token, taking",
            all.acquire(TokenColumn::Present, Sending::Taking),
        ),
        (
            "acquire, without token, first",
            all.acquire(TokenColumn::Missing, Sending::First),
        ),
        (
            "acquire, without token, repeated",
            all.acquire(TokenColumn::Missing, Sending::Repeated),
        ),
        (
            "acquire, for a slot, first",
            all.acquire_position(PositionKind::Slot, Sending::First),
        ),
        (
            "acquire, for an instant, repeated",
            all.acquire_position(PositionKind::Instant, Sending::Repeated),
        ),
        (
            "acquire, for a step, first",
            all.acquire_position(PositionKind::Step, Sending::First),
        ),
        (
            "acquire, for a step, repeated",
            all.acquire_position(PositionKind::Step, Sending::Repeated),
        ),
        ("position", &all.position),
        ("extend", &all.extend),
        ("release", &all.release),
        ("release, done", &all.release_done),
        ("release, unused", &all.release_unused),
        ("complete, in a transaction", &all.transaction.complete),
        ("fence, in a transaction", &all.transaction.fence),
        ("row, in a transaction", &all.transaction.row),
        ("holder, with token", all.holder(TokenColumn::Present)),
        ("holder, without token", all.holder(TokenColumn::Missing)),
        ("probe", &all.probe),
        ("suspicious row", &all.suspicious_row),
        ("list, with token", admin.read_all(TokenColumn::Present)),
        ("list, without token", admin.read_all(TokenColumn::Missing)),
        ("get, with token", admin.read_one(TokenColumn::Present)),
        ("get, without token", admin.read_one(TokenColumn::Missing)),
        ("get, with position", &admin.read_position),
        ("list, with positions", &admin.read_all_positions),
        ("pause, with token", admin.pause(TokenColumn::Present)),
        ("pause, without token", admin.pause(TokenColumn::Missing)),
        ("force release", &admin.force_release),
        ("resume", &admin.resume),
        ("prune", &admin.prune),
    ]
}

#[test]
fn the_texts_are_as_kept() {
    for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("texts/{dialect}.txt"));
        let texts = texts(dialect);
        if std::env::var_os("SHEDLOCK_BLESS").is_some() {
            std::fs::write(&file, &texts).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap();
        for (at, (text, kept)) in texts.lines().zip(kept.lines()).enumerate() {
            assert_eq!(text, kept, "line {} of {}", at + 1, file.display());
        }
        assert_eq!(texts.lines().count(), kept.lines().count(), "{dialect}");
    }
}
