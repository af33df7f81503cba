//! The catalogue of faults: each has an id, and each id its test, named after it. `tests/README.md` lists them.
//!
//! Everything is real: processes that are killed and stopped, servers whose clocks step, connections that break. What
//! happened is judged by the state of the store and by a clock that all processes of the machine share.
#![expect(
    clippy::print_stdout,
    reason = "what was measured is shown when a test fails"
)]

mod catalogue;
mod database;
mod futures;
mod holder;
mod network;
mod support;
mod time;
