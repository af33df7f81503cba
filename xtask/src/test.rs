//! `cargo xtask test`: sets the machine up, runs every test and counts.
//!
//! A test that has no server to run on reports a line `SKIPPED <test>: <reason>`
//! to the file named by the environment variable `SHEDLOCK_SKIP_LOG`, because
//! libtest hides the output of a passing test. Here the log is read back:
//! skips are listed by name and counted, and on a CI machine that could have
//! had the server they are failures.

mod programs;
mod report;
mod reruns;
mod schedule;

use crate::servers::{self, Missing, Need};
use crate::workspace;
use anyhow::Context;
use programs::Asked;
pub(crate) use report::Report;
use schedule::Done;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Minutes: twice the time of the slowest test program on a busy machine.
const LIMIT: u64 = 20;

/// Enough to keep two cores busy: tests spend most of their time waiting for leases to end.
const AT_ONCE: usize = 3;

/// How many of the slowest programs are listed.
const SLOWEST: usize = 10;

/// Options of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Install nothing; what is missing is skipped
    #[arg(long)]
    no_setup: bool,
    /// Also the servers that have to be built from source, which takes minutes
    #[arg(long)]
    all_servers: bool,
    /// Minutes after which a test program is stopped and counted as failed
    #[arg(long, value_name = "MINUTES", default_value_t = LIMIT)]
    limit: u64,
    /// How many test programs run at once
    #[arg(long, value_name = "NUMBER", default_value_t = AT_ONCE)]
    at_once: usize,
    /// Arguments for `cargo test` instead of `--workspace`, such as `-p shedlock`, and after one more `--` for the test programs
    #[arg(last = true, value_name = "CARGO TEST ARGUMENTS")]
    cargo: Vec<String>,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            no_setup: false,
            all_servers: false,
            limit: LIMIT,
            at_once: AT_ONCE,
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
    let missing = servers::set_up(args.no_setup, args.all_servers);
    let log = env::temp_dir().join(format!("shedlock-skips-{}.log", std::process::id()));
    fs::write(&log, "").with_context(|| format!("cannot write `{}`", log.display()))?;
    let not_to_be_skipped = not_to_be_skipped(&missing, args.all_servers);
    let mut report = Report::default();
    let done = run_programs(&root, args, &log, &not_to_be_skipped, &mut report);
    let skips = fs::read_to_string(&log).unwrap_or_default();
    fs::remove_file(&log).ok();
    report.add_skips(&skips, &not_to_be_skipped);
    done?;
    report.close();
    Ok(report)
}

/// Builds all test programs, then runs them side by side.
fn run_programs(
    root: &Path,
    args: &Args,
    log: &Path,
    not_to_be_skipped: &[&Need],
    report: &mut Report,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let Some(mut jobs) = Asked::new(&args.cargo).jobs(root)? else {
        report.add_failure("the tests do not build".to_owned());
        return Ok(());
    };
    println!("==> tests built in {:.1} s", start.elapsed().as_secs_f64());
    for job in &mut jobs.run {
        set_environment(job.command_mut(), log);
    }
    let limit = Duration::from_secs(args.limit * 60);
    let mut times = Vec::new();
    schedule::run(jobs.run, args.at_once.max(1), limit, &mut |done| {
        print_done(done);
        times.push((done.took, done.name.clone()));
        match &done.ended {
            Ok(ended) => report.add_program(&done.name, &done.lines, ended),
            Err(error) => report.add_failure(format!("{}: {error:#}", done.name)),
        }
    });
    print_slowest(times);
    for skip in &jobs.skipped {
        report.add_skip(skip, not_to_be_skipped);
    }
    Ok(())
}

fn set_environment(command: &mut Command, log: &Path) {
    command.env("SHEDLOCK_SKIP_LOG", log);
    // Most of a conformance case is waiting for a lease to end, so a thread per core would leave the cores idle.
    if env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", "8");
    }
}

/// Ignores a closed standard output, because the tests still have to be counted.
fn print_done(done: &Done) {
    let mut text = format!("\n--> {} in {:.1} s\n", done.name, done.took.as_secs_f64());
    for line in &done.lines {
        text.push_str(line);
        text.push('\n');
    }
    io::stdout().write_all(text.as_bytes()).ok();
}

fn print_slowest(mut times: Vec<(Duration, String)>) {
    times.sort();
    println!("\nslowest test programs:");
    for (took, name) in times.iter().rev().take(SLOWEST) {
        println!("{:>7.1} s  {name}", took.as_secs_f64());
    }
}

/// What a test may not give as its reason to skip: in CI, all that can be had there without a build.
fn not_to_be_skipped(missing: &[Missing], all_servers: bool) -> Vec<&'static Need> {
    let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    // Where we may install, everything can be had, and a failed installation is no excuse.
    let can_be_had = |need: &Need| {
        servers::can_install() || !missing.iter().any(|missing| missing.need.name == need.name)
    };
    servers::default_needs(all_servers)
        .into_iter()
        .filter(|need| in_ci && can_be_had(need))
        .collect()
}
