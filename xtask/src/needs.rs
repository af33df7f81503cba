//! What the tests need of the machine beyond cargo: one table.
//!
//! A new server is one entry of [`NEEDS`]; set-up, reports and the rule for
//! skips all read it from there.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::wheels::{self, Wheel};

/// The oldest Java release the ShedLock 7 artifacts run on.
const JAVA_FLOOR: u32 = 17;

/// Something the tests use when it is there.
#[derive(Debug)]
pub(crate) struct Need {
    /// What a skipped test calls it in its reason.
    pub(crate) name: &'static str,
    /// Says what is missing, or nothing.
    pub(crate) probe: fn() -> Result<(), String>,
    /// The Debian packages that bring it.
    pub(crate) debian: &'static [&'static str],
    /// What brings it that is no Debian package, from PyPI into the user's cache.
    pub(crate) wheel: Option<&'static Wheel>,
    /// How to get it anywhere else.
    pub(crate) elsewhere: &'static str,
}

/// Everything the tests can use.
pub(crate) const NEEDS: &[Need] = &[
    Need {
        name: "PostgreSQL",
        probe: || programs(&["postgres", "initdb", "psql"]),
        debian: &["postgresql"],
        wheel: None,
        elsewhere: "install PostgreSQL 14 or newer (macOS: `brew install postgresql@17`) and put \
                    its `bin` folder on PATH",
    },
    Need {
        name: "PgBouncer",
        probe: || programs(&["pgbouncer"]),
        debian: &["pgbouncer"],
        wheel: None,
        elsewhere: "install PgBouncer 1.18 or newer (macOS: `brew install pgbouncer`) and put it on PATH",
    },
    Need {
        name: "MariaDB",
        probe: || programs(&["mariadbd", "mariadb-install-db", "mariadb"]),
        debian: &["mariadb-server", "mariadb-client"],
        wheel: None,
        elsewhere: "install MariaDB 10.6 or newer (macOS: `brew install mariadb`) and put its \
                    `bin` folder on PATH",
    },
    Need {
        name: "Galera",
        probe: || {
            libraries(&["galera/libgalera_smm.so"]).and_then(|()| programs(&["rsync", "lsof"]))
        },
        debian: &["galera-4", "rsync", "lsof"],
        wheel: None,
        elsewhere: "install MariaDB's Galera library, rsync and lsof (Linux only)",
    },
    Need {
        name: "Redis",
        probe: || programs(&["redis-server", "redis-cli"]),
        debian: &["redis-server"],
        elsewhere: "install Redis 7 or newer (macOS: `brew install redis`) and put it on PATH",
        wheel: None,
    },
    Need {
        name: "NATS",
        probe: || {
            wheels::program(&wheels::NATS)
                .map(drop)
                .or_else(|_| programs(&["nats-server"]))
        },
        debian: &["python3-pip"],
        wheel: Some(&wheels::NATS),
        elsewhere: "install nats-server 2.15 or newer (macOS: `brew install nats-server`) and put it on PATH",
    },
    Need {
        name: "libfaketime",
        probe: || libraries(&["faketime/libfaketime.so.1"]),
        debian: &["libfaketime"],
        wheel: None,
        elsewhere: "install libfaketime (Linux only: macOS does not preload into signed programs)",
    },
    Need {
        name: "iproute2",
        probe: || programs(&["ip", "unshare", "nsenter"]),
        debian: &["iproute2", "util-linux"],
        wheel: None,
        elsewhere: "install iproute2 and util-linux (Linux only: nothing else has network namespaces)",
    },
    Need {
        name: "Prometheus",
        probe: || programs(&["promtool"]),
        debian: &["prometheus"],
        wheel: None,
        elsewhere: "install Prometheus 2.42 or newer (macOS: `brew install prometheus`) and put `promtool` on PATH",
    },
    Need {
        name: "Java",
        probe: || programs(&["java", "javac"]).and_then(|()| java_at_least(JAVA_FLOOR)),
        debian: &["default-jdk-headless"],
        wheel: None,
        elsewhere: "install a JDK, 17 or newer (macOS: `brew install openjdk@17`), and put its \
                    `bin` folder on PATH",
    },
    Need {
        name: "Maven",
        probe: || programs(&["mvn"]),
        debian: &["maven"],
        wheel: None,
        elsewhere: "install Maven 3.8 or newer (macOS: `brew install maven`)",
    },
];

/// A need this machine does not meet.
#[derive(Debug)]
pub(crate) struct Missing {
    pub(crate) need: &'static Need,
    pub(crate) why: String,
}

/// The needs this machine does not meet.
pub(crate) fn missing() -> Vec<Missing> {
    NEEDS
        .iter()
        .filter_map(|need| (need.probe)().err().map(|why| Missing { need, why }))
        .collect()
}

/// Fails with the names of those programs that cannot be found.
fn programs(names: &[&str]) -> Result<(), String> {
    let absent: Vec<_> = names
        .iter()
        .filter(|name| find_program(name).is_none())
        .map(|name| format!("`{name}`"))
        .collect();
    if absent.is_empty() {
        Ok(())
    } else {
        Err(format!("no {} on this machine", absent.join(", ")))
    }
}

/// Fails with the names of those libraries that cannot be found, which are to be preloaded and not linked.
fn libraries(names: &[&str]) -> Result<(), String> {
    let mut folders = vec![PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64")];
    if let Ok(inside) = Path::new("/usr/lib").read_dir() {
        folders.extend(inside.flatten().map(|entry| entry.path()));
    }
    let found = |name: &&&str| folders.iter().any(|folder| folder.join(name).is_file());
    match names.iter().find(|name| !found(name)) {
        Some(absent) => Err(format!("no `{absent}` on this machine")),
        None => Ok(()),
    }
}

/// Looks where a server's programs lie: PATH, and the places Debian keeps off it.
fn find_program(name: &str) -> Option<PathBuf> {
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

fn java_at_least(floor: u32) -> Result<(), String> {
    let output = Command::new("javac")
        .arg("-version")
        .output()
        .map_err(|error| format!("`javac` does not start: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match java_release(&text) {
        Some(release) if release >= floor => Ok(()),
        Some(release) => Err(format!(
            "`javac` is release {release}, not {floor} or newer"
        )),
        None => Err(format!("`javac -version` says `{}`", text.trim())),
    }
}

/// The 17 of `javac 17.0.15`; the 1 of `javac 1.8.0_402`, which is old enough anyway.
fn java_release(text: &str) -> Option<u32> {
    let version = text.trim().strip_prefix("javac ")?;
    version
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::{NEEDS, java_release, libraries, programs};

    #[test]
    fn missing_libraries_are_named() {
        let why = libraries(&["no-such.so"]).unwrap_err();
        assert_eq!(why, "no `no-such.so` on this machine");
    }

    #[test]
    fn missing_programs_are_named() {
        let why = programs(&["sh", "no-such-program", "nor-this"]).unwrap_err();
        assert_eq!(why, "no `no-such-program`, `nor-this` on this machine");
        assert_eq!(programs(&["sh"]), Ok(()));
    }

    #[test]
    fn java_releases_are_read() {
        assert_eq!(java_release("javac 17.0.15\n"), Some(17));
        assert_eq!(java_release("javac 21-ea"), Some(21));
        assert_eq!(java_release("javac 1.8.0_402"), Some(1));
        assert_eq!(java_release("openjdk"), None);
    }

    #[test]
    fn every_need_says_how_to_get_it() {
        for need in NEEDS {
            assert!(
                !need.debian.is_empty() && !need.elsewhere.is_empty(),
                "{need:?}"
            );
        }
    }
}
