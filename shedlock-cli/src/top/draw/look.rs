//! Colours and signs. Each sign stands next to its word, so that nobody has to tell colours or signs apart.

use std::time::Duration;

use ratatui::style::{Color, Modifier, Style};
use shedlock_dashboard::LockState;
use shedlock_runtime::RunOutcome;

/// Below this part of its lease, a lock needs a look; below half of that, at once.
const LITTLE: u32 = 5;

/// With colours or without.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    has_colors: bool,
}

impl Look {
    pub(super) fn new(has_colors: bool) -> Self {
        Self { has_colors }
    }

    fn colored(self, color: Color) -> Style {
        if self.has_colors {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    pub(super) fn good(self) -> Style {
        self.colored(Color::Green)
    }

    pub(super) fn careful(self) -> Style {
        self.colored(Color::Yellow)
    }

    pub(super) fn bad(self) -> Style {
        self.colored(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn calm(self) -> Style {
        self.colored(Color::Cyan)
    }

    pub(super) fn faint() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn strong() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn selected() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn of_state(self, state: LockState) -> Style {
        match state {
            LockState::Held => self.good(),
            LockState::AtLeast => self.calm(),
            LockState::Paused => self.careful(),
            LockState::Free => Self::faint(),
            _ => self.bad(),
        }
    }

    pub(super) fn of_outcome(self, outcome: RunOutcome) -> Style {
        match outcome {
            RunOutcome::Completed => self.good(),
            RunOutcome::ShutDown => self.careful(),
            _ => self.bad(),
        }
    }

    /// Of the bar of a lease. Only a lease that should not end is a matter of concern when it does.
    pub(super) fn of_lease(self, state: LockState, left: Duration, whole: Duration) -> Style {
        if state != LockState::Held {
            return self.of_state(state);
        }
        if left * LITTLE * 2 <= whole {
            self.bad()
        } else if left * LITTLE <= whole {
            self.careful()
        } else {
            self.good()
        }
    }
}

pub(super) fn sign_of_state(state: LockState) -> char {
    match state {
        LockState::Held => '●',
        LockState::AtLeast => '◐',
        LockState::Paused => '‖',
        LockState::Free => '○',
        LockState::Expired => '✖',
        _ => '?',
    }
}

/// Of runs that did not complete; those that did are shown by how long they took.
pub(super) fn sign_of_outcome(outcome: RunOutcome) -> Option<char> {
    match outcome {
        RunOutcome::Completed => None,
        RunOutcome::ShutDown => Some('-'),
        _ => Some('×'),
    }
}
