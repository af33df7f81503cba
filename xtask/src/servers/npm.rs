//! Servers from npm. The lock file has the checksum of each package.

use super::cache;
use super::download::Tool;
use crate::process;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long one download may take.
const LIMIT: Duration = Duration::from_secs(5 * 60);

pub(crate) const TOOL: Tool = Tool {
    check: &["npm", "--version"],
    debian: &["npm"],
};

/// Installs the packages of the lock file into the folder. No package runs a script, and nothing is added to the lock file.
pub(crate) fn install(pinned: &Path, programs: &[&str], folder: &Path) -> anyhow::Result<()> {
    for file in ["package.json", "package-lock.json"] {
        fs::copy(pinned.join(file), folder.join(file))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--omit=dev", "--ignore-scripts"])
        .args(["--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(folder);
    let ended = process::run(&mut npm, LIMIT)?;
    anyhow::ensure!(ended.success(), "`npm ci` failed: {ended}");
    for program in programs {
        cache::link(
            folder,
            &Path::new("node_modules/.bin").join(program),
            program,
        )?;
    }
    Ok(())
}
