//! The list of locks, with a lane for each.

use std::collections::BTreeSet;

use maud::{Markup, html};
use shedlock_runtime::{printable, short_duration};

use super::lane::{self, Axis};
use super::layout::{self, glyph};
use super::strip;
use super::words::{number, state};
use crate::web::query::{ListQuery, SORTS, STATES, Selected, WINDOWS, encoded_name};
use crate::web::reader::View;
use crate::web::site::Site;
use crate::web::skips::Skip;
use crate::{LockRow, LockState, Snapshot, Warning, WarningKind};

/// How many warnings the page lists.
const WARNINGS: usize = 12;
/// How many holders the legend names.
const HOLDERS: usize = 16;

pub(in crate::web) fn list(site: &Site, view: &View, query: &ListQuery) -> Markup {
    let content = html! {
        section #warnings data-live="" aria-label="Warnings" {
            @if let Some(snapshot) = &view.snapshot { (warnings(&snapshot.warnings)) }
        }
        (filter(query))
        (layout::paints())
        section #locks data-live="" aria-label="Locks" {
            @if let Some(snapshot) = &view.snapshot { (locks(site, snapshot, query)) }
        }
    };
    let title = match &view.snapshot {
        Some(snapshot) => format!("{} held · {}", held(snapshot), site.title),
        None => site.title.clone(),
    };
    layout::page(site, view, &title, &content)
}

fn held(snapshot: &Snapshot) -> String {
    let held = snapshot.locks.iter();
    number(held.filter(|row| row.state == LockState::Held).count())
}

/// The warnings, each with a link to its lock.
pub(super) fn warnings(warnings: &[Warning]) -> Markup {
    if warnings.is_empty() {
        return html! {};
    }
    html! {
        h2 { (number(warnings.len())) @if warnings.len() == 1 { " warning" } @else { " warnings" } }
        ul.warnings {
            @for warning in warnings.iter().take(WARNINGS) {
                li class=(severity(&warning.kind)) {
                    (glyph(if severity(&warning.kind) == "bad" { "#panicked" } else { "#warning" }))
                    @match &warning.lock {
                        Some(lock) => a href={ "lock?" (encoded_name(lock)) } data-key={ "w " (lock) } { (warning) },
                        None => span { (warning) },
                    }
                }
            }
            @if warnings.len() > WARNINGS {
                li.more { "and " (number(warnings.len() - WARNINGS)) " more" }
            }
        }
    }
}

fn severity(kind: &WarningKind) -> &'static str {
    match kind {
        WarningKind::Unreadable { .. }
        | WarningKind::Crashed { .. }
        | WarningKind::HistoryUnreadable { .. } => "bad",
        _ => "odd",
    }
}

/// What is listed. Without the script, the button sends it.
fn filter(query: &ListQuery) -> Markup {
    html! {
        form #filter action="locks" role="search" {
            label.grow { span { "Filter" }
                input #q type="search" name="q" value=(query.q) placeholder="name or holder" autocomplete="off" spellcheck="false" aria-keyshortcuts="/";
            }
            label { span { "State" }
                select name="state" {
                    option value="" { "all" }
                    @for each in STATES {
                        option value=(each.as_str()) selected[query.state() == Some(each)] { (state(each)) }
                    }
                }
            }
            label { span { "Time" }
                select name="window" {
                    @for window in WINDOWS {
                        option value=(window.word) selected[query.window() == window] { (window.word) }
                    }
                }
            }
            @if !query.sort.is_empty() {
                input type="hidden" name="sort" value=(query.sort());
            }
            button { "Show" }
        }
    }
}

fn locks(site: &Site, snapshot: &Snapshot, query: &ListQuery) -> Markup {
    if snapshot.locks.is_empty() {
        return html! {
            div.empty {
                h2 { "No locks yet" }
                p { "The store answers, and has no record of a lock. A lock is listed here once a node has taken it." }
            }
        };
    }
    let selected = query.select(snapshot);
    let axis = Axis::new(snapshot, query.window());
    let names: BTreeSet<&str> = selected
        .rows
        .iter()
        .map(|row| row.info.name.as_str())
        .collect();
    let skips = site.skips.of(|lock| names.contains(lock));
    html! {
        (counts(snapshot, query))
        @if selected.rows.is_empty() {
            div.empty {
                h2 { "No lock matches" }
                p { a href="locks" { "Show all locks" } }
            }
        } @else {
            (table(snapshot, &selected, query, axis, &skips))
            (pages(&selected, query))
            (layout::legend(&holders(&selected), site.skips.are_heard()))
            @if !snapshot.keeps_history {
                p.note { "This store keeps no history of runs: lanes show only who holds a lock now." }
            }
        }
    }
}

/// How many locks are in each state, as filters.
fn counts(snapshot: &Snapshot, query: &ListQuery) -> Markup {
    let of = |wanted: LockState| {
        let all = snapshot.locks.iter();
        all.filter(|row| row.state == wanted).count()
    };
    let only = |wanted: &str| ListQuery {
        state: wanted.to_owned(),
        page: String::new(),
        ..query.clone()
    };
    html! {
        nav.counts aria-label="States" {
            a href={ "locks?" (only("").encoded()) } data-key="count" aria-current=[query.state().is_none().then_some("true")] {
                b { (number(snapshot.locks.len())) } @if snapshot.locks.len() == 1 { " lock" } @else { " locks" }
            }
            @for each in STATES {
                @let count = of(each);
                @if count > 0 || query.state() == Some(each) {
                    a href={ "locks?" (only(each.as_str()).encoded()) } data-key={ "count " (each) }
                        class={ "is-" (each) } aria-current=[(query.state() == Some(each)).then_some("true")] {
                        (glyph(drawing(each))) b { (number(count)) } " " (state(each))
                    }
                }
            }
        }
    }
}

