//! What can be done with a lock.

use serde::Deserialize;

/// What can be done with a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deed {
    Pause,
    Resume,
    Release,
}

impl Deed {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Release => "release",
        }
    }
}
