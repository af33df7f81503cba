//! Where the workspace is and what cargo says about it.

use anyhow::Context;
use cargo_metadata::{Metadata, MetadataCommand, Package};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The profile of the workspace, for generated workspaces: with another profile, cargo would compile all dependencies once more.
pub(crate) const PROFILE: &str = "\
[profile.dev]
debug = \"line-tables-only\"

[profile.dev.package.\"*\"]
debug = false
";

/// The workspace's root: this package is one folder below it.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here
        .parent()
        .context("xtask lies in the workspace")?
        .to_owned())
}

/// The members as their manifests declare them; dependencies are not resolved.
pub(crate) fn members(root: &Path) -> anyhow::Result<Metadata> {
    MetadataCommand::new()
        .current_dir(root)
        .no_deps()
        .exec()
        .context("cannot read the workspace's manifests")
}

/// Whether the package is published.
pub(crate) fn is_published(package: &Package) -> bool {
    package.publish.as_ref().is_none_or(|to| !to.is_empty())
}

/// Where cargo builds, made if it is not there.
pub(crate) fn target(root: &Path) -> anyhow::Result<PathBuf> {
    let target = members(root)?.target_directory.into_std_path_buf();
    fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
    Ok(target)
}

/// The files git knows, relative to the root.
pub(crate) fn tracked_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .current_dir(root)
        // A checkout made by another user is no reason to refuse a listing.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .output()
        .context("cannot run `git`")?;
    anyhow::ensure!(
        output.status.success(),
        "`git ls-files` failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::{PROFILE, root};
    use std::fs;

    #[test]
    fn the_profile_is_that_of_the_workspace() {
        let manifest = fs::read_to_string(root().unwrap().join("Cargo.toml")).unwrap();
        let without_comments: Vec<_> = manifest
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert!(without_comments.join("\n").contains(PROFILE.trim_end()));
    }
}
