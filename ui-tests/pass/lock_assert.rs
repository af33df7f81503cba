//! Accepted uses of `lock_assert!`.

pub mod forms;
