//! Another time for one process, by libfaketime: a client's wall clock, or a server's clocks.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use shedlock_testkit::Unavailable;
use tempfile::TempDir;

/// A clock that can be stepped while processes live by it.
#[derive(Debug)]
pub(crate) struct FakeTime {
    library: PathBuf,
    directory: TempDir,
}

impl FakeTime {
    /// Shows the true time until it is [`set`](Self::set).
    pub(crate) fn new() -> Result<Self, Unavailable> {
        let library = library().ok_or_else(|| {
            let reason = "there is no `libfaketime.so.1`".to_owned();
            Unavailable::installable("libfaketime", reason, "apt-get install -y libfaketime")
        })?;
        let directory = tempfile::tempdir().expect("there is a place for temporary files");
        // A server runs as somebody else.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))
            .expect("it is ours");
        let clock = Self { library, directory };
        clock.set("+0");
        Ok(clock)
    }

    /// Steps the clock to `time`, as libfaketime writes it: `+3600` seconds off, or `+0 x2` for twice the rate.
    pub(crate) fn set(&self, time: &str) {
        let next = self.directory.path().join("next");
        fs::write(&next, format!("{time}\n")).expect("the disk is not full");
        // At once: a file half written is no time.
        fs::rename(next, self.file()).expect("the directory is ours");
    }

    /// Steps the clock so that it shows `seconds` since 1970 now, and goes on from there.
    pub(crate) fn set_to(&self, seconds: i64) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = i64::try_from(now.expect("it is after 1970").as_secs()).expect("64 bit");
        self.set(&format!("{:+}", seconds - now));
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("time")
    }

    /// For a process of which only the wall clock lies.
    pub(crate) fn wall_clock(&self) -> Vec<(OsString, OsString)> {
        let mut variables = self.all_clocks();
        variables.push(("FAKETIME_DONT_FAKE_MONOTONIC".into(), "1".into()));
        variables
    }

    /// For a process of which the C library's monotonic clock lies too, and with it every timer.
    pub(crate) fn all_clocks(&self) -> Vec<(OsString, OsString)> {
        vec![
            ("LD_PRELOAD".into(), self.library.clone().into()),
            ("FAKETIME_TIMESTAMP_FILE".into(), self.file().into()),
            // Otherwise a step is seen up to ten seconds later.
            ("FAKETIME_NO_CACHE".into(), "1".into()),
        ]
    }
}

/// Debian has it in a directory of the machine's architecture, others have it in one for all.
fn library() -> Option<PathBuf> {
    let mut directories = vec![PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64")];
    for entry in fs::read_dir("/usr/lib").into_iter().flatten().flatten() {
        directories.push(entry.path());
    }
    directories
        .into_iter()
        .map(|directory| directory.join("faketime/libfaketime.so.1"))
        .find(|library| library.is_file())
}

// A process that was killed leaves its part of /dev/shm behind.
impl Drop for FakeTime {
    fn drop(&mut self) {
        for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner = name.to_str().and_then(|name| {
                let rest = name.strip_prefix("sem.").unwrap_or(name);
                rest.strip_prefix("faketime_")?.rsplit('_').next()
            });
            if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                // Somebody else may have been faster.
                let _gone = fs::remove_file(entry.path());
            }
        }
    }
}
