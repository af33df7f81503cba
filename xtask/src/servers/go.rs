//! Servers that are built from the source of a Go module. `go.sum` has the checksum of each module.

use super::cache;
use super::download::Tool;
use crate::process;
use anyhow::Context;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long a download and a build may take.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Debian 12 has no Go that builds today's servers.
pub(crate) const TOOL: Tool = Tool {
    check: &["go", "version"],
    debian: &[],
};

/// Builds a program from the modules of `go.mod`. The gigabytes of modules and objects are not kept.
pub(crate) fn install(
    pinned: &Path,
    package: &str,
    programs: &[&str],
    folder: &Path,
    scratch: &Path,
) -> anyhow::Result<()> {
    let program = programs.first().context("a Go command has a program")?;
    for file in ["go.mod", "go.sum"] {
        fs::copy(pinned.join(file), scratch.join(file))?;
    }
    let mut go = Command::new("go");
    go.args(["build", "-mod=readonly", "-modcacherw", "-trimpath"])
        .args(["-ldflags=-s -w", "-o"])
        .arg(folder.join(cache::PROGRAMS).join(program))
        .arg(package)
        .current_dir(scratch)
        .env("GOMODCACHE", scratch.join("modules"))
        .env("GOCACHE", scratch.join("objects"));
    let ended = process::run(&mut go, LIMIT)?;
    anyhow::ensure!(ended.success(), "`go build {package}` failed: {ended}");
    Ok(())
}
