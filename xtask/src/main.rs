//! The project's build tasks, run as `cargo xtask <verb>`: one file per verb.
//!
//! What the tests need of the machine is in [`servers`]; how a child process is
//! run, bounded and reported is in [`process`].
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user on stdout and stderr"
)]

mod api;
mod bench;
mod ci;
mod lints;
mod package;
mod process;
mod servers;
mod sizes;
mod test;
mod tidy;
mod workspace;

use clap::Parser;
use std::process::ExitCode;

/// Tasks of the ShedLock for Rust workspace.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
enum Verb {
    /// Set the machine up and run every test of the workspace
    Test(test::Args),
    /// Everything that must hold before a merge: fmt, clippy, lints, doc, api, tidy, package, test
    Ci,
    /// Check the rules no compiler knows: imports, provider template, manifests, docs, sizes
    Tidy,
    /// Check the crates as they would be uploaded
    Package,
    /// Compare the public surface of the published crates with the folder api
    Api(api::Args),
    /// Lint the programs of ui-tests/pass with everything on: the macros add nothing
    Lints,
    /// List the servers and programs that the tests can use, and install them
    Servers(servers::Args),
    /// Run the benchmarks and print their table
    Bench,
    /// Count the crates of a user's build with each provider, and its processor time
    Sizes(sizes::Args),
}

fn main() -> ExitCode {
    if let Some(code) = api::stand_in_for_rustdoc() {
        return code;
    }
    let done = match Verb::parse() {
        Verb::Test(args) => test::run(&args),
        Verb::Ci => ci::run(),
        Verb::Api(args) => api::run(&args),
        Verb::Package => package::run(),
        Verb::Tidy => tidy::run(),
        Verb::Lints => lints::run(),
        Verb::Servers(args) => servers::run(&args),
        Verb::Bench => bench::run(),
        Verb::Sizes(args) => sizes::run(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
