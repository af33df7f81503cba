//! What the end to end tests of shedlock share.

pub mod contention;
pub mod holds;
pub mod jvm;
