//! What keys do.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use shedlock_dashboard::LockState;
use shedlock_runtime::printable;

use super::{App, Effect, Prompt, Said, View};
use crate::top::deed::Deed;
use crate::top::form::{Answer, Field, Form};

/// How far a key for a page goes.
const PAGE: usize = 10;

impl App {
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Effect> {
        self.said = None;
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return Some(Effect::Quit),
                KeyCode::Char('z') => return Some(Effect::Suspend),
                _ => {}
            }
        }
        if let Some(prompt) = self.prompt.take() {
            return self.type_into(prompt, key);
        }
        match self.view {
            View::Help => {
                self.view = View::List;
                (key.code == KeyCode::Char('q')).then_some(Effect::Quit)
            }
            View::Detail { from, .. } => self.press_in_detail(from, key),
            View::List => self.press_in_list(key),
        }
    }

    fn type_into(&mut self, prompt: Prompt, key: KeyEvent) -> Option<Effect> {
        match prompt {
            Prompt::Filter(mut field) => {
                match key.code {
                    KeyCode::Enter => {}
                    KeyCode::Esc => self.set_filter(""),
                    _ => {
                        field.press(key);
                        self.set_filter(&field.text);
                        self.prompt = Some(Prompt::Filter(field));
                    }
                }
                None
            }
            Prompt::Form(mut form) => match form.press(key) {
                Answer::NotYet => {
                    self.prompt = Some(Prompt::Form(form));
                    None
                }
                Answer::Cancelled => None,
                Answer::Do(deed) => Some(self.act(deed)),
            },
        }
    }

    fn act(&mut self, deed: Deed) -> Effect {
        self.doing = Some(deed.doing());
        Effect::Do(deed)
    }

    fn press_in_detail(&mut self, from: usize, key: KeyEvent) -> Option<Effect> {
        let lock = self.target()?;
        let from = match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace => {
                self.view = View::List;
                return None;
            }
            KeyCode::Up | KeyCode::Char('k') => from.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => from + 1,
            KeyCode::PageUp => from.saturating_sub(PAGE),
            KeyCode::PageDown => from + PAGE,
            KeyCode::Home => 0,
            KeyCode::End => usize::MAX,
            _ => return self.press_anywhere(key),
        };
        let runs = self.lock(&lock).map_or(0, |row| row.runs.len());
        let from = from.min(runs.saturating_sub(1));
        self.view = View::Detail { lock, from };
        None
    }

    fn press_in_list(&mut self, key: KeyEvent) -> Option<Effect> {
        let place = self.table.place();
        let place = match key.code {
            KeyCode::Up | KeyCode::Char('k') => place.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => place + 1,
            KeyCode::PageUp => place.saturating_sub(PAGE),
            KeyCode::PageDown => place + PAGE,
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => usize::MAX,
            KeyCode::Enter => {
                if let Some(lock) = self.target() {
                    self.view = View::Detail { lock, from: 0 };
                }
                return None;
            }
            KeyCode::Esc if self.table.is_filtered() => {
                self.set_filter("");
                return None;
            }
            KeyCode::Esc => return Some(Effect::Quit),
            KeyCode::Char('f' | '/') => {
                self.prompt = Some(Prompt::Filter(Field::new("filter", &self.filter)));
                return None;
            }
            KeyCode::Char('s') => {
                let sort = self.table.sort().next();
                let snapshot = self.seen.as_ref().map(|seen| &seen.snapshot);
                self.table.set_sort(sort, snapshot);
                return None;
            }
            _ => return self.press_anywhere(key),
        };
        let snapshot = self.seen.as_ref().map(|seen| &seen.snapshot);
        self.table.select(place, snapshot);
        None
    }

    /// The keys that mean the same in the list and in the detail of a lock.
    fn press_anywhere(&mut self, key: KeyEvent) -> Option<Effect> {
        match key.code {
            KeyCode::Char('q') => return Some(Effect::Quit),
            KeyCode::Char('?') => self.view = View::Help,
            KeyCode::Char(' ') => self.freeze(),
            KeyCode::Char('p') => self.ask(Form::pause),
            KeyCode::Char('K') => self.ask(Form::release),
            KeyCode::Char('u') => return self.resume(),
            _ => {}
        }
        None
    }

    fn freeze(&mut self) {
        self.is_frozen = !self.is_frozen;
        if let Some(newer) = self.newer.take() {
            self.see(newer);
        }
    }

    fn ask(&mut self, form: fn(&str) -> Form) {
        if self.doing.is_none() {
            self.prompt = self.target().map(|lock| Prompt::Form(form(&lock)));
        }
    }

    fn resume(&mut self) -> Option<Effect> {
        if self.doing.is_some() {
            return None;
        }
        let lock = self.target()?;
        let state = self.lock(&lock).map(|row| row.state);
        if state == Some(LockState::Paused) {
            return Some(self.act(Deed::Resume { lock }));
        }
        let text = format!("{} is not paused", printable(&lock));
        self.said = Some(Said {
            text,
            is_error: true,
        });
        None
    }
}
