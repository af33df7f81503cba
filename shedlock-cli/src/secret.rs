//! Texts that nothing may show, and files that others must not read.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::input;

/// A text that is not printed, and not in `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

// Derived, it would print the secret.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The text of a file, and what is known of its readers.
#[derive(Debug)]
pub(crate) struct FileText {
    pub(crate) text: String,
    /// The mode of the file if others than its owner may use it.
    pub(crate) open_to: Option<u32>,
}

impl FileText {
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let text = input::read(file)?;
        // As for the private keys of PostgreSQL's clients: root may give its file to a group to read.
        let private = if metadata.uid() == 0 { 0o027 } else { 0o077 };
        let open_to = metadata.mode() & private;
        Ok(Self {
            text,
            open_to: (open_to != 0).then_some(metadata.mode() & 0o777),
        })
    }
}
