//! What the screen is about to show. It changes by events alone, and does no I/O.

use std::time::Duration;

use crossterm::event::KeyEvent;
use shedlock_dashboard::{LockRow, Snapshot};

use super::deed::Deed;
use super::form::{Field, Form};
use super::table::Table;
use crate::view::times::Zone;

mod keys;

/// What does not change while the program runs.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) zone: Zone,
    /// How long the program waits between two looks at the store.
    pub(super) every: Duration,
    pub(super) has_colors: bool,
}

/// Something that has happened.
#[derive(Debug)]
pub(super) enum Event {
    Key(KeyEvent),
    /// The store was read, or was not: then the text says why, in one line.
    Read(Result<Snapshot, String>),
    /// What [`Effect::Do`] asked for is done, or is not.
    Done(Result<String, String>),
    /// Time has passed, or the size of the terminal has changed.
    Tick,
}

/// What is to be done for the user.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Quit,
    /// Let the shell have the terminal.
    Suspend,
    Do(Deed),
    /// Read the store now.
    Read,
}

/// What the screen shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum View {
    List,
    /// One lock, from this one of its runs on.
    Detail {
        lock: String,
        from: usize,
    },
    Help,
}

/// What the keys type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Prompt {
    Filter(Field),
    Form(Form),
}

/// What was read, and when, counted from the start of the program.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) snapshot: Snapshot,
    pub(super) at: Duration,
}

/// A line for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) is_error: bool,
}

/// Everything that a frame shows.
#[derive(Debug)]
pub(super) struct App {
    pub(super) settings: Settings,
    pub(super) view: View,
    pub(super) prompt: Option<Prompt>,
    pub(super) table: Table,
    pub(super) filter: String,
    pub(super) seen: Option<Seen>,
    /// What was read since the screen was frozen.
    newer: Option<Seen>,
    pub(super) is_frozen: bool,
    /// Why the last look at the store failed.
    pub(super) failure: Option<String>,
    pub(super) said: Option<Said>,
    /// What is being done for the user.
    pub(super) doing: Option<String>,
    /// Counted from the start of the program.
    pub(super) now: Duration,
}

impl App {
    pub(super) fn new(settings: Settings, filter: &str) -> Self {
        let mut table = Table::default();
        table.set_filter(filter, None);
        Self {
            settings,
            view: View::List,
            prompt: None,
            table,
            filter: filter.to_owned(),
            seen: None,
            newer: None,
            is_frozen: false,
            failure: None,
            said: None,
            doing: None,
            now: Duration::ZERO,
        }
    }

    pub(super) fn snapshot(&self) -> Option<&Snapshot> {
        self.seen.as_ref().map(|seen| &seen.snapshot)
    }

    /// The lock with this name, if the store has a record of it.
    pub(super) fn lock(&self, name: &str) -> Option<&LockRow> {
        self.snapshot()?.lock(name)
    }

    /// The name of the lock that the keys are about.
    fn target(&self) -> Option<String> {
        match &self.view {
            View::Detail { lock, .. } => Some(lock.clone()),
            View::List | View::Help => {
                let selected = self.table.selected(self.snapshot())?;
                Some(selected.info.name.clone())
            }
        }
    }

    /// How old the facts on the screen are; `None` if there are none yet.
    pub(super) fn age(&self) -> Option<Duration> {
        let seen = self.seen.as_ref()?;
        Some(self.now.saturating_sub(seen.at))
    }

    /// Takes in what has happened `at` this time, and returns what is to be done about it.
    pub(super) fn update(&mut self, event: Event, at: Duration) -> Option<Effect> {
        self.now = at;
        match event {
            Event::Key(key) => self.press(key),
            Event::Read(Ok(snapshot)) => {
                self.failure = None;
                self.see(Seen { snapshot, at });
                None
            }
            Event::Read(Err(failure)) => {
                self.failure = Some(failure);
                None
            }
            Event::Done(done) => {
                self.doing = None;
                let is_error = done.is_err();
                let (Ok(text) | Err(text)) = done;
                self.said = Some(Said { text, is_error });
                Some(Effect::Read)
            }
            Event::Tick => None,
        }
    }

    fn see(&mut self, seen: Seen) {
        if self.is_frozen {
            self.newer = Some(seen);
            return;
        }
        let seen = self.seen.insert(seen);
        self.table.arrange(Some(&seen.snapshot));
    }

    fn set_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.filter);
        let snapshot = self.seen.as_ref().map(|seen| &seen.snapshot);
        self.table.set_filter(filter, snapshot);
    }
}
