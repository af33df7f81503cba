//! Runnable examples of shedlock.
//!
//! Run one with `cargo run --example <name>` from the root of the repository.
//!
//! | name | shows |
//! |---|---|
//! | `quickstart` | three processes, one job, one SQLite file; one process dies with the lock |
//! | `axum_and_cron` | a web service whose replicas share a cron job through PostgreSQL |
//! | `testing_a_locked_job` | unit tests of a locked function |
//! | `guard_by_hand` | a lock without the attribute |
//! | `several_providers` | jobs of one program in different stores |
//! | `write_your_own_provider` | a provider for a store that compares and swaps, and its conformance tests |
