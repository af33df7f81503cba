//! A directory that several processes keep records in: a version of a record is a file, and only one process can make it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use shedlock_runtime::{
    Capabilities, ErrorKind, Expiry, Fencing, LockError, LockProvider, LockRecord, ProviderInfo,
    RecordLockProvider, RecordStore, Snapshot, Written, async_trait,
};
use shedlock_testkit::conformance::Harness;
use tempfile::TempDir;

#[derive(Debug)]
struct Files(PathBuf);

impl Files {
    /// The directory of a lock: its name in hexadecimal, in pieces that are short enough for a file system.
    fn of(&self, name: &str) -> PathBuf {
        let piece = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>()
                .concat()
        };
        self.0
            .join(name.as_bytes().chunks(100).map(piece).collect::<PathBuf>())
            .join("versions")
    }
}

#[async_trait]
impl RecordStore for Files {
    /// The number in the name of a record's file, and what the file says: a directory that is deleted and made anew begins at one again.
    type Version = (u64, String);

    async fn read(&self, name: &str) -> Result<Snapshot<Self::Version>, LockError> {
        let Some(version) = latest(&self.of(name)).map_err(failed)? else {
            return Ok(Snapshot::absent());
        };
        let text = version.1.clone();
        let fields: Vec<&str> = text.split('\n').collect();
        let [until, at, token, owner] = fields[..] else {
            return Ok(Snapshot::unreadable("not a record"));
        };
        let record = LockRecord::new(
            instant(until),
            instant(at),
            owner.to_owned(),
            token.parse().map_err(failed)?,
        );
        Ok(Snapshot::record(record, version))
    }

    async fn write(
        &self,
        name: &str,
        record: &LockRecord,
        expected: Option<&Self::Version>,
    ) -> Result<Written<Self::Version>, LockError> {
        let directory = self.of(name);
        fs::create_dir_all(&directory).map_err(failed)?;
        // A number that is taken is found below; one whose forerunner was deleted, here.
        if latest(&directory).map_err(failed)?.as_ref() != expected {
            return Ok(Written::Conflict);
        }
        let next = expected.map_or(1, |(last, _)| last + 1);
        let nanos = |instant: SystemTime| instant.duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let (until, at) = (nanos(record.lock_until), nanos(record.locked_at));
        let (token, owner) = (record.fencing_token, &record.locked_by);
        // Whole before it has its name, which only one can give.
        let draft = directory.join(format!("draft-{:016x}", fastrand::u64(..)));
        let text = format!("{until}\n{at}\n{token}\n{owner}");
        fs::write(&draft, &text).map_err(failed)?;
        let linked = fs::hard_link(&draft, directory.join(next.to_string()));
        fs::remove_file(&draft).map_err(failed)?;
        match linked {
            Ok(()) => Ok(Written::Done((next, text))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Written::Conflict),
            Err(error) => Err(failed(error)),
        }
    }

    async fn delete(
        &self,
        _name: &str,
        _expected: &Self::Version,
    ) -> Result<Written<()>, LockError> {
        Err(failed("no version is ever deleted"))
    }

    async fn names(&self, _prefix: &str) -> Result<Vec<String>, LockError> {
        Err(failed("the names are not listed"))
    }
}

fn latest(directory: &Path) -> io::Result<Option<(u64, String)>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let names: Vec<_> = entries
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<_>>()?;
    let numbers = names.iter().filter_map(|name| name.to_str()?.parse().ok());
    let Some(number) = numbers.max() else {
        return Ok(None);
    };
    let file = directory.join(u64::to_string(&number));
    Ok(Some((number, fs::read_to_string(file)?)))
}

fn instant(nanos: &str) -> SystemTime {
    let nanos: u128 = nanos.parse().unwrap();
    let (secs, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    UNIX_EPOCH + Duration::new(secs.try_into().unwrap(), nanos.try_into().unwrap())
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over errors")]
fn failed(error: impl ToString) -> LockError {
    LockError::new(ErrorKind::Other, error.to_string())
}

struct Shared(TempDir);

fn node(directory: &Path, name: &str) -> Arc<dyn LockProvider> {
    let capabilities = Capabilities::new()
        .with_expiry(Expiry::ByClientClock)
        .with_fencing(Fencing::UntilDeletion)
        .with_max_name_chars(64);
    let info = ProviderInfo::new("files")
        .with_node_name(name)
        .with_capabilities(capabilities);
    Arc::new(RecordLockProvider::new(info, Files(directory.to_owned())))
}

#[async_trait]
impl Harness for Shared {
    fn answers_at_once(&self) -> bool {
        true
    }

    async fn node(&self, name: &str) -> Arc<dyn LockProvider> {
        node(self.0.path(), name)
    }

    fn address(&self) -> Option<String> {
        self.0.path().to_str().map(str::to_owned)
    }

    async fn delete(&self, lock: &str) -> bool {
        let directory = Files(self.0.path().to_owned()).of(lock);
        !directory.exists() || fs::remove_dir_all(directory).is_ok()
    }
}

shedlock_testkit::conformance!(
    files,
    std::future::ready(Shared(tempfile::tempdir().unwrap())),
    processes = |address: String, name: String| async move { node(Path::new(&address), &name) },
);
