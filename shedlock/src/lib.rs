#![doc = include_str!("../README.md")]

pub use shedlock_macros::{enable_scheduler_lock, lock_assert, scheduler_lock};
// All of it: a program with a provider or a wrapper of its own needs no second crate.
#[doc(inline)]
pub use shedlock_runtime::*;

#[doc(hidden)]
pub use shedlock_runtime::__private;
