//! Installs what is missing, where that can be done without asking anybody.

use super::needs::{self, Missing, Need};
use super::source::Plan;
use super::{debian, source::Source};
use std::process::{Command, Stdio};

/// Installs what the tests need, unless `no_setup`. The answer is what is missing still.
pub(crate) fn set_up(no_setup: bool, all_servers: bool) -> Vec<Missing> {
    let wanted = needs::default_needs(all_servers);
    if no_setup {
        let missing = needs::missing(&wanted);
        print_advice(&missing);
        missing
    } else {
        install_and_report(&wanted)
    }
}

/// Installs those of the needs that are missing. The answer is what is missing still.
pub(crate) fn install_and_report(wanted: &[&'static Need]) -> Vec<Missing> {
    let missing = needs::missing(wanted);
    if missing.is_empty() {
        return missing;
    }
    install(&missing);
    let missing = needs::missing(wanted);
    print_advice(&missing);
    missing
}

/// Whether Debian's packages can be installed.
pub(crate) fn can_install() -> bool {
    debian::is_debian() && debian::is_root()
}

fn install(missing: &[Missing]) {
    let names: Vec<_> = missing.iter().map(|missing| missing.need.name).collect();
    println!("==> installing {}", names.join(", "));
    let plan = Plan::new(missing.iter().map(|missing| missing.need), &works);
    if can_install()
        && !plan.packages.is_empty()
        && let Err(error) = debian::install(&plan.packages)
    {
        eprintln!("error: {error:#}");
    }
    for download in plan.downloads {
        if let Err(error) = download.install() {
            eprintln!("error: {}: {error:#}", download.name);
        }
    }
}

/// Whether a command line succeeds.
fn works(command: &[&str]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return false;
    };
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn print_advice(missing: &[Missing]) {
    for line in advice(missing, debian::is_debian()) {
        println!("{line}");
    }
}

/// What is missing and how to get it, for a person to read.
pub(crate) fn advice(missing: &[Missing], debian: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for Missing { need, why } in missing {
        lines.push(format!(
            "missing: {} ({why}); its tests will be skipped",
            need.name
        ));
        let from_debian = matches!(need.source, Source::Debian(_));
        if !(debian && from_debian) {
            lines.push(format!("  to get it: {}", how(need)));
        }
    }
    let plan = Plan::new(missing.iter().map(|missing| missing.need), &works);
    if debian && !plan.packages.is_empty() {
        let line = debian::install_line(&plan.packages);
        lines.push(format!("  as root, for all of it: {line}"));
    }
    lines
}

fn how(need: &Need) -> String {
    match need.source {
        Source::Debian(_) => need.elsewhere.to_owned(),
        Source::Download(_) => format!(
            "`cargo xtask servers install \"{}\"`, or {}",
            need.name, need.elsewhere
        ),
    }
}
