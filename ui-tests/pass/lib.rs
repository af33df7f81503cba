//! What the macros accept: every function shape, under the strictest lints.
//!
//! One situation per file. That this library compiles without a warning is the test; `cargo clippy`
//! reads it too, so the expansions are held to the same lints as hand-written code.

#![deny(warnings, unused_qualifications, let_underscore_drop, unused_lifetimes)]
#![deny(
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::str_to_string,
    clippy::clone_on_ref_ptr
)]

pub mod enable_scheduler_lock;
pub mod lock_assert;
pub mod scheduler_lock;
