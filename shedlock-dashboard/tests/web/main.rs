//! The page and its JSON, asked as a program would, and seen by a browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is to fail")]

mod api;
mod bounds;
mod browser;
mod deeds;
mod pages;
mod scene;
mod states;
mod support;
mod walk;
