//! Tests that cannot run on this machine report their name and the reason.
//!
//! The standard test harness has only two outcomes, so a skipped test counts as passed. Three things keep skipped tests visible: each skip
//! prints a line, each skip is appended to the file that `SHEDLOCK_SKIP_LOG` names, and in CI a test fails if its server is missing and one
//! command would install that server.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;

use crate::unavailable::Unavailable;

/// The environment variable with the path of the file to which each skip is appended.
pub const SKIP_LOG: &str = "SHEDLOCK_SKIP_LOG";

/// Reports that `test` does not run on this machine, and why.
///
/// Prints `SKIPPED <test>: <reason>` and appends the same line to the file that the environment variable `SHEDLOCK_SKIP_LOG` names, if the
/// variable is set. The caller must then return from the test; [`skip!`](crate::skip!) reports and returns.
///
/// # Panics
///
/// If the file cannot be written: otherwise the skip would not be counted.
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

/// Reports that `test` does not run because a server is not available on this machine.
///
/// # Panics
///
/// If the environment variable `CI` is set and one command would install the server: in CI, such a missing server is an error.
pub fn skip_unavailable(test: &str, unavailable: &Unavailable) {
    let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(
        !(in_ci && unavailable.installable),
        "{test} must not be skipped in CI: {unavailable}"
    );
    skip(test, &unavailable.to_string());
}

/// Skips the enclosing test: reports the reason and returns from the function.
///
/// The reported name is the path of the enclosing function. Pass another name as the first argument if the path is not clear enough.
///
/// # Examples
///
/// ```no_run
/// fn needs_root() {
///     # let root = false;
///     if !root {
///         shedlock_testkit::skip!("network namespaces need root");
///     }
///     // Code that needs root.
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

/// Evaluates to the started server, or skips the enclosing test if the server is not available.
///
/// The argument is what `start()` or `shared()` of a [server](crate::servers::Server) returned. In CI (the environment variable `CI` is
/// set) the test fails instead of being skipped if one command would install the server.
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

/// The path of the enclosing function, without closures and async blocks.
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
