//! One file: what it may say, and who may read it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfiguredStore;
use super::defaults::{Defaults, Options};
use super::keys;
use crate::exit::{Exit, Failure};
use crate::output::LogFormat;
use crate::secret::{FileText, Secret};
use crate::stores;

/// What a file may say.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Configuration {
    store: Option<Secret>,
    store_file: Option<PathBuf>,
    node: Option<String>,
    color: Option<When>,
    log_format: Option<LogFormat>,
    /// For all locks.
    run: Options,
    /// For the lock of this name.
    lock: BTreeMap<String, Options>,
}

/// When output is coloured.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum When {
    Auto,
    Always,
    Never,
}

/// A value as an argument has it, in JSON.
fn json(value: &impl Serialize) -> serde_json::Value {
    // A text or the name of a variant is always JSON.
    serde_json::to_value(value).unwrap_or_default()
}

pub(super) fn parse(path: &Path, text: &FileText) -> Result<Configuration, Failure> {
    let wrong = |at: Option<usize>, problem: &str| {
        let line = at.map(|at| {
            text.text
                .bytes()
                .take(at)
                .filter(|byte| *byte == b'\n')
                .count()
                + 1
        });
        let line = line.map_or_else(String::new, |line| format!(", line {line}"));
        let path = path.display();
        Failure::new(
            Exit::CONFIGURATION,
            format!("in the configuration `{path}`{line}: {problem}"),
        )
    };
    // The text of an error would show the line, which may have a password in it. Its message does not.
    let not_read =
        |error: &toml::de::Error| wrong(error.span().map(|span| span.start), error.message());
    if let Some(unknown) = keys::unknown(&text.text).map_err(|error| not_read(&error))? {
        return Err(wrong(Some(unknown.at), &unknown.told()));
    }
    let mut file: Configuration = toml::from_str(&text.text).map_err(|error| not_read(&error))?;
    if file.store.is_some() && file.store_file.is_some() {
        return Err(wrong(
            None,
            "`store` and `store_file` both say where the locks are; leave one of them out",
        ));
    }
    if let Some(mode) = text.open_to.filter(|_| file.has_secret()) {
        return Err(wrong(
            None,
            &format!(
                "others can read the password or the ping URL in it (mode {mode:04o}); run `chmod 600` on the file"
            ),
        ));
    }
    // A relative path means the same from everywhere.
    if let (Some(store_file), Some(folder)) = (&mut file.store_file, path.parent()) {
        *store_file = folder.join(&*store_file);
    }
    Ok(file)
}

impl Configuration {
    fn has_secret(&self) -> bool {
        let store = self
            .store
            .as_ref()
            .is_some_and(|url| stores::has_secret(url.reveal()));
        store || self.has_ping()
    }

    #[cfg(feature = "ping")]
    fn has_ping(&self) -> bool {
        let mut all = self.lock.values().chain([&self.run]);
        all.any(|options| options.ping.is_some())
    }

    #[cfg(not(feature = "ping"))]
    #[allow(clippy::unused_self, reason = "pings are left out")]
    fn has_ping(&self) -> bool {
        false
    }

    pub(super) fn store(&self) -> Option<ConfiguredStore> {
        let url = self.store.clone().map(ConfiguredStore::Url);
        url.or_else(|| self.store_file.clone().map(ConfiguredStore::File))
    }

    /// What it says of all commands, and, for one that takes a lock, of the lock.
    pub(super) fn defaults(&self, takes_lock: bool, lock: Option<&str>) -> Defaults {
        let mut defaults = Defaults::default();
        let globals = [
            ("node", json(&self.node)),
            ("color", json(&self.color)),
            ("log_format", json(&self.log_format)),
        ];
        let globals = globals.into_iter().filter(|(_, value)| !value.is_null());
        defaults.add(globals.map(|(name, value)| (name.to_owned(), value)));
        if takes_lock {
            defaults.add(self.run.given());
        }
        if let Some(options) = lock.and_then(|lock| self.lock.get(lock)) {
            defaults.add(options.given());
        }
        defaults
    }

    /// The names that stand outside of tables.
    pub(super) fn names() -> Vec<String> {
        match serde_json::to_value(Self::default()) {
            Ok(serde_json::Value::Object(all)) => all.into_iter().map(|(name, _)| name).collect(),
            _ => Vec::new(),
        }
    }
}
