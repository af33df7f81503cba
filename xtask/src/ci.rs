//! `cargo xtask ci`: everything that must hold before a merge.
//!
//! A failed step does not stop the next steps, so one run reports everything that is wrong. The tests come last, so that their count is the last
//! line.

use crate::{api, lints, package, process, test, tidy, workspace};
use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What one step but the tests may take.
const STEP_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Runs the verb; the answer is whether everything passed.
pub(crate) fn run() -> anyhow::Result<bool> {
    let root = workspace::root()?;
    let mut steps = Vec::new();
    let mut step = |title, action: &dyn Fn() -> anyhow::Result<bool>| {
        let (passed, took) = process::step(title, action);
        steps.push((title, passed, took));
    };
    step("fmt", &|| bounded(&mut fmt(&root)));
    step("clippy", &|| bounded(&mut clippy(&root)));
    step("lints", &lints::run);
    step("doc", &|| bounded(&mut doc(&root)));
    step("api", &|| api::run(&api::Args::default()));
    step("features", &|| features(&root));
    step("tidy", &tidy::run);
    step("package", &package::run);

    let mut tests = test::Report::default();
    let (passed, took) = process::step("test", || {
        tests = test::run_tests(&test::Args::default())?;
        Ok(tests.passed())
    });
    if !passed && tests.passed() {
        tests.add_failed_step("test");
    }

    println!();
    for (title, passed, took) in steps.iter().chain([&("test", passed, took)]) {
        let word = if *passed { "ok" } else { "FAILED" };
        println!("{title:<8} {word:<6} {:>7.1} s", took.as_secs_f64());
    }
    for (title, ..) in steps.iter().filter(|(_, passed, _)| !passed) {
        tests.add_failed_step(title);
    }
    tests.print_details();
    println!("{}", tests.closing_line());
    Ok(tests.passed())
}

fn bounded(command: &mut Command) -> anyhow::Result<bool> {
    let ended = process::run(command, STEP_LIMIT)?;
    if !ended.success() {
        eprintln!("error: {ended}");
    }
    Ok(ended.success())
}

fn fmt(root: &Path) -> Command {
    let mut command = process::cargo(root);
    command.args(["fmt", "--all", "--check"]);
    command
}

fn clippy(root: &Path) -> Command {
    let mut command = process::cargo(root);
    command
        .args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--locked",
        ])
        .args(["--", "-D", "warnings"]);
    command
}

fn doc(root: &Path) -> Command {
    let mut command = process::cargo(root);
    command
        .args([
            "doc",
            "--workspace",
            "--no-deps",
            "--all-features",
            "--locked",
        ])
        .env("RUSTDOCFLAGS", with_flag("RUSTDOCFLAGS", "-D warnings"));
    command
}

/// Checks each feature of each crate on its own: the other steps switch all on at once.
fn features(root: &Path) -> anyhow::Result<bool> {
    let mut all_pass = true;
    for package in workspace::members(root)?.workspace_packages() {
        for feature in package
            .features
            .keys()
            .filter(|feature| *feature != "default")
        {
            let mut command = process::cargo(root);
            command
                .args(["check", "--locked", "--no-default-features"])
                .args(["--package", &package.name, "--features", feature]);
            all_pass &= bounded(&mut command)?;
        }
    }
    Ok(all_pass)
}

/// The variable's value with `flag` behind it.
fn with_flag(variable: &str, flag: &str) -> OsString {
    let mut value = env::var_os(variable).unwrap_or_default();
    if !value.is_empty() {
        value.push(" ");
    }
    value.push(flag);
    value
}
