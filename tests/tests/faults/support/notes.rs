//! What a child notes: one line per event, one `write` per line, so that a killed process loses none.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use shedlock_tests::holds::monotonic_nanos;

/// Where a child writes what it does, before it does it.
#[derive(Debug)]
pub(crate) struct Notes(File);

/// One line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// Nanoseconds of the machine's monotonic clock, read without the C library: an imitated clock does not reach it.
    pub(crate) at: u64,
    /// What happened.
    pub(crate) what: String,
}

impl Notes {
    pub(crate) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Self(file.expect("the directory is there"))
    }

    pub(crate) fn note(&self, what: &str) {
        let line = format!("{} {what}\n", monotonic_nanos());
        (&self.0)
            .write_all(line.as_bytes())
            .expect("the disk is not full");
    }
}

impl Note {
    pub(crate) fn read(path: &Path) -> Vec<Self> {
        // A child that has not begun has no notes.
        let notes = std::fs::read_to_string(path).unwrap_or_default();
        let whole = notes.rsplit_once('\n').map_or("", |(lines, _)| lines);
        let note = |line: &str| {
            let (at, what) = line.split_once(' ')?;
            let (at, what) = (at.parse().ok()?, what.to_owned());
            Some(Self { at, what })
        };
        whole
            .lines()
            .map(|line| note(line).unwrap_or_else(|| panic!("not a note: `{line}`")))
            .collect()
    }
}
