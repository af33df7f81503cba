//! Which store is meant, and how it is opened.

use std::env;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use shedlock_runtime::{LockAdmin, LockError};

use crate::args::StoreOptions;
use crate::config::ConfiguredStore;
use crate::exit::{Exit, Failure};
use crate::folders::absolute;
use crate::input;
use crate::stores;

/// The variable with the store's URL. No child gets it.
pub(crate) const STORE_VARIABLE: &str = "SHEDLOCK_STORE";
const FILE_VARIABLE: &str = "SHEDLOCK_STORE_FILE";
/// How long the user's own file keeps a run.
const KEPT: &str = "90d";
/// What would end the path in a URL, or be taken for an escape.
const IN_PATH: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#').add(b' ');

/// A store of any kind: locks, the operators' verbs, and what the locks need in it.
#[async_trait]
pub(crate) trait Store: LockAdmin {
    /// Looks at what must be so before any lock is taken.
    async fn begin(&self) -> Result<(), LockError>;

    /// Makes the table, index or bucket that the locks need, if it is not there.
    async fn set_up(&self) -> Result<(), LockError>;

    /// Looks at what the locks need, and returns what is odd and no error.
    async fn inspect(&self) -> Result<Vec<String>, LockError>;
}

/// Opens the store that the options or the environment name, or else the user's own file. Connects no earlier than the first question.
pub(crate) async fn open(options: &StoreOptions) -> Result<Arc<dyn Store>, Failure> {
    open_with(options, |url| url).await
}

/// As [`open_to_lock`], for a trial, whose runs do not belong into a history.
pub(crate) async fn open_for_trial(options: &StoreOptions) -> Result<Arc<dyn Store>, Failure> {
    let store = open_with(options, |url| stores::without_history(&url)).await?;
    store.begin().await?;
    Ok(store)
}

async fn open_with(
    options: &StoreOptions,
    changed: fn(String) -> String,
) -> Result<Arc<dyn Store>, Failure> {
    let node = options.node.as_deref();
    if let Some(url) = url(options)? {
        return stores::open(&changed(url), node);
    }
    let store = stores::open(&changed(default_url()?), node)?;
    // On a fresh machine there is no file yet, and nobody who could have made the table.
    store.set_up().await?;
    Ok(store)
}

/// As [`open`], for a command that takes locks.
pub(crate) async fn open_to_lock(options: &StoreOptions) -> Result<Arc<dyn Store>, Failure> {
    let store = open(options).await?;
    store.begin().await?;
    Ok(store)
}

/// The URL of the store that was named, or else of the user's own file.
pub(crate) fn url_or_default(options: &StoreOptions) -> Result<String, Failure> {
    match url(options)? {
        Some(url) => Ok(url),
        None => default_url(),
    }
}

/// The URL of the store for people: without login and parameters.
pub(crate) fn place(options: &StoreOptions) -> Result<String, Failure> {
    Ok(stores::without_secrets(&url_or_default(options)?))
}

/// The URL of the store that was named; `None` if none was.
fn url(options: &StoreOptions) -> Result<Option<String>, Failure> {
    if let Some(url) = &options.store {
        if stores::has_secret(url) && !options.allow_insecure_dsn {
            return Err(Failure::usage(
                "the URL in `--store` has a password in it, which everybody can read in the list of processes; \
                 put the URL into the environment variable `SHEDLOCK_STORE` or into a file for `--store-file`, \
                 or add `--allow-insecure-dsn`",
            ));
        }
        return Ok(Some(url.clone()));
    }
    if let Some(file) = &options.store_file {
        return read(file).map(Some);
    }
    match env::var(STORE_VARIABLE) {
        Ok(url) if !url.is_empty() => return Ok(Some(url)),
        Err(env::VarError::NotUnicode(_)) => {
            return Err(misconfigured("`SHEDLOCK_STORE` is not valid UTF-8"));
        }
        _ => {}
    }
    match env::var_os(FILE_VARIABLE) {
        Some(file) if !file.is_empty() => return read(Path::new(&file)).map(Some),
        _ => {}
    }
    match &options.configured {
        Some(ConfiguredStore::Url(url)) => Ok(Some(url.reveal().to_owned())),
        Some(ConfiguredStore::File(file)) => read(file).map(Some),
        None => Ok(None),
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let text = input::read_file(file).map_err(|error| {
        misconfigured(format!(
            "cannot read the store's URL from `{}`: {error}",
            file.display()
        ))
    })?;
    match text.trim() {
        "" => Err(misconfigured(format!(
            "the file `{}` for the store's URL is empty",
            file.display()
        ))),
        url => Ok(url.to_owned()),
    }
}

fn misconfigured(message: impl Into<String>) -> Failure {
    Failure::new(Exit::CONFIGURATION, message)
}

/// The user's own file, in a directory that others cannot read.
fn default_url() -> Result<String, Failure> {
    if !cfg!(feature = "sqlite") {
        return Err(misconfigured(
            "no store was named, and this `shedlock` was built without SQLite for a file of the user's own; set `SHEDLOCK_STORE`",
        ));
    }
    let folder = state_folder().ok_or_else(|| {
        misconfigured(
            "no store was named, and neither `XDG_STATE_HOME` nor `HOME` says where the user's own file is; \
             set `SHEDLOCK_STORE`",
        )
    })?;
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(|error| {
        misconfigured(format!(
            "cannot make the directory `{}` for the user's own locks: {error}; set `SHEDLOCK_STORE`",
            folder.display()
        ))
    })?;
    let file = folder.join("shedlock.db");
    let Some(path) = file.to_str() else {
        return Err(misconfigured(
            "the path of the user's own file is not valid UTF-8; set `SHEDLOCK_STORE`",
        ));
    };
    let path = utf8_percent_encode(path, IN_PATH);
    Ok(format!("sqlite://{path}?{}={KEPT}", stores::HISTORY))
}

fn state_folder() -> Option<PathBuf> {
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    Some(state?.join("shedlock"))
}
