//! What a node notes: one line per event, one `write` per line, so that a killed process loses none.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::str::FromStr;

use shedlock_tests::holds::monotonic_nanos;

/// One line of a node's notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    /// Nanoseconds of the machine's monotonic clock.
    pub(crate) at: u64,
    pub(crate) event: Event,
    /// The fencing token of a run, otherwise zero.
    pub(crate) token: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// The locked function is called.
    Ask,
    /// Its body begins.
    Enter,
    /// Its body goes on.
    Step,
    /// Its body ends.
    Exit,
    /// The call was skipped.
    Skip,
    /// The call failed.
    Fail,
}

const NAMES: [(&str, Event); 6] = [
    ("ask", Event::Ask),
    ("enter", Event::Enter),
    ("step", Event::Step),
    ("exit", Event::Exit),
    ("skip", Event::Skip),
    ("fail", Event::Fail),
];

impl FromStr for Record {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<_> = line.split(' ').collect();
        let [at, event, token] = words[..] else {
            return Err(format!("not a record: `{line}`"));
        };
        let event = NAMES.iter().find(|(name, _)| *name == event);
        match (at.parse(), event, token.parse()) {
            (Ok(at), Some((_, event)), Ok(token)) => Ok(Self {
                at,
                event: *event,
                token,
            }),
            _ => Err(format!("not a record: `{line}`")),
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES
            .iter()
            .find(|(_, event)| *event == self.event)
            .map_or("?", |(name, _)| name);
        write!(f, "{} {name} {}", self.at, self.token)
    }
}

/// A node's notes.
#[derive(Debug)]
pub(crate) struct Notes(File);

impl Notes {
    pub(crate) fn open(path: &Path) -> Self {
        Self(
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .unwrap(),
        )
    }

    pub(crate) fn note(&self, event: Event, token: u64) {
        let record = Record {
            at: monotonic_nanos(),
            event,
            token,
        };
        (&self.0)
            .write_all(format!("{record}\n").as_bytes())
            .unwrap();
    }
}
