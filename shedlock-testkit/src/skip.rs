//! Skipping out loud: a test that cannot run here says which one and why.
//!
//! The harness of the standard library has no third outcome, so a skipped test counts as passed. What keeps that honest is
//! the line it prints, the log that a build reads afterwards (`SHEDLOCK_SKIP_LOG`), and the rule that in CI a server that
//! can be installed must be there.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;

use crate::unavailable::Unavailable;

/// Names the file to which every skip is appended.
pub const SKIP_LOG: &str = "SHEDLOCK_SKIP_LOG";

/// Reports that `test` does not run here, and why.
///
/// Prints `SKIPPED <test>: <reason>` and appends the same line to the file named by the environment variable
/// `SHEDLOCK_SKIP_LOG`, if it is set. The caller returns from the test afterwards; [`skip!`](crate::skip!) does both.
///
/// # Panics
///
/// When the log cannot be written: a skip that nobody can count would be a silent one.
#[expect(clippy::print_stderr, reason = "the line is this function's purpose")]
pub fn skip(test: &str, reason: &str) {
    // One line per skip, whatever the reason holds: a build counts lines.
    let line = format!("SKIPPED {test}: {}\n", reason.replace('\n', " "));
    eprint!("{line}");
    if let Some(log) = env::var_os(SKIP_LOG) {
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            // One write: tests of several processes share the file.
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            panic!(
                "failed to append to `{SKIP_LOG}` at `{}`: {error}",
                log.display()
            );
        }
    }
}

/// Reports that the server `test` wants cannot be started here.
///
/// # Panics
///
/// In CI (the environment variable `CI` is set) when the server can be had: there, a missing server is a broken build.
pub fn skip_unavailable(test: &str, unavailable: &Unavailable) {
    let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(
        !(in_ci && unavailable.obtainable),
        "{test} must not be skipped in CI: {unavailable}"
    );
    skip(test, &unavailable.to_string());
}

/// Skips the test it stands in: reports the reason and returns.
///
/// The name is the path of the function around it; give one as the first argument where that says too little.
///
/// # Examples
///
/// ```no_run
/// fn needs_root() {
///     # let root = false;
///     if !root {
///         shedlock_testkit::skip!("network namespaces need root");
///     }
///     // What only root can do.
/// }
/// ```
#[macro_export]
macro_rules! skip {
    ($test:expr, $reason:expr) => {{
        $crate::skip::skip(
            ::core::convert::AsRef::<str>::as_ref(&$test),
            ::core::convert::AsRef::<str>::as_ref(&$reason),
        );
        return;
    }};
    ($reason:expr) => {
        $crate::skip!($crate::function_name!(), $reason)
    };
}

/// Gives the started server, or skips the test it stands in.
///
/// Takes what `start()` or `shared()` of a [server](crate::servers::Server) returned. In CI a server that can be
/// installed must be there: the test fails instead of being skipped.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::servers::Postgres;
/// use shedlock_testkit::server_or_skip;
///
/// # async fn works_on_postgres() {
/// let postgres = server_or_skip!(Postgres::shared().await);
/// let url = postgres.fresh_database().await;
/// # }
/// ```
#[macro_export]
macro_rules! server_or_skip {
    ($server:expr) => {
        match $server {
            ::core::result::Result::Ok(server) => server,
            ::core::result::Result::Err(unavailable) => {
                $crate::skip::skip_unavailable($crate::function_name!(), &unavailable);
                return;
            }
        }
    };
}

/// The path of the function it stands in, closures and async blocks left out.
#[doc(hidden)]
#[macro_export]
macro_rules! function_name {
    () => {{
        fn here() {}
        $crate::skip::outer_function(::core::any::type_name_of_val(&here))
    }};
}

#[doc(hidden)]
#[must_use]
pub fn outer_function(path: &'static str) -> &'static str {
    let mut path = path.strip_suffix("::here").unwrap_or(path);
    while let Some(outer) = path.strip_suffix("::{{closure}}") {
        path = outer;
    }
    path
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_name_is_the_test_and_not_what_surrounds_it() {
        let inside = || crate::function_name!();
        assert!(
            inside().ends_with("tests::the_name_is_the_test_and_not_what_surrounds_it"),
            "{}",
            inside()
        );
    }
}
