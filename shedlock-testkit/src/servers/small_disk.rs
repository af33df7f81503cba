//! A small file system that a test can fill.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use super::blocking;
use crate::unavailable::Unavailable;

/// A file system of a few megabytes (Linux, as root), for [`start_on`](super::Server::start_on). The file system is unmounted when the last
/// handle is dropped or when this process is killed.
///
/// # Examples
///
/// ```no_run
/// use shedlock_testkit::server_or_skip;
/// use shedlock_testkit::servers::{Postgres, SmallDisk};
///
/// # async fn test() {
/// let disk = server_or_skip!(SmallDisk::new(64).await);
/// let postgres = server_or_skip!(Postgres::start_on(&disk, &[]).await);
/// disk.fill().await.unwrap();
/// // The server has no room for a write.
/// disk.free_up().await.unwrap();
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SmallDisk {
    keeper: Arc<Keeper>,
}

/// The shell that unmounts the file system when the pipe from this process closes.
#[derive(Debug)]
struct Keeper {
    shell: Child,
    directory: PathBuf,
}

/// Mounts $2 megabytes at $1 until standard input closes. A server may still be ending at that time; the kernel waits for the server.
const SCRIPT: &str = r#"
trap '' HUP INT
mount -t tmpfs -o "size=${2}m,mode=0777" shedlock "$1" && echo mounted || exit 1
cat
umount -l "$1"
rmdir "$1"
"#;

impl SmallDisk {
    /// Creates an empty file system. An empty PostgreSQL server needs 64 megabytes, and an empty MariaDB server needs 256 megabytes.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if this machine does not allow it: a small disk needs root and a kernel that permits mounting.
    pub async fn new(megabytes: u32) -> Result<Self, Unavailable> {
        let made = blocking(move || Keeper::mount(megabytes)).await;
        match made {
            Ok(keeper) => Ok(Self {
                keeper: Arc::new(keeper),
            }),
            Err(error) => Err(Unavailable::manual(
                "small disks",
                error.to_string(),
                "run the tests as root, on Linux",
            )),
        }
    }

    /// The directory where the file system is mounted.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.keeper.directory
    }

    /// Fills the file system to the last byte.
    ///
    /// # Errors
    ///
    /// If writing fails for another reason than a full disk.
    pub async fn fill(&self) -> io::Result<()> {
        let ballast = self.ballast();
        blocking(move || {
            let mut file = File::options().create(true).append(true).open(ballast)?;
            // Large pieces first, and then what is left of the last one.
            for size in [1024 * 1024, 4096, 1] {
                let piece = vec![0; size];
                let full = loop {
                    match file.write(&piece) {
                        Ok(written) if written > 0 => {}
                        Ok(_) => break io::ErrorKind::StorageFull.into(),
                        Err(error) => break error,
                    }
                };
                if full.kind() != io::ErrorKind::StorageFull {
                    return Err(full);
                }
            }
            Ok(())
        })
        .await
    }

    /// Deletes what [`fill`](Self::fill) has written. Does nothing if `fill` has written nothing.
    ///
    /// # Errors
    ///
    /// If the file cannot be deleted.
    pub async fn free_up(&self) -> io::Result<()> {
        let ballast = self.ballast();
        match blocking(move || fs::remove_file(ballast)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn ballast(&self) -> PathBuf {
        self.directory().join("ballast")
    }
}

impl Keeper {
    fn mount(megabytes: u32) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("shedlock-disk-")
            .tempdir()?;
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "shedlock-disk"])
            .arg(directory.path())
            .arg(megabytes.to_string())
            // Ctrl-C on a terminal must reach only the test process. The pipe then tells the shell to end.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut answer = String::new();
        if let Some(stdout) = shell.stdout.take() {
            BufReader::new(stdout).read_line(&mut answer)?;
        }
        if answer == "mounted\n" {
            // From now on the shell removes the directory.
            let directory = directory.keep();
            return Ok(Self { shell, directory });
        }
        let said = shell.wait_with_output()?.stderr;
        Err(io::Error::other(
            String::from_utf8_lossy(&said).trim().to_owned(),
        ))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Closing the pipe is the order to end. If another part of the program has reaped the shell, there is nothing to do.
        drop(self.shell.stdin.take());
        let _ended = self.shell.wait();
    }
}
