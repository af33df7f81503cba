//! The pages, as HTML that is complete without JavaScript. The script only replaces the parts marked `data-live` by newer ones.

mod commands;
mod lane;
mod layout;
mod list;
mod lock;
mod strip;
mod words;

use axum::response::Html;
use maud::Markup;

use super::deed::Deed;
use super::query::LockQuery;

pub(super) use list::list;
pub(super) use lock::lock;

pub(super) fn html(page: Markup) -> Html<String> {
    Html(page.into_string())
}

/// What the page of a lock says about what was just done with it.
#[derive(Debug, Default)]
pub(super) struct Said {
    done: Option<&'static str>,
    refused: Option<String>,
    deed: Option<Deed>,
    why: String,
    length: String,
}

impl Said {
    /// What was done before the browser was sent here. Only words that are known: anybody can write a query.
    pub(super) fn of(query: &LockQuery) -> Self {
        let done = match query.done.as_str() {
            "paused" => "Paused. A run in progress goes on until its node notices.",
            "resumed" => "Resumed: the next node that asks gets the lock.",
            "was_not_paused" => "The lock was not paused.",
            "released" => "Released. A run in progress goes on until its node notices.",
            "was_free" => "The lock was free already.",
            _ => return Self::default(),
        };
        Self {
            done: Some(done),
            ..Self::default()
        }
    }

    /// What was not done, and what to fill into the form once more.
    pub(super) fn refused(text: String, deed: Deed, why: String, length: String) -> Self {
        Self {
            done: None,
            refused: Some(text),
            deed: Some(deed),
            why,
            length,
        }
    }

    /// Whether this deed was refused.
    fn is_about(&self, deed: Deed) -> bool {
        self.deed == Some(deed)
    }

    /// The value of a field of the form that was refused.
    fn again<'a>(&'a self, deed: Deed, value: &'a str) -> &'a str {
        if self.is_about(deed) { value } else { "" }
    }
}
