//! Where a server comes from.

use super::download::Download;
use super::needs::Need;
use std::collections::BTreeSet;
use std::fmt;

/// Where something that the tests use comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// These packages of Debian, installed into the system.
    Debian(&'static [&'static str]),
    /// A pinned release, installed into the user's cache.
    Download(&'static Download),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian(packages) => write!(f, "Debian: {}", packages.join(" ")),
            Self::Download(download) => write!(f, "{download}"),
        }
    }
}

/// What has to be installed, in the order of installation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Debian's packages, each once.
    pub(crate) packages: Vec<&'static str>,
    pub(crate) downloads: Vec<&'static Download>,
}

impl Plan {
    /// The plan for these needs. `works` says whether a command line runs, so that only missing tools are installed.
    pub(crate) fn new(
        needs: impl IntoIterator<Item = &'static Need>,
        works: &dyn Fn(&[&str]) -> bool,
    ) -> Self {
        let mut packages = BTreeSet::new();
        let mut downloads: Vec<&'static Download> = Vec::new();
        for need in needs {
            match need.source {
                Source::Debian(names) => packages.extend(names),
                Source::Download(download) => {
                    let tool = download.tool();
                    if !works(tool.check) {
                        packages.extend(tool.debian);
                    }
                    downloads.push(download);
                }
            }
        }
        Self {
            packages: packages.into_iter().copied().collect(),
            downloads,
        }
    }
}
