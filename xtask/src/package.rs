//! `cargo xtask package`: what would be uploaded compiles, from the files that would be uploaded.
//!
//! cargo's own verification builds each crate completely, in a directory without the dependencies that other steps have built. Here, the
//! packages are unpacked into one workspace, in which each package replaces the one of the registry, and each package is checked alone.

use crate::{process, workspace};
use anyhow::Context;
use cargo_metadata::Package;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const MEMBERS: &str = "[workspace]\nresolver = \"3\"\nmembers = [\"*-*.*.*\"]\n[patch.crates-io]\n";
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Runs the verb; the answer is whether everything compiles.
pub(crate) fn run() -> anyhow::Result<bool> {
    let root = workspace::root()?;
    let members = workspace::members(&root)?;
    let packages: Vec<_> = members
        .packages
        .iter()
        .filter(|package| workspace::is_published(package))
        .collect();
    if !passes(&mut pack(&root, &packages))? {
        return Ok(false);
    }
    let target = workspace::target(&root)?;
    let folder = unpack(&root, &target, &packages)?;
    let mut all_pass = true;
    for package in packages {
        all_pass &= passes(&mut check(&folder, &target, package))?;
    }
    Ok(all_pass)
}

fn passes(command: &mut Command) -> anyhow::Result<bool> {
    Ok(process::run(command, LIMIT)?.success())
}

fn pack(root: &Path, packages: &[&Package]) -> Command {
    let mut command = process::cargo(root);
    command.args(["package", "--locked", "--no-verify"]);
    for package in packages {
        command.args(["--package", &package.name]);
    }
    command
}

/// Makes a workspace of the packages, and says where.
fn unpack(root: &Path, target: &Path, packages: &[&Package]) -> anyhow::Result<PathBuf> {
    let folder = target.join("unpacked");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for package in packages {
        let archive = target.join(format!("package/{}.crate", unpacked(package)));
        // In the archive all files are of one moment, by which cargo would take changed ones for those it knows.
        let mut tar = Command::new("tar");
        tar.arg("-xzmf").arg(&archive).arg("-C").arg(&folder);
        anyhow::ensure!(passes(&mut tar)?, "cannot unpack {}", archive.display());
    }
    fs::write(folder.join("Cargo.toml"), manifest(packages)?)?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).context("no lockfile")?;
    Ok(folder)
}

fn unpacked(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}

fn manifest(packages: &[&Package]) -> anyhow::Result<String> {
    let mut text = format!("{}{MEMBERS}", workspace::PROFILE);
    for package in packages {
        writeln!(text, "{}.path = \"{}\"", package.name, unpacked(package))?;
    }
    Ok(text)
}

fn check(folder: &Path, target: &Path, package: &Package) -> Command {
    let mut command = process::cargo(folder);
    command
        .args(["check", "--package", &package.name, "--target-dir"])
        .arg(target);
    command
}
