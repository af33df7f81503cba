//! What the query of a page asks for. What it does not understand, it takes for the default, so that an old bookmark still works.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{LockRow, LockState, Snapshot};

/// How many locks a page of the list has.
pub(super) const ROWS: usize = 50;

/// What the list shows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    /// A part of the name or of the holder, in any case.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) q: String,
    /// The word of a state.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) sort: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) window: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) page: String,
}

/// Which lock a page shows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LockQuery {
    pub(super) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) window: String,
    /// What was done a moment ago.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) done: String,
}

/// How much of the past the lanes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) word: &'static str,
    pub(super) length: Duration,
}

const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) const WINDOWS: [Window; 4] = [
    Window {
        word: "10m",
        length: Duration::from_secs(10 * 60),
    },
    Window {
        word: "1h",
        length: HOUR,
    },
    Window {
        word: "6h",
        length: Duration::from_secs(6 * 60 * 60),
    },
    Window {
        word: "24h",
        length: Duration::from_secs(24 * 60 * 60),
    },
];

impl Window {
    pub(super) fn from_word(word: &str) -> Self {
        let found = WINDOWS.iter().find(|window| window.word == word);
        found.copied().unwrap_or(WINDOWS[1])
    }
}

/// By what the list is sorted: the word in the query, and the heading of the column.
pub(super) const SORTS: [(&str, &str); 5] = [
    ("state", "State"),
    ("name", "Lock"),
    ("holder", "Holder"),
    ("held", "Held for"),
    ("left", "Lease left"),
];

pub(super) const STATES: [LockState; 6] = [
    LockState::Unreadable,
    LockState::Expired,
    LockState::Held,
    LockState::AtLeast,
    LockState::Paused,
    LockState::Free,
];

/// The rows of one page of the list.
#[derive(Debug)]
pub(super) struct Selected<'a> {
    pub(super) rows: Vec<&'a LockRow>,
    /// How many locks there are on all pages.
    pub(super) matching: usize,
    /// The number of this page; the first is 1.
    pub(super) page: usize,
    pub(super) pages: usize,
}

impl ListQuery {
    /// This query as part of a URL.
    pub(super) fn encoded(&self) -> String {
        // Six texts: there is nothing in them that cannot be encoded.
        serde_urlencoded::to_string(self).unwrap_or_default()
    }

    pub(super) fn state(&self) -> Option<LockState> {
        LockState::from_word(&self.state)
    }

    pub(super) fn sort(&self) -> &'static str {
        let found = SORTS.iter().find(|(word, _)| *word == self.sort);
        found.unwrap_or(&SORTS[0]).0
    }

    pub(super) fn window(&self) -> Window {
        Window::from_word(&self.window)
    }

    pub(super) fn select<'a>(&self, snapshot: &'a Snapshot) -> Selected<'a> {
        let wanted = self.q.trim().to_lowercase();
        let state = self.state();
        let mut rows: Vec<&LockRow> = snapshot
            .locks
            .iter()
            .filter(|row| state.is_none_or(|state| row.state == state))
            .filter(|row| {
                wanted.is_empty()
                    || row.info.name.to_lowercase().contains(&wanted)
                    || (row.info.is_held() && row.info.node.to_lowercase().contains(&wanted))
            })
            .collect();
        let order = self.order();
        rows.sort_by(|a, b| order(a, b));
        let matching = rows.len();
        let pages = matching.div_ceil(ROWS).max(1);
        let page = self.page.parse().unwrap_or(1).clamp(1, pages);
        let rows = rows.into_iter().skip((page - 1) * ROWS).take(ROWS);
        Selected {
            rows: rows.collect(),
            matching,
            page,
            pages,
        }
    }

    /// Locks that are equal in this order stay sorted by their names.
    fn order(&self) -> fn(&LockRow, &LockRow) -> Ordering {
        match self.sort() {
            "name" => |_, _| Ordering::Equal,
            "holder" => |a, b| {
                let holder = |row: &LockRow| (!row.info.is_held(), row.info.node.clone());
                holder(a).cmp(&holder(b))
            },
            "held" => |a, b| b.held_for.cmp(&a.held_for),
            "left" => |a, b| {
                let left = |row: &LockRow| (!row.info.is_held(), row.info.remaining);
                left(a).cmp(&left(b))
            },
            _ => |a, b| a.state.cmp(&b.state),
        }
    }
}

/// The part of a URL that names a lock.
pub(super) fn encoded_name(name: &str) -> String {
    serde_urlencoded::to_string([("name", name)]).unwrap_or_default()
}
