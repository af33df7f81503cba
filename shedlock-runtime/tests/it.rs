//! The promises of the runtime that need no store.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod it {
    mod ambiguous;
    mod assert;
    mod claims;
    mod clean_ups;
    mod executor;
    pub(crate) mod expansion;
    mod gate;
    mod guard;
    mod history;
    mod interleaving;
    mod job;
    mod keep_alive;
    mod keep_alive_guard;
    mod messages;
    mod panics;
    mod positions;
    mod record;
    mod record_conflicts;
    mod seams;
    mod testing;
    mod wait;
    mod wrappers;
}
