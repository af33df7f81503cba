//! The unit tests of the quickstart's judge and of its line protocol.
//!
//! A target of their own, because cargo builds an example either as a test or as a program, and `quickstart.rs` runs the
//! program.
#![expect(dead_code, reason = "the program uses the rest")]

#[path = "../evidence.rs"]
mod evidence;
#[path = "../report.rs"]
mod report;
