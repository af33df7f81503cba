//! Questions to the operator: a filter, a pause, a forced release.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use shedlock_runtime::{ToDuration as _, printable};

use super::deed::Deed;

/// How many characters an answer has at most: no reason and no name is longer.
const LONGEST: usize = 200;

/// A line that is being typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) label: &'static str,
    pub(super) text: String,
}

impl Field {
    pub(super) fn new(label: &'static str, text: &str) -> Self {
        Self {
            label,
            text: text.to_owned(),
        }
    }

    /// Types the key, if it is one that types.
    pub(super) fn press(&mut self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if control => self.text.clear(),
            KeyCode::Char('h') if control => drop(self.text.pop()),
            KeyCode::Char(c)
                if !control && !c.is_control() && self.text.chars().count() < LONGEST =>
            {
                self.text.push(c);
            }
            KeyCode::Backspace => drop(self.text.pop()),
            _ => {}
        }
    }
}

/// What a form asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Pause,
    Release,
}

/// Questions about one lock, which stays the same whatever the table shows meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) purpose: Purpose,
    /// The name of the lock, unescaped.
    pub(super) lock: String,
    pub(super) fields: [Field; 2],
    /// The field that is being typed.
    pub(super) at: usize,
    pub(super) error: Option<String>,
}

/// Where a form stands after a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    NotYet,
    Cancelled,
    Do(Deed),
}

impl Form {
    pub(super) fn pause(lock: &str) -> Self {
        let fields = [Field::new("for how long", "1h"), Field::new("why", "")];
        Self::new(Purpose::Pause, lock, fields)
    }

    pub(super) fn release(lock: &str) -> Self {
        let fields = [Field::new("its name, typed", ""), Field::new("why", "")];
        Self::new(Purpose::Release, lock, fields)
    }

    fn new(purpose: Purpose, lock: &str, fields: [Field; 2]) -> Self {
        Self {
            purpose,
            lock: lock.to_owned(),
            fields,
            at: 0,
            error: None,
        }
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Answer {
        match key.code {
            KeyCode::Esc => return Answer::Cancelled,
            KeyCode::Tab | KeyCode::BackTab | KeyCode::Down | KeyCode::Up => self.at = 1 - self.at,
            KeyCode::Enter => return self.enter(),
            _ => {
                self.error = None;
                if let Some(field) = self.fields.get_mut(self.at) {
                    field.press(key);
                }
            }
        }
        Answer::NotYet
    }

    /// Goes to the field whose answer is missing or wrong, or does what was asked for.
    fn enter(&mut self) -> Answer {
        if self.at == 0 {
            // An error in the first field is told before the second one is typed.
            self.error = self.problem_of_first();
            if self.error.is_none() {
                self.at = 1;
            }
            return Answer::NotYet;
        }
        if let Some(problem) = self.problem_of_first() {
            self.at = 0;
            self.error = Some(problem);
            return Answer::NotYet;
        }
        let [first, reason] = &self.fields;
        let (lock, reason) = (self.lock.clone(), reason.text.trim().to_owned());
        match (self.purpose, first.text.trim().to_duration()) {
            (Purpose::Pause, Ok(length)) => Answer::Do(Deed::Pause {
                lock,
                length,
                reason,
            }),
            (Purpose::Release, _) if !reason.is_empty() => {
                Answer::Do(Deed::Release { lock, reason })
            }
            _ => {
                self.error = Some("say why, for whoever looks at the lock later".to_owned());
                Answer::NotYet
            }
        }
    }

    fn problem_of_first(&self) -> Option<String> {
        let text = self.fields.first()?.text.trim();
        match self.purpose {
            Purpose::Pause => match text.to_duration() {
                Ok(length) if length.is_zero() => Some("a pause takes some time".to_owned()),
                Ok(_) => None,
                Err(error) => Some(error.to_string()),
            },
            // What cannot be typed is typed as it is shown.
            Purpose::Release if text == printable(&self.lock).trim() => None,
            Purpose::Release => Some("this is not the name of the lock".to_owned()),
        }
    }
}
