//! Servers that are built from the source of a published crate.

use super::download::Tool;
use crate::process;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long a download and a build may take.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Whoever runs `cargo xtask` has cargo.
pub(crate) const TOOL: Tool = Tool {
    check: &["cargo", "--version"],
    debian: &[],
};

/// Builds the programs of a crate. A published version cannot change, and the lock file in it has the checksum of each dependency.
pub(crate) fn install(
    package: &str,
    version: &str,
    features: &[&str],
    folder: &Path,
    scratch: &Path,
) -> anyhow::Result<()> {
    let mut cargo = process::cargo(scratch);
    install_command(&mut cargo, package, version, features);
    cargo
        .arg("--root")
        .arg(folder)
        .env("CARGO_TARGET_DIR", scratch.join("target"));
    let ended = process::run(&mut cargo, LIMIT)?;
    anyhow::ensure!(ended.success(), "`cargo install {package}` failed: {ended}");
    Ok(())
}

fn install_command(cargo: &mut Command, package: &str, version: &str, features: &[&str]) {
    cargo
        .args(["install", "--locked", "--no-track", package])
        .args(["--version", &format!("={version}")])
        .args(["--no-default-features", "--features", &features.join(",")]);
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    #[test]
    fn a_crate_is_asked_for_by_exact_version_and_lock_file() {
        let mut cargo = Command::new("cargo");
        super::install_command(&mut cargo, "dynoxide-rs", "3.2.0", &["cli", "http-server"]);
        let words: Vec<_> = cargo.get_args().filter_map(|word| word.to_str()).collect();
        assert_eq!(
            words.join(" "),
            "install --locked --no-track dynoxide-rs --version =3.2.0 \
             --no-default-features --features cli,http-server"
        );
    }
}
