//! Finds servers in the cache that `cargo xtask servers install` fills.

use std::cmp::Reverse;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The cache for root, whose home no other account may read.
const OF_ROOT: &str = "/var/cache/shedlock-servers";

/// Finds `file` in the newest cached version of the server `name`: a program as in `cached("etcd", "bin/etcd")`, or the folder with the
/// archives of a Java program as in `cached("s3proxy", "jars")`.
pub(super) fn cached(name: &str, file: &str) -> Option<PathBuf> {
    newest(&root()?, name, file)
}

/// The folder of all servers. `cargo xtask servers install` writes to the same place.
fn root() -> Option<PathBuf> {
    if let Some(cache) = env::var_os("XDG_CACHE_HOME") {
        return Some(PathBuf::from(cache).join("shedlock-servers"));
    }
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from(OF_ROOT));
    }
    Some(PathBuf::from(env::var_os("HOME")?).join(".cache/shedlock-servers"))
}

fn newest(root: &Path, name: &str, file: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(root).ok()?;
    let mut versions: Vec<_> = entries
        .filter_map(|entry| {
            let folder = entry.ok()?.path();
            let version = version_of(folder.file_name()?.to_str()?, name)?;
            Some((version, folder.join(file)))
        })
        .filter(|(_, path)| path.exists())
        .collect();
    versions.sort_by_key(|(version, _)| Reverse(version.clone()));
    Some(versions.into_iter().next()?.1)
}

/// The version in a folder's name, as numbers: `[3, 5, 1]` of `etcd-3.5.1` for the server `etcd`, and nothing of `etcd-3.6-3.6.16`.
fn version_of(folder: &str, name: &str) -> Option<Vec<u32>> {
    let version = folder.strip_prefix(name)?.strip_prefix('-')?;
    if version.contains('-') || !version.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let parts = version.split('.');
    Some(parts.map(|part| part.parse().unwrap_or(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::{newest, version_of};
    use std::fs;

    #[test]
    fn the_newest_version_with_the_file_is_found() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["etcd-3.5.1/bin", "etcd-3.5.12/bin", "etcd-3.6-3.6.16/bin"] {
            let folder = root.path().join(folder);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("etcd"), "").unwrap();
        }
        fs::create_dir_all(root.path().join("etcd-4.0.0")).unwrap();
        let found = |name| newest(root.path(), name, "bin/etcd");
        assert_eq!(
            found("etcd"),
            Some(root.path().join("etcd-3.5.12/bin/etcd"))
        );
        assert_eq!(
            found("etcd-3.6"),
            Some(root.path().join("etcd-3.6-3.6.16/bin/etcd"))
        );
        assert_eq!(found("consul"), None);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(
            version_of("valkey-9.1.2.post2", "valkey"),
            Some(vec![9, 1, 2, 0])
        );
        assert!(version_of("etcd-3.10.0", "etcd") > version_of("etcd-3.9.9", "etcd"));
        assert_eq!(version_of("etcd-operator-1.0", "etcd"), None);
    }
}
