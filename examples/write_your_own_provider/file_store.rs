//! Locks as files in a directory of a local file system: one file for each name.
//!
//! What it takes is a comparison and a replacement that nobody can come between. A file system has no such operation,
//! so a lock of the operating system on a second file encloses the two. The operating system drops that lock when its
//! process dies; and as records are replaced by renaming, no reader ever sees half of one.

use std::fs::{self, File};
use std::io::{self, ErrorKind as IoErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{
    Conflict, ErrorKind, LockError, LockRecord, RecordCatalogue, RecordStore, Version, async_trait,
};

/// Longer names of files are not possible on most file systems.
const MOST_DIGITS: usize = 200;

/// A directory that exists, in which every process that shares the locks can write.
#[derive(Debug, Clone)]
pub(crate) struct FileStore {
    directory: PathBuf,
}

impl FileStore {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The file of a lock. Distinct names have distinct files, whatever is in them and whatever the file system holds
    /// for the same: hence hexadecimal digits.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let digits: Vec<char> = name
            .bytes()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|digit| char::from_digit(u32::from(digit), 16))
            .collect();
        let mut path = self.directory.clone();
        path.extend(digits.chunks(MOST_DIGITS).map(String::from_iter));
        path.with_extension("lock")
    }

    /// The lock whose file it is, if it is one.
    fn name(&self, path: &Path) -> Option<String> {
        let digits = path.strip_prefix(&self.directory).ok()?.with_extension("");
        let digits = digits.components().map(|part| part.as_os_str().to_str());
        let digits: String = digits.collect::<Option<_>>()?;
        let byte = |pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        let bytes = digits.as_bytes().chunks(2).map(byte);
        String::from_utf8(bytes.collect::<Option<_>>()?).ok()
    }
}

#[async_trait]
impl RecordStore for FileStore {
    async fn read(&self, name: &str) -> Result<Option<(LockRecord, Version)>, LockError> {
        let path = self.path(name);
        blocking(move || {
            let Some(text) = contents(&path)? else {
                return Ok(None);
            };
            // The record itself is its version: one that is back to what it was is the same record.
            Ok(Some((decode(&text)?, Version::from(text))))
        })
        .await
    }

    async fn write_if(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<Version>,
    ) -> Result<Result<Version, Conflict>, LockError> {
        let (path, root) = (self.path(name), self.directory.clone());
        let text = encode(record);
        blocking(move || {
            // Not created on demand: a node with a slip in its path would be alone with its locks.
            fs::metadata(root)?;
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            let _guard = guard(&path)?;
            if contents(&path)?.map(Version::from) != expected {
                return Ok(Err(Conflict));
            }
            let draft = path.with_extension("draft");
            let mut file = File::create(&draft)?;
            file.write_all(text.as_bytes())?;
            // A lock that is granted has to be there after a power failure too.
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            Ok(Ok(Version::from(text)))
        })
        .await
    }
}

/// The operator's part, which a provider can do without: with it, `RecordLockProvider` is a `LockAdmin`.
#[async_trait]
impl RecordCatalogue for FileStore {
    async fn names(&self) -> Result<Vec<String>, LockError> {
        let store = self.clone();
        blocking(move || {
            let mut names = Vec::new();
            let mut directories = vec![store.directory.clone()];
            while let Some(directory) = directories.pop() {
                for entry in fs::read_dir(directory)? {
                    let entry = entry?;
                    let path = entry.path();
                    if entry.file_type()?.is_dir() {
                        directories.push(path);
                    } else if path
                        .extension()
                        .is_some_and(|extension| extension == "lock")
                    {
                        names.extend(store.name(&path));
                    }
                }
            }
            Ok(names)
        })
        .await
    }

    async fn delete_if(
        &self,
        name: &str,
        expected: Version,
    ) -> Result<Result<(), Conflict>, LockError> {
        let path = self.path(name);
        blocking(move || {
            // The guard itself stays: whoever waits for it would have one that no newcomer finds.
            let _guard = guard(&path)?;
            if contents(&path)?.map(Version::from) != Some(expected) {
                return Ok(Err(Conflict));
            }
            fs::remove_file(path)?;
            Ok(Ok(()))
        })
        .await
    }
}

/// Keeps everybody else from a lock's file until it is dropped.
fn guard(path: &Path) -> io::Result<File> {
    let guard = File::create(path.with_extension("guard"))?;
    guard.lock()?;
    Ok(guard)
}

/// Runs `work` where it may wait for the disk, and says its errors as a provider has to.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, LockError> {
    let result = tokio::task::spawn_blocking(work).await;
    result.map_err(io::Error::other).flatten().map_err(|error| {
        let (kind, problem) = match error.kind() {
            IoErrorKind::NotFound => (ErrorKind::Schema, "the locks' directory does not exist"),
            IoErrorKind::PermissionDenied => {
                (ErrorKind::Permission, "no permission for the lock's files")
            }
            IoErrorKind::ReadOnlyFilesystem => {
                (ErrorKind::ReadOnly, "the file system takes no writes")
            }
            IoErrorKind::InvalidData => (ErrorKind::Schema, "the lock's file holds something else"),
            _ => (
                ErrorKind::Unavailable,
                "the lock's files cannot be read or written",
            ),
        };
        LockError::new(kind, problem).with_source(error)
    })
}

fn contents(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `lock_until`, `locked_at` and the fencing token as numbers, and the owner, which may have blanks in it, at the end.
fn encode(record: &LockRecord) -> String {
    let nanos = |instant: SystemTime| {
        instant
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos()
    };
    format!(
        "{} {} {} {}",
        nanos(record.lock_until),
        nanos(record.locked_at),
        record.fencing_token,
        record.locked_by
    )
}

fn decode(text: &str) -> io::Result<LockRecord> {
    let mut fields = text.splitn(4, ' ');
    let mut record = || {
        let lock_until = instant(fields.next()?)?;
        let locked_at = instant(fields.next()?)?;
        let token = fields.next()?.parse().ok()?;
        let owner = fields.next()?.to_owned();
        Some(LockRecord::new(lock_until, locked_at, owner, token))
    };
    record().ok_or_else(|| io::Error::new(IoErrorKind::InvalidData, "not a lock's record"))
}

fn instant(nanos: &str) -> Option<SystemTime> {
    let nanos: u128 = nanos.parse().ok()?;
    UNIX_EPOCH.checked_add(Duration::from_nanos_u128(nanos))
}
