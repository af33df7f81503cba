//! A place in memory for the directory of a server.

use std::path::{Path, PathBuf};

/// Where Linux has a file system in memory, which grows with its files and shrinks again.
const SHARED_MEMORY: &str = "/dev/shm";

/// What must be free, because several servers run at once. Containers often have no more than 64 MiB.
const WANTED: u64 = 2 << 30;

/// A directory in memory with room for a server; `None` if there is none, or if `TMPDIR` says where temporary files are to be.
pub(super) fn directory() -> Option<PathBuf> {
    if std::env::var_os("TMPDIR").is_some() {
        return None;
    }
    has_room(Path::new(SHARED_MEMORY), WANTED).then(|| SHARED_MEMORY.into())
}

/// Whether a server's directory is in memory.
pub(super) fn contains(directory: &Path) -> bool {
    directory.starts_with(SHARED_MEMORY)
}

#[cfg(target_os = "linux")]
fn has_room(path: &Path, wanted: u64) -> bool {
    /// What `statfs` says of a file system in memory.
    const TMPFS: i128 = 0x0102_1994;
    let Ok(found) = rustix::fs::statfs(path) else {
        return false;
    };
    // The types of the fields differ between processors.
    let (kind, block) = (i128::from(found.f_type), i128::from(found.f_bsize));
    let free = i128::from(found.f_bavail) * block;
    kind == TMPFS && free >= i128::from(wanted)
}

#[cfg(not(target_os = "linux"))]
fn has_room(_path: &Path, _wanted: u64) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::has_room;
    use std::path::Path;

    #[test]
    fn only_a_file_system_in_memory_has_room_for_a_server() {
        assert!(!has_room(Path::new("/proc"), 0));
        assert!(!has_room(Path::new("/no/such/directory"), 0));
    }

    #[test]
    fn a_full_one_has_no_room() {
        let memory = Path::new(super::SHARED_MEMORY);
        assert!(!has_room(memory, u64::MAX));
    }
}
