//! Which locks the table shows, in which order, and which one is selected.

use std::cmp::{Ordering, Reverse};

use shedlock_dashboard::{LockRow, Snapshot};
use shedlock_runtime::printable;

/// The order of the locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Sort {
    #[default]
    Name,
    State,
    Left,
    Held,
    Holder,
}

impl Sort {
    const ALL: [Self; 5] = [
        Self::Name,
        Self::State,
        Self::Left,
        Self::Held,
        Self::Holder,
    ];

    pub(super) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self);
        let next = at.map_or(0, |at| (at + 1) % Self::ALL.len());
        Self::ALL.get(next).copied().unwrap_or_default()
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Left => "time left",
            Self::Held => "time held",
            Self::Holder => "holder",
        }
    }

    /// The order of two locks whose names do not decide. What has no time comes last.
    fn compare(self, a: &LockRow, b: &LockRow) -> Ordering {
        let left = |row: &LockRow| (!row.info.is_held(), row.info.remaining);
        match self {
            Self::Name => Ordering::Equal,
            Self::State => a.state.cmp(&b.state),
            Self::Left => left(a).cmp(&left(b)),
            Self::Held => Reverse(a.held_for).cmp(&Reverse(b.held_for)),
            Self::Holder => {
                let is_free = |row: &LockRow| !row.info.is_held();
                let nodes = || a.info.node.cmp(&b.info.node);
                is_free(a).cmp(&is_free(b)).then_with(nodes)
            }
        }
    }
}

/// The locks that the table shows.
#[derive(Debug, Default)]
pub(super) struct Table {
    filter: Vec<String>,
    sort: Sort,
    /// Places in the snapshot.
    order: Vec<usize>,
    /// The name of the selected lock and its place in `order`.
    selected: Option<(String, usize)>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn sort(&self) -> Sort {
        self.sort
    }

    pub(super) fn set_sort(&mut self, sort: Sort, snapshot: Option<&Snapshot>) {
        self.sort = sort;
        self.arrange(snapshot);
    }

    pub(super) fn is_filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// Shows only the locks with each of the words of `filter` in their name, holder or state, whatever the case.
    pub(super) fn set_filter(&mut self, filter: &str, snapshot: Option<&Snapshot>) {
        self.filter = filter.split_whitespace().map(str::to_lowercase).collect();
        self.arrange(snapshot);
    }

    /// Chooses and sorts the locks of a new snapshot. The selected lock stays selected wherever it goes.
    pub(super) fn arrange(&mut self, snapshot: Option<&Snapshot>) {
        let locks = snapshot.map_or(&[][..], |snapshot| &snapshot.locks);
        self.order = (0..locks.len())
            .filter(|at| locks.get(*at).is_some_and(|row| self.accepts(row)))
            .collect();
        // The locks come sorted by name, and a stable sort leaves them so where it does not matter.
        self.order
            .sort_by(|a, b| match (locks.get(*a), locks.get(*b)) {
                (Some(a), Some(b)) => self.sort.compare(a, b),
                _ => Ordering::Equal,
            });
        let place_of = |name: &str| {
            let is_it = |at: &usize| locks.get(*at).is_some_and(|row| row.info.name == name);
            self.order.iter().position(is_it)
        };
        let place = match &self.selected {
            Some((name, place)) => place_of(name).unwrap_or(*place),
            None => 0,
        };
        self.select(place, snapshot);
    }

    fn accepts(&self, row: &LockRow) -> bool {
        let has = |text: &str, word: &str| text.to_lowercase().contains(word);
        self.filter.iter().all(|word| {
            has(&printable(&row.info.name), word)
                || row.info.is_held() && has(&row.info.node, word)
                || row.state.as_str().contains(word.as_str())
        })
    }

    /// Selects the lock at this place of the table, or else the last one.
    pub(super) fn select(&mut self, place: usize, snapshot: Option<&Snapshot>) {
        let place = place.min(self.order.len().saturating_sub(1));
        let row = self.row(place, snapshot);
        self.selected = row.map(|row| (row.info.name.clone(), place));
    }

    pub(super) fn place(&self) -> usize {
        self.selected.as_ref().map_or(0, |(_, place)| *place)
    }

    pub(super) fn selected<'a>(&self, snapshot: Option<&'a Snapshot>) -> Option<&'a LockRow> {
        self.row(self.place(), snapshot)
    }

    /// The lock at this place of the table.
    pub(super) fn row<'a>(
        &self,
        place: usize,
        snapshot: Option<&'a Snapshot>,
    ) -> Option<&'a LockRow> {
        snapshot?.locks.get(*self.order.get(place)?)
    }
}
