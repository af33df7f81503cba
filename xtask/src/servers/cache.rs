//! The folder with the servers that are no packages of Debian.

use super::download::Download;
use crate::workspace;
use anyhow::Context;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of a server's programs.
pub(crate) const PROGRAMS: &str = "bin";
/// The folder of a Java program's archives.
pub(crate) const JARS: &str = "jars";

/// The cache for root, whose home no other account may read: PostgreSQL refuses to run as root.
const OF_ROOT: &str = "/var/cache/shedlock-servers";

/// The folder of all servers. The test kit looks in the same place.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    if let Some(cache) = env::var_os("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(cache).join("shedlock-servers"));
    }
    if super::debian::is_root() {
        return Ok(PathBuf::from(OF_ROOT));
    }
    let home = env::var_os("HOME").context("no `HOME` to keep servers in")?;
    Ok(PathBuf::from(home).join(".cache/shedlock-servers"))
}

/// The folder of the repository with the lock files of a server.
pub(crate) fn lock_files(name: &str) -> anyhow::Result<PathBuf> {
    Ok(workspace::root()?.join("xtask/servers").join(name))
}

/// Makes the folder of a server. `install` gets a folder to fill and a folder for what is not kept.
///
/// The filled folder takes its place at the end, so an installation that breaks off leaves nothing that looks complete.
pub(crate) fn fill(
    download: &Download,
    install: impl FnOnce(&Path, &Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let place = download.folder()?;
    let parent = place.parent().context("the cache has no folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
    let scratch = tempfile::tempdir_in(parent)?;
    let filled = scratch.path().join("filled");
    let not_kept = scratch.path().join("scratch");
    for folder in [&filled, &not_kept] {
        fs::create_dir(folder)?;
    }
    install(&filled, &not_kept)?;
    match fs::rename(&filled, &place) {
        // Another process was quicker.
        Err(_) if download.find().is_ok() => Ok(()),
        renamed => renamed.with_context(|| format!("cannot make `{}`", place.display())),
    }
}

/// Makes a program of the folder available as `bin/<name>`. `target` is relative to the folder.
#[cfg(unix)]
pub(crate) fn link(folder: &Path, target: &Path, name: &str) -> anyhow::Result<()> {
    let programs = folder.join(PROGRAMS);
    fs::create_dir_all(&programs)?;
    // Relative, so that the folder can be moved to its place.
    std::os::unix::fs::symlink(Path::new("..").join(target), programs.join(name))
        .with_context(|| format!("cannot link `{name}`"))
}

#[cfg(not(unix))]
pub(crate) fn link(_: &Path, _: &Path, name: &str) -> anyhow::Result<()> {
    anyhow::bail!("`{name}` can be installed on Unix only")
}
