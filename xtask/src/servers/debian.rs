//! Set-up on Debian: installs what is missing and starts nothing.

use crate::process;
use anyhow::Context;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What one call of apt-get may take.
const APT_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Debian asks this file before a package's scripts start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// The `apt-get install` line for these packages.
pub(crate) fn install_line(packages: &[&str]) -> String {
    format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Whether this is Debian, or something made of it.
pub(crate) fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| describes_debian(&text))
}

fn describes_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"))
        .flat_map(|(_, value)| value.trim_matches('"').split(' '))
        .any(|id| id == "debian")
}

/// Whether we may install packages.
pub(crate) fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n")
}

/// Installs the packages, with every service that they bring kept from starting.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    let _nothing_starts = StartGuard::put()?;
    apt(&["update"])?;
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments)
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("apt-get");
    command
        // Another apt may be at work on a machine that has just come up.
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // For scripts that look at the run level instead of asking the policy file.
        .env("RUNLEVEL", "1");
    let ended = process::run(&mut command, APT_LIMIT)?;
    anyhow::ensure!(
        ended.success(),
        "`apt-get {}` failed: {ended}",
        arguments.join(" ")
    );
    Ok(())
}

/// Forbids package scripts to start services, until dropped.
#[derive(Debug)]
struct StartGuard {
    /// Where we put a policy; none if the machine has one of its own, which we leave alone.
    put: Option<PathBuf>,
}

impl StartGuard {
    fn put() -> anyhow::Result<Self> {
        let path = PathBuf::from(POLICY);
        if path.exists() {
            return Ok(Self { put: None });
        }
        write_policy(&path).with_context(|| format!("cannot write `{POLICY}`"))?;
        Ok(Self { put: Some(path) })
    }
}

impl Drop for StartGuard {
    fn drop(&mut self) {
        if let Some(path) = &self.put {
            // Nobody is left to tell; the file says what it is.
            fs::remove_file(path).ok();
        }
    }
}

fn write_policy(path: &PathBuf) -> io::Result<()> {
    fs::write(
        path,
        "#!/bin/sh\n# Put here by `cargo xtask` while it installs packages; safe to remove.\nexit 101\n",
    )?;
    make_executable(path)
}

#[cfg(unix)]
fn make_executable(path: &PathBuf) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &PathBuf) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{describes_debian, install_line};

    #[test]
    fn debian_and_its_children_are_known() {
        assert!(describes_debian("NAME=x\nID=debian\n"));
        assert!(describes_debian(
            "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"
        ));
        assert!(!describes_debian(
            "ID=fedora\nHOME_URL=\"https://debian\"\n"
        ));
    }

    #[test]
    fn nothing_but_the_packages_is_installed() {
        assert_eq!(
            install_line(&["memcached", "redis-server"]),
            "apt-get install -y --no-install-recommends memcached redis-server"
        );
    }
}
