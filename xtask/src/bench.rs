//! `cargo xtask bench`: runs the benchmarks, then prints their table.
//!
//! The package of the benchmarks decides what is measured and compared; its program `report` writes the table.

use crate::{process, servers, workspace};
use cargo_metadata::Metadata;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PACKAGE: &str = "shedlock-benches";
const REPORT: &str = "report";

/// What each of the two programs may take.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Runs the verb; the answer is whether everything passed.
pub(crate) fn run() -> anyhow::Result<bool> {
    let root = workspace::root()?;
    servers::set_up(false, false);
    let mut passed = true;
    passed &= process::step("bench", || bounded(&mut cargo_bench(&root))).0;
    if has_report(&workspace::members(&root)?) {
        passed &= process::step("report", || bounded(&mut report(&root))).0;
    }
    Ok(passed)
}

fn bounded(command: &mut Command) -> anyhow::Result<bool> {
    Ok(process::run(command, LIMIT)?.success())
}

fn cargo_bench(root: &Path) -> Command {
    let mut command = process::cargo(root);
    command.args(["bench", "--locked", "-p", PACKAGE, "--benches"]);
    command
}

fn report(root: &Path) -> Command {
    let mut command = process::cargo(root);
    command.args([
        "run",
        "--profile",
        "bench",
        "--locked",
        "-p",
        PACKAGE,
        "--bin",
        REPORT,
    ]);
    command
}

fn has_report(members: &Metadata) -> bool {
    members
        .packages
        .iter()
        .filter(|package| package.name == PACKAGE)
        .flat_map(|package| &package.targets)
        .any(|target| target.is_bin() && target.name == REPORT)
}
