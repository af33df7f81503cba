//! What all pages have: head, header, help and the drawings that the lanes use.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use shedlock_runtime::short_duration;

use super::lane::{Axis, COLOURS, Paint};
use super::words::time;
use crate::web::reader::View;
use crate::web::site::Site;
use crate::{ClockDifference, Snapshot};

/// Marks and patterns, each drawn once.
const DRAWINGS: &str = include_str!("../../assets/drawings.svg");

/// A page around its content.
pub(super) fn page(site: &Site, view: &View, title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" type="image/svg+xml" href="icon.svg";
                link rel="stylesheet" href="dashboard.css";
                script src="dashboard.js" defer {}
            }
            body {
                a.jump href="#main" { "To the locks" }
                header {
                    a.home href="locks" {
                        (glyph("#logo"))
                        h1 { (site.title) }
                    }
                    div.facts #facts data-live="" { (facts(view)) }
                    div.live {
                        span #live role="status" {}
                        button #pause type="button" aria-pressed="false" hidden { "Pause updates" }
                        button #keys type="button" hidden { "Keys" }
                    }
                }
                (PreEscaped(DRAWINGS))
                main #main {
                    div #trouble data-live="" { (trouble(site, view)) }
                    (content)
                }
                (help())
            }
        }
    }
}

fn facts(view: &View) -> Markup {
    let Some(snapshot) = &view.snapshot else {
        return html! {};
    };
    html! {
        span { b { (snapshot.provider) } " seen by " b { (snapshot.node) } }
        span { "read at " (time(snapshot.read_at, snapshot.read_at)) " in " (short_duration(snapshot.round_trip)) }
        @if let Some(clock) = clock(snapshot) {
            span { (clock) }
        }
    }
}

fn clock(snapshot: &Snapshot) -> Option<String> {
    Some(match snapshot.clock_difference? {
        ClockDifference::Ahead(by) | ClockDifference::Behind(by) if by.as_millis() == 0 => {
            "the clocks agree".to_owned()
        }
        ClockDifference::Ahead(by) => format!("the store's clock is {} ahead", short_duration(by)),
        ClockDifference::Behind(by) => {
            format!("the store's clock is {} behind", short_duration(by))
        }
    })
}

/// What keeps the page from being fresh.
fn trouble(site: &Site, view: &View) -> Markup {
    let is_old = view.age() > site.refresh * 5;
    if view.failure.is_none() && view.snapshot.is_some() && !is_old {
        return html! {};
    }
    html! {
        div.trouble role="alert" {
            (glyph("#panicked"))
            div {
                strong {
                    @if view.snapshot.is_some() {
                        "The store does not answer. What you see is " (short_duration(view.age())) " old."
                    } @else if view.failure.is_some() {
                        "The store cannot be read."
                    } @else {
                        "The store has not answered yet."
                    }
                }
                @if let Some(failure) = &view.failure {
                    p { (failure) }
                }
            }
        }
    }
}

/// One of the drawings, the size of a letter.
pub(super) fn glyph(drawing: &str) -> Markup {
    html! { svg.glyph width="14" height="14" aria-hidden="true" { use href=(drawing) width="14" height="14" {} } }
}

/// A small block in the colour of a holder.
pub(super) fn swatch(node: &str) -> Markup {
    html! {
        svg.swatch width="14" height="14" aria-hidden="true" {
            rect fill=(Paint::of(node).fill()) width="14" height="14" rx="3" {}
        }
    }
}

/// The patterns of the holders' colours. The colours are in the style sheet.
pub(super) fn paints() -> Markup {
    html! {
        svg.paints width="0" height="0" aria-hidden="true" {
            defs {
                @for colour in 0..COLOURS {
                    pattern id={ "plain" (colour) } width="8" height="8" patternUnits="userSpaceOnUse" {
                        rect class={ "h" (colour) } width="8" height="8" {}
                    }
                    pattern id={ "stripe" (colour) } width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)" {
                        rect class={ "h" (colour) } width="6" height="6" {}
                        rect.gap width="2" height="6" {}
                    }
                }
            }
        }
    }
}

/// What the drawings mean.
pub(super) fn legend(nodes: &[&str], hears_skips: bool) -> Markup {
    html! {
        div.legend {
            @for node in nodes {
                span { (swatch(node)) (node) }
            }
            span { svg.swatch width="14" height="14" aria-hidden="true" { rect.left x="1" y="1" width="12" height="12" {} } "lease left" }
            span { svg.swatch width="14" height="14" aria-hidden="true" { rect.kept fill="url(#hatch)" width="14" height="14" {} } "at_least or paused" }
            span { svg.swatch width="14" height="14" aria-hidden="true" { rect.edge x="5" width="3" height="14" {} } "the lease ended before the run" }
            span { svg.swatch width="14" height="14" aria-hidden="true" { use.takeover href="#takeover" x="5" y="2" width="10" height="10" {} } "taken over" }
            @if hears_skips {
                span { svg.swatch width="14" height="14" aria-hidden="true" { circle.skip cx="7" cy="7" r="3" {} } "skipped by this process; skips of other processes are not known here" }
            }
        }
    }
}

/// The heading of the lanes.
pub(super) fn axis(axis: Axis) -> Markup {
    axis.marks()
}

fn help() -> Markup {
    let keys = [
        ("/", "filter the locks"),
        ("↓ ↑", "go to the next or previous lock"),
        ("Enter", "open the lock"),
        ("p", "pause or go on with updates"),
        ("Escape", "clear the filter, or back to the list"),
        ("?", "these keys"),
    ];
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keys" }
            dl {
                @for (key, what) in keys {
                    div { dt { kbd { (key) } } dd { (what) } }
                }
            }
            form method="dialog" { button { "Close" } }
        }
    }
}
