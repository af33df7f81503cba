//! Accepted uses of `enable_scheduler_lock!`.

pub mod providers;
