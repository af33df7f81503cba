//! One lock: what its record says, what ran, and what an operator can do.

use std::time::SystemTime;

use maud::{Markup, html};
use shedlock_runtime::{LockInfo, RunRecord, printable, short_duration};

use super::layout::glyph;
use super::list::{holder, state_of, warnings};
use super::words::{outcome, quality, time};
use super::{Said, commands, lane, layout, strip};
use crate::web::deed::Deed;
use crate::web::query::{LockQuery, WINDOWS, Window, encoded_name};
use crate::web::reader::View;
use crate::web::site::Site;
use crate::web::skips::Skip;
use crate::{LockRow, LockState, Snapshot};

/// How many skips the page lists.
const SKIPS: usize = 20;

pub(in crate::web) fn lock(site: &Site, view: &View, query: &LockQuery, said: &Said) -> Markup {
    let name = printable(&query.name);
    let row = view.snapshot.as_deref().and_then(|snapshot| {
        let row = snapshot.lock(&query.name)?;
        Some((snapshot, row))
    });
    let content = html! {
        nav.back { a href="locks" data-back="" { "← All locks" } }
        h2.name #lock-name { (name) }
        @if let Some(done) = said.done {
            p.done role="status" { (glyph("#completed")) (done) }
        }
        @if let Some(refused) = &said.refused {
            p.refused role="alert" { (glyph("#panicked")) (printable(refused)) }
        }
        (layout::paints())
        div #lock data-live="" {
            @match row {
                Some((snapshot, row)) => (facts(site, snapshot, row, query)),
                None if view.snapshot.is_some() => p { "The store has no record of this lock." },
                None => {}
            }
        }
        @if let Some((_, row)) = row {
            section.side aria-label="What to do" {
                (deeds(site, row, query, said))
                h3 { "In a terminal" }
                (commands::of(row))
            }
        }
    };
    layout::page(site, view, &format!("{name} · {}", site.title), &content)
}

fn facts(site: &Site, snapshot: &Snapshot, row: &LockRow, query: &LockQuery) -> Markup {
    let window = Window::from_word(&query.window);
    let axis = lane::Axis::new(snapshot, window);
    let skips = site.skips.of(|lock| lock == row.info.name);
    let its_own: Vec<_> = snapshot
        .warnings
        .iter()
        .filter(|warning| warning.lock.as_deref() == Some(&row.info.name))
        .cloned()
        .collect();
    html! {
        (warnings(&its_own))
        (record(row, axis.now))
        section aria-label="Holders over time" {
            nav.counts aria-label="Time" {
                @for each in WINDOWS {
                    a href={ "lock?" (encoded_name(&row.info.name)) "&window=" (each.word) } data-key=(each.word)
                        aria-current=[(each == window).then_some("true")] { (each.word) }
                }
            }
            div.wide { (layout::axis(axis)) (lane::of(row, axis, &skips)) }
            (layout::legend(&nodes(row), site.skips.are_heard()))
        }
        (runs(snapshot, row, axis.now))
        @if site.skips.are_heard() { (skipped(&skips, axis.now)) }
    }
}

fn record(row: &LockRow, now: SystemTime) -> Markup {
    let info: &LockInfo = &row.info;
    html! {
        dl.record {
            div { dt { "State" } dd { (state_of(row)) } }
            @if let Some(problem) = &info.problem { div.broad { dt { "Problem" } dd { (printable(problem)) } } }
            @if info.is_held() && !info.node.is_empty() { div { dt { "Holder" } dd { (holder(row)) } } }
            @if let Some(since) = info.since {
                div { dt { @if info.is_held() { "Since" } @else { "Last taken" } } dd { (time(since, now)) } }
            }
            @if let Some(held) = row.held_for { div { dt { "Held for" } dd { (short_duration(held)) } } }
            @if info.is_held() { div { dt { "Lease left" } dd { (strip::lease(row)) } } }
            @if let Some(until) = info.until {
                div { dt { @if info.is_held() { "Until" } @else { "Free since" } } dd { (time(until, now)) } }
            }
            @if let Some(token) = info.fencing_token { div { dt { "Token" } dd { (token) } } }
            @if let Some(position) = info.position { div { dt { "Position" } dd { (position) } } }
            @if let Some(reason) = info.reason.as_deref().filter(|reason| !reason.is_empty()) {
                div.broad { dt { "Reason" } dd { (printable(reason)) } }
            }
        }
    }
}

