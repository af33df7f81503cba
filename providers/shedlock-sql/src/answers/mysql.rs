//! The numbers by which MySQL and MariaDB answer, for the statements that say them and for who reads them; see
//! `sql/mysql/ANSWERS.md`.

use std::time::Duration;

/// Another request was faster, or a trigger of the table has taken the answer away.
pub(crate) const LOST_RACE: u64 = 0;
/// The row has another name, which the column's collation takes for this one.
pub(crate) const OTHER_NAME: u64 = 1;
/// The end of the row's lease is NULL.
pub(crate) const NO_END: u64 = 2;
/// Held by somebody else; the milliseconds that are left are added.
pub(crate) const HELD: u64 = 3;
/// This very request was granted before, and its lease has ended.
pub(crate) const TOO_LATE: u64 = 400_000_000_000_000;
/// Paused by an operator: added to what says "held".
pub(crate) const PAUSED: u64 = 500_000_000_000_000;
/// Ours. The answer is the fencing token, which is never less.
pub(crate) const GRANTED: u64 = 1_000_000_000_000_000;

/// A pause was written.
pub(crate) const PAUSE_WRITTEN: u64 = 2;
/// The end of a pause has passed, and nothing was written.
pub(crate) const END_HAS_PASSED: u64 = 0;

/// What MySQL or MariaDB says to a request for a lock, in the insert id of [`Statements::acquire`](crate::Statements::acquire).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use shedlock_sql::MySqlAcquired;
///
/// let remaining = Duration::from_millis(997);
/// assert_eq!(MySqlAcquired::from_insert_id(1_000), MySqlAcquired::Held { remaining });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MySqlAcquired {
    /// The lock is ours.
    Granted {
        /// The fencing token, where the table has a column for it.
        token: u64,
    },
    /// Somebody else holds the lock.
    Held {
        /// For so long.
        remaining: Duration,
    },
    /// An operator has paused the lock.
    Paused {
        /// For so long.
        remaining: Duration,
    },
    /// This very request was granted before, and its lease has ended.
    TooLate,
    /// The end of the row's lease is NULL.
    NoEnd,
    /// The row has another name, which the column's collation takes for this one.
    OtherName,
    /// Another request was faster. If a row was written nevertheless, a trigger has taken the answer away.
    LostRace,
}

impl MySqlAcquired {
    /// Reads the statement's insert id.
    #[must_use]
    pub const fn from_insert_id(id: u64) -> Self {
        match id {
            GRANTED.. => Self::Granted { token: id },
            FIRST_PAUSED.. => Self::Paused {
                remaining: Duration::from_millis(id - FIRST_PAUSED),
            },
            TOO_LATE => Self::TooLate,
            HELD.. => Self::Held {
                remaining: Duration::from_millis(id - HELD),
            },
            NO_END => Self::NoEnd,
            OTHER_NAME => Self::OtherName,
            LOST_RACE => Self::LostRace,
        }
    }
}

/// A pause that ends now.
const FIRST_PAUSED: u64 = PAUSED + HELD;

/// What MySQL or MariaDB says to a pause, in the insert id of [`AdminStatements::pause`](crate::AdminStatements::pause).
///
/// # Examples
///
/// ```
/// use shedlock_sql::MySqlPaused;
///
/// assert_eq!(MySqlPaused::from_insert_id(2), Some(MySqlPaused::Written));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MySqlPaused {
    /// The pause was written.
    Written,
    /// The end of the pause has passed, and nothing was written. If a row was written nevertheless, a trigger has taken the answer
    /// away.
    EndHasPassed,
    /// The row has another name, which the column's collation takes for this one.
    OtherName,
}

impl MySqlPaused {
    /// Reads the statement's insert id; nothing for a number that the statement does not give.
    #[must_use]
    pub const fn from_insert_id(id: u64) -> Option<Self> {
        match id {
            PAUSE_WRITTEN => Some(Self::Written),
            END_HAS_PASSED => Some(Self::EndHasPassed),
            OTHER_NAME => Some(Self::OtherName),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_meaning() {
        let read = MySqlAcquired::from_insert_id;
        let millis = Duration::from_millis;
        assert_eq!(read(LOST_RACE), MySqlAcquired::LostRace);
        assert_eq!(read(OTHER_NAME), MySqlAcquired::OtherName);
        assert_eq!(read(NO_END), MySqlAcquired::NoEnd);
        let held = |remaining| MySqlAcquired::Held { remaining };
        assert_eq!(read(HELD), held(Duration::ZERO));
        assert_eq!(read(TOO_LATE - 1), held(millis(TOO_LATE - 1 - HELD)));
        assert_eq!(read(TOO_LATE), MySqlAcquired::TooLate);
        let paused = |remaining| MySqlAcquired::Paused { remaining };
        assert_eq!(read(PAUSED + HELD), paused(Duration::ZERO));
        assert_eq!(read(PAUSED + HELD + 7), paused(millis(7)));
        assert_eq!(read(GRANTED), MySqlAcquired::Granted { token: GRANTED });
    }
}