fn table(
    snapshot: &Snapshot,
    selected: &Selected<'_>,
    query: &ListQuery,
    axis: Axis,
    skips: &[Skip],
) -> Markup {
    html! {
        table role="table" {
            caption.quiet { (number(selected.matching)) " locks, " (number(selected.rows.len())) " on this page" }
            thead role="rowgroup" {
                tr role="row" {
                    @for (word, heading) in SORTS {
                        (heading_of(word, heading, query))
                    }
                    th.number scope="col" role="columnheader" { "Token" }
                    @if snapshot.keeps_history { th scope="col" role="columnheader" { "Last runs" } }
                    th.time scope="col" role="columnheader" {
                        span.quiet { "Holders over the last " (short_duration(query.window().length)) }
                        (layout::axis(axis))
                    }
                }
            }
            tbody role="rowgroup" {
                @for row in &selected.rows { (line(snapshot, row, axis, skips)) }
            }
        }
    }
}

fn heading_of(word: &str, heading: &str, query: &ListQuery) -> Markup {
    let is_sorted = query.sort() == word;
    let sorted = ListQuery {
        sort: word.to_owned(),
        page: String::new(),
        ..query.clone()
    };
    let order = if word == "held" {
        "descending"
    } else {
        "ascending"
    };
    html! {
        th scope="col" role="columnheader" aria-sort=[is_sorted.then_some(order)] {
            a href={ "locks?" (sorted.encoded()) } data-key={ "sort " (word) } { (heading) }
        }
    }
}

fn line(snapshot: &Snapshot, row: &LockRow, axis: Axis, skips: &[Skip]) -> Markup {
    let info = &row.info;
    let skips: Vec<Skip> = skips
        .iter()
        .filter(|skip| skip.lock.as_str() == info.name)
        .cloned()
        .collect();
    html! {
        tr role="row" {
            td role="cell" data-label="State" { (state_of(row)) }
            th.name scope="row" role="rowheader" {
                a href={ "lock?" (encoded_name(&info.name)) } data-row="" data-key={ "r " (info.name) } { (printable(&info.name)) }
            }
            td role="cell" data-label="Holder" { (holder(row)) }
            td.number role="cell" data-label="Held for" { @if let Some(held) = row.held_for { (short_duration(held)) } }
            td role="cell" data-label="Lease left" { (strip::lease(row)) }
            td.number role="cell" data-label="Token" { @if let Some(token) = info.fencing_token { (token) } }
            @if snapshot.keeps_history {
                td role="cell" data-label="Last runs" { (strip::of(&row.runs)) }
            }
            td.time role="cell" { (lane::of(row, axis, &skips)) }
        }
    }
}

/// Glyph and word of the state of a lock.
pub(super) fn state_of(row: &LockRow) -> Markup {
    html! {
        span class={ "state is-" (row.state) } { (glyph(drawing(row.state))) (state(row.state)) }
    }
}

/// Who holds the lock.
pub(super) fn holder(row: &LockRow) -> Markup {
    let info = &row.info;
    html! {
        @if info.is_held() && !info.node.is_empty() {
            span.holder title=(info.node) { (layout::swatch(&info.node)) span { (info.node) } }
        } @else if let Some(reason) = info.reason.as_deref().filter(|reason| !reason.is_empty()) {
            span.reason { (printable(reason)) }
        }
    }
}

const fn drawing(state: LockState) -> &'static str {
    match state {
        LockState::Unreadable => "#unreadable",
        LockState::Held => "#held",
        LockState::AtLeast => "#at_least",
        LockState::Paused => "#paused",
        LockState::Expired => "#expired",
        LockState::Free => "#free",
    }
}

fn pages(selected: &Selected<'_>, query: &ListQuery) -> Markup {
    if selected.pages == 1 {
        return html! {};
    }
    let to = |page: usize| {
        let query = ListQuery {
            page: page.to_string(),
            ..query.clone()
        };
        format!("locks?{}", query.encoded())
    };
    html! {
        nav.pages aria-label="Pages" {
            @if selected.page > 1 { a rel="prev" href=(to(selected.page - 1)) data-key="prev" { "Previous" } }
            span { "Page " (number(selected.page)) " of " (number(selected.pages)) }
            @if selected.page < selected.pages { a rel="next" href=(to(selected.page + 1)) data-key="next" { "Next" } }
        }
    }
}

/// The nodes in the lanes of this page.
fn holders<'a>(selected: &Selected<'a>) -> Vec<&'a str> {
    let of = |row: &&'a LockRow| {
        let holds = row.info.is_held().then_some(row.info.node.as_str());
        let ran = row.runs.iter().map(|run| run.node.as_str());
        holds.into_iter().chain(ran).filter(|node| !node.is_empty())
    };
    let all: BTreeSet<&str> = selected.rows.iter().flat_map(of).collect();
    all.into_iter().take(HOLDERS).collect()
}