fn runs(snapshot: &Snapshot, row: &LockRow, now: SystemTime) -> Markup {
    html! {
        h3 { "Last runs" }
        @if !snapshot.keeps_history {
            p.note { "This store keeps no history of runs." }
        } @else if row.runs.is_empty() {
            p.note { "No runs known. Those of nodes on the JVM are not in the history." }
        } @else {
            table.history role="table" {
                thead role="rowgroup" {
                    tr role="row" {
                        @for heading in ["Began", "Took", "Outcome", "Node", "Token", "Error"] {
                            th.number[matches!(heading, "Took" | "Token")] scope="col" role="columnheader" { (heading) }
                        }
                    }
                }
                tbody role="rowgroup" { @for run in row.runs.iter() { (run_line(run, now)) } }
            }
        }
    }
}

fn run_line(run: &RunRecord, now: SystemTime) -> Markup {
    html! {
        tr role="row" {
            td role="cell" data-label="Began" { (time(run.began, now)) }
            td.number role="cell" data-label="Took" { (short_duration(run.took())) }
            td role="cell" data-label="Outcome" {
                span class={ "state " (quality(run.outcome)) } { (glyph(strip::mark(run.outcome))) (outcome(run.outcome)) }
            }
            td role="cell" data-label="Node" { span.holder { (layout::swatch(&run.node)) span { (run.node) } } }
            td.number role="cell" data-label="Token" { @if let Some(token) = run.fencing_token { (token) } }
            td.error role="cell" data-label="Error" { @if let Some(error) = &run.error { (error) } }
        }
    }
}

fn skipped(skips: &[Skip], now: SystemTime) -> Markup {
    html! {
        h3 { "Skipped by this process" }
        @if skips.is_empty() {
            p.note { "Not since this process began. Skips of other processes are not known here." }
        } @else {
            ul.skips {
                @for skip in skips.iter().take(SKIPS) {
                    li { (time(skip.at, now)) " " (skip.reason)
                        @if let Some(holder) = &skip.holder { " by " (printable(holder)) }
                    }
                }
            }
            @if skips.len() > SKIPS { p.note { (skips.len()) " in all." } }
        }
    }
}

/// The forms, if the dashboard has operators.
fn deeds(site: &Site, row: &LockRow, query: &LockQuery, said: &Said) -> Markup {
    if site.operators.are_none() {
        return html! { p.note { "This page is read-only: it has no operators." } };
    }
    let to = format!("lock?{}", encoded_name(&query.name));
    let is_paused = row.state == LockState::Paused;
    html! {
        h3 { "Change" }
        @if is_paused {
            (form(&to, Deed::Resume, "Resume", &html! {
                (why(Deed::Resume, said))
            }, said))
        } @else {
            (form(&to, Deed::Pause, "Pause", &html! {
                p { "Every node skips the lock. A run in progress goes on, and has lost its lock." }
                label { span { "For how long" }
                    input name="for" required value=(again_or(said.again(Deed::Pause, &said.length), "2h")) autocomplete="off";
                }
                (why(Deed::Pause, said))
            }, said))
        }
        @if row.info.is_held() {
            (form(&to, Deed::Release, "Release by force", &html! {
                p { "Frees the lock, whoever holds it. The holder is not asked: what it runs goes on beside the next run." }
                label { span { "The name of the lock, to confirm" }
                    input name="confirm" required autocomplete="off" spellcheck="false";
                }
                (why(Deed::Release, said))
            }, said))
        }
    }
}

fn form(to: &str, deed: Deed, title: &str, fields: &Markup, said: &Said) -> Markup {
    html! {
        details.deed open[said.is_about(deed)] {
            summary { (title) "…" }
            form method="post" action=(to) {
                input type="hidden" name="deed" value=(deed.word());
                (fields)
                label { span { "Your token" }
                    input name="token" type="password" required autocomplete="current-password";
                }
                button class=[(deed == Deed::Release).then_some("danger")] { (title) }
            }
        }
    }
}

fn why(deed: Deed, said: &Said) -> Markup {
    html! {
        label { span { "Why" }
            input name="why" required maxlength="150" value=(said.again(deed, &said.why)) autocomplete="off";
        }
    }
}

fn again_or<'a>(again: &'a str, otherwise: &'a str) -> &'a str {
    if again.is_empty() { otherwise } else { again }
}

/// The nodes in the lane.
fn nodes(row: &LockRow) -> Vec<&str> {
    let held = row.info.is_held() && !row.info.node.is_empty();
    let holds = held.then_some(row.info.node.as_str());
    let ran = row.runs.iter().map(|run| run.node.as_str());
    let all: std::collections::BTreeSet<&str> = holds.into_iter().chain(ran).collect();
    all.into_iter().collect()
}
