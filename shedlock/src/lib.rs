//! ShedLock for Rust.
