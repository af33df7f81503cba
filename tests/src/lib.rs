//! What the end to end tests of shedlock share.

pub mod contention;
pub mod fuzz;
pub mod holds;
pub mod jvm;
pub mod pair;

/// The front page's examples, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct FrontPage;
