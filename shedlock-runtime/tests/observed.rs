//! What can be seen of a lock from outside: log lines, spans, listeners, metrics.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod observed {
    mod ahead;
    mod capture;
    #[path = "../it/expansion.rs"]
    mod expansion;
    mod lines;
    mod listeners;
    #[cfg(feature = "metrics")]
    mod meters;
    mod odd_names;
    #[cfg(feature = "metrics")]
    mod prometheus;
    mod spans;
    mod store;
    mod stuck;
    mod wait;
    mod wire;
}
