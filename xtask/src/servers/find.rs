//! Looks for programs, libraries and archives on this machine, and asks a program for its version.

use super::download::Download;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Something that does not say its version.
    Unversioned,
    /// Something with this version.
    Version(String),
    /// A program that prints its version when it gets this argument.
    Program(PathBuf, &'static str),
}

impl Found {
    /// Fails if this has an older version than `floor`, or none that can be read.
    pub(crate) fn at_least(self, floor: &str) -> Result<Self, String> {
        match self.version() {
            Some(version) if numbers(&version) >= numbers(floor) => Ok(Self::Version(version)),
            version => Err(format!(
                "version {} is here, not {floor} or newer",
                version.as_deref().unwrap_or("unknown")
            )),
        }
    }

    /// The version, if it can be had.
    pub(crate) fn version(&self) -> Option<String> {
        match self {
            Self::Unversioned => None,
            Self::Version(version) => Some(version.clone()),
            Self::Program(program, argument) => {
                let output = Command::new(program).arg(argument).output().ok()?;
                let text = [output.stdout, output.stderr].concat();
                version_in(&String::from_utf8_lossy(&text)).map(str::to_owned)
            }
        }
    }
}

/// The `7.0.15` of `Redis server v=7.0.15 sha=00000000:0`: the first digits with a dot between them.
pub(crate) fn version_in(text: &str) -> Option<&str> {
    text.split(|c: char| c != '.' && !c.is_ascii_digit())
        .map(|digits| digits.trim_matches('.'))
        .find(|digits| digits.contains('.'))
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

/// Fails with the names of those programs that are not on this machine. The first of them says the version.
pub(crate) fn programs(names: &[&str], version: &'static str) -> Result<Found, String> {
    let found: Vec<_> = names.iter().map(|name| program(name)).collect();
    let missing: Vec<_> = names
        .iter()
        .zip(&found)
        .filter(|(_, found)| found.is_none())
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    match found.into_iter().next().flatten() {
        Some(first) if missing.is_empty() => Ok(Found::Program(first, version)),
        _ => Err(format!("no {} on this machine", missing.join(", "))),
    }
}

/// Looks for a program on `PATH`, and in the places that Debian keeps off it.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    if let Ok(versions) = Path::new("/usr/lib/postgresql").read_dir() {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Fails with the name of a library that is not on this machine. Tests preload these libraries and link none of them.
pub(crate) fn libraries(names: &[&str]) -> Result<Found, String> {
    let mut folders = vec![PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64")];
    if let Ok(inside) = Path::new("/usr/lib").read_dir() {
        folders.extend(inside.flatten().map(|entry| entry.path()));
    }
    let found = |name: &&&str| folders.iter().any(|folder| folder.join(name).is_file());
    match names.iter().find(|name| !found(name)) {
        Some(missing) => Err(format!("no `{missing}` on this machine")),
        None => Ok(Found::Unversioned),
    }
}

/// Fails if there is no such archive of a Java program. Debian has the version in the name of a second file beside it.
pub(crate) fn jar(path: &str) -> Result<Found, String> {
    let path = Path::new(path);
    if !path.is_file() {
        return Err(format!("no `{}` on this machine", path.display()));
    }
    let beside = path.parent().and_then(|folder| folder.read_dir().ok());
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let version = beside.into_iter().flatten().flatten().find_map(|entry| {
        let name = entry.file_name();
        let version = name.to_str()?.strip_prefix(&format!("{stem}-"))?;
        let is_version = version.starts_with(|first: char| first.is_ascii_digit());
        is_version.then(|| version_in(version).map(str::to_owned))?
    });
    Ok(version.map_or(Found::Unversioned, Found::Version))
}

/// Fails with what is missing of a release in the cache.
pub(crate) fn cached(download: &Download) -> Result<Found, String> {
    download.find()?;
    Ok(Found::Version(download.version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Found, jar, libraries, programs, version_in};

    #[test]
    fn missing_libraries_are_named() {
        let why = libraries(&["no-such.so"]).unwrap_err();
        assert_eq!(why, "no `no-such.so` on this machine");
    }

    #[test]
    fn missing_programs_are_named() {
        let why = programs(&["sh", "no-such-program", "nor-this"], "-v").unwrap_err();
        assert_eq!(why, "no `no-such-program`, `nor-this` on this machine");
    }

    #[test]
    fn the_first_program_is_asked_for_its_version() {
        let found = programs(&["cargo", "sh"], "--version").unwrap();
        assert!(matches!(&found, Found::Program(path, _) if path.ends_with("cargo")));
        assert!(found.version().unwrap().starts_with("1."), "{found:?}");
    }

    #[test]
    fn versions_are_read_in_what_programs_print() {
        for (text, version) in [
            (
                "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)",
                "15.14",
            ),
            (
                "mariadbd  Ver 10.11.14-MariaDB-0+deb12u2 for debian",
                "10.11.14",
            ),
            ("Redis server v=7.0.15 sha=00000000:0 bits=64", "7.0.15"),
            ("nats-server: v2.15.1", "2.15.1"),
            ("ip utility, iproute2-6.1.0, libbpf 1.1.0", "6.1.0"),
            ("\u{1b}[1mApache Maven 3.8.7\u{1b}[m", "3.8.7"),
            ("javac 17.0.15", "17.0.15"),
            ("javac 1.8.0_402", "1.8.0"),
            ("etcd Version: 3.5.1", "3.5.1"),
            ("zookeeper-3.8.0.jar", "3.8.0"),
        ] {
            assert_eq!(version_in(text), Some(version), "{text}");
        }
        assert_eq!(version_in("no version, and 3 dots ..."), None);
    }

    #[test]
    fn an_old_version_is_refused() {
        let found = |version: &str| Found::Version(version.to_owned());
        assert_eq!(found("17.0.15").at_least("17"), Ok(found("17.0.15")));
        assert_eq!(found("3.10").at_least("3.5"), Ok(found("3.10")));
        assert_eq!(
            found("3.4.23").at_least("3.5"),
            Err("version 3.4.23 is here, not 3.5 or newer".to_owned())
        );
        assert!(found("1.8.0").at_least("17").is_err());
        assert!(Found::Unversioned.at_least("1").is_err());
    }

    #[test]
    fn an_archive_has_its_version_in_a_name_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "zookeeper.jar",
            "zookeeper-3.8.0.jar",
            "zookeeper-it-3.9.0.jar",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let found = jar(&path("zookeeper.jar"));
        assert_eq!(found, Ok(Found::Version("3.8.0".to_owned())));
        assert!(jar(&path("kafka.jar")).is_err());
    }
}
