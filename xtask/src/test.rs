//! `cargo xtask test`: sets the machine up, runs every test and counts.
//!
//! A test that has no server to run on reports a line `SKIPPED <test>: <reason>`
//! to the file named by the environment variable `SHEDLOCK_SKIP_LOG`, because
//! libtest swallows what a passing test prints. Here the log is read back:
//! skips are listed by name and counted, and on a CI machine that could have
//! had the server they are failures.

mod report;

use crate::needs::{Missing, Need};
use crate::{debian, needs, process, workspace};
use anyhow::Context;
pub(crate) use report::Report;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Options of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Install nothing; what is missing is skipped
    #[arg(long)]
    no_setup: bool,
    /// Minutes after which the tests are stopped and counted as failed
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    limit: u64,
    /// Arguments for `cargo test` instead of `--workspace`, such as `-p shedlock`
    #[arg(last = true, value_name = "CARGO TEST ARGUMENTS")]
    cargo: Vec<String>,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            no_setup: false,
            limit: 60,
            cargo: Vec::new(),
        }
    }
}

/// Runs the verb; the answer is whether everything passed.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    let report = run_tests(args)?;
    report.print_details();
    println!("{}", report.closing_line());
    Ok(report.passed())
}

/// Sets the machine up and runs the tests, without the closing line.
pub(crate) fn run_tests(args: &Args) -> anyhow::Result<Report> {
    let root = workspace::root()?;
    let missing = set_up(args.no_setup);
    let log = env::temp_dir().join(format!("shedlock-skips-{}.log", std::process::id()));
    fs::write(&log, "").with_context(|| format!("cannot write `{}`", log.display()))?;
    let mut report = Report::default();
    let ended = cargo_test(&root, args, &log, &mut report);
    let skips = fs::read_to_string(&log).unwrap_or_default();
    fs::remove_file(&log).ok();
    report.add_skips(&skips, &not_to_be_skipped(&missing));
    report.add_end(&ended?);
    Ok(report)
}

/// Installs what is missing where that is ours to do; the answer is what is missing still.
pub(crate) fn set_up(no_setup: bool) -> Vec<Missing> {
    let missing = needs::missing();
    if missing.is_empty() {
        return missing;
    }
    if !no_setup && can_install() {
        let names: Vec<_> = missing.iter().map(|missing| missing.need.name).collect();
        println!("==> installing {}", names.join(", "));
        if let Err(error) = debian::install(&missing) {
            eprintln!("error: {error:#}");
        }
    }
    let missing = needs::missing();
    for line in advice(&missing, debian::is_debian()) {
        println!("{line}");
    }
    missing
}

fn can_install() -> bool {
    debian::is_debian() && debian::is_root()
}

/// What is missing and how to get it, for a person to read.
fn advice(missing: &[Missing], debian: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for Missing { need, why } in missing {
        lines.push(format!(
            "missing: {} ({why}); its tests will be skipped",
            need.name
        ));
        if !debian {
            lines.push(format!("  to get it: {}", need.elsewhere));
        }
    }
    if debian && !missing.is_empty() {
        lines.push(format!(
            "  to get all of it, as root: {}",
            debian::install_line(missing)
        ));
    }
    lines
}

fn cargo_test(
    root: &Path,
    args: &Args,
    log: &Path,
    report: &mut Report,
) -> anyhow::Result<process::Ended> {
    let mut command = process::cargo(root);
    command.args(["test", "--locked", "--all-features", "--no-fail-fast"]);
    if args.cargo.is_empty() {
        command.arg("--workspace");
    } else {
        command.args(&args.cargo);
    }
    command.env("SHEDLOCK_SKIP_LOG", log);
    // Most of a conformance case is waiting for a lease to end, so a thread per core would leave the cores idle.
    if env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", "8");
    }
    let limit = Duration::from_secs(args.limit * 60);
    process::run_with_lines(&mut command, limit, &mut |line| {
        // Whoever reads us may have gone; the tests still have to be counted.
        writeln!(io::stdout(), "{line}").ok();
        report.add_line(line);
    })
}

/// What a test may not give as its reason to skip: in CI, all that can be had there.
fn not_to_be_skipped(missing: &[Missing]) -> Vec<&'static Need> {
    let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    // Where we may install, everything can be had, and a failed installation is no excuse.
    let can_be_had = |need: &Need| {
        can_install() || !missing.iter().any(|missing| missing.need.name == need.name)
    };
    needs::NEEDS
        .iter()
        .filter(|need| in_ci && can_be_had(need))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::advice;
    use crate::needs::{Missing, NEEDS};

    #[test]
    fn advice_says_what_is_missing_and_how_to_get_it() {
        let missing = [Missing {
            need: &NEEDS[0],
            why: "no `postgres`".to_owned(),
        }];
        let debian = advice(&missing, true).join("\n");
        assert!(
            debian.contains("missing: PostgreSQL (no `postgres`)"),
            "{debian}"
        );
        assert!(debian.contains("apt-get install -y --no-install-recommends postgresql"));
        let elsewhere = advice(&missing, false).join("\n");
        assert!(elsewhere.contains("brew install"), "{elsewhere}");
        assert!(!elsewhere.contains("apt-get"), "{elsewhere}");
    }

    #[test]
    fn nothing_missing_needs_no_advice() {
        assert!(advice(&[], true).is_empty());
    }
}
