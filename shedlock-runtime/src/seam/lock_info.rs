//! What a store knows of a lock, for operators.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::values::moment::Moment;
use crate::values::name::LockName;
use crate::values::operator_mark::OperatorMark;
use crate::values::owner::Owner;
use crate::values::position::Position;
use crate::values::printable::{Printable, printable};
use crate::values::short_duration::short_duration;

/// The state of one lock in its store, for operators.
///
/// All times are by the store's clock if the store has one, and by the client's UTC clock otherwise.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
///
/// use shedlock_runtime::LockInfo;
///
/// let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
/// let until = now + Duration::from_secs(90);
/// let info = LockInfo::from_record("mail", "app.example", Some(now), until, now).with_fencing_token(Some(33));
/// assert!(info.is_held());
/// assert_eq!(
///     info.to_string(),
///     "mail: held by app.example since 2023-11-14T22:13:20Z until 2023-11-14T22:14:50Z (1m 30s left), token 33"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockInfo {
    /// The name of the lock, unescaped. Before you print it, escape it by [`printable`].
    pub name: String,
    /// The node that holds the lock or held it last, escaped by [`printable`]. Empty if the store does not tell, or if an operator paused or
    /// released the lock since.
    pub node: String,
    /// When the last acquisition or pause began; `None` if the store does not tell.
    pub since: Option<SystemTime>,
    /// When the lock becomes free, or became free; `None` if the record does not tell.
    pub until: Option<SystemTime>,
    /// How long the lock stays taken if nobody extends or releases it; zero if the lock is free.
    pub remaining: Duration,
    /// The fencing token of the last acquisition; `None` if the store keeps no fencing tokens.
    pub fencing_token: Option<u64>,
    /// The slot, instant or step whose run began last; `None` if none has begun, or if the store keeps no positions.
    pub position: Option<Position>,
    /// Whether the lock is paused by an operator at this moment.
    pub paused: bool,
    /// Whether the last holder has released the lock; `None` if the record does not tell, as that of a JVM node, or if an operator paused or
    /// released the lock since. A taken lock that was released is kept by the `at_least` of a run that has ended. A free lock that was not
    /// released is one whose lease ended: its node crashed, was cut off from the store, or ran for longer than the lease.
    pub released: Option<bool>,
    /// The reason that an operator gave for the last pause or forced release, unescaped; `None` if a node took the lock since.
    pub reason: Option<String>,
    /// What is wrong with the lock's record; `None` if the record is in order. A field that a broken record does not tell is empty, zero or
    /// `None`.
    pub problem: Option<String>,
}

impl LockInfo {
    /// The state of a lock whose record tells when the lease ends. `since`, `until` and `now` are times of one clock.
    #[must_use]
    pub fn from_record(
        name: impl Into<String>,
        stored_owner: &str,
        since: Option<SystemTime>,
        until: SystemTime,
        now: SystemTime,
    ) -> Self {
        let remaining = until.duration_since(now).unwrap_or_default();
        Self {
            since,
            until: Some(until),
            ..Self::from_remaining(name, stored_owner, remaining)
        }
    }

    /// The state of a lock in a store that deletes the record after `remaining`, and tells no times of day.
    #[must_use]
    pub fn from_remaining(
        name: impl Into<String>,
        stored_owner: &str,
        remaining: Duration,
    ) -> Self {
        let (name, mark) = (name.into(), OperatorMark::parse(stored_owner));
        Self {
            // Other programs can write to the store too, and may write any text.
            problem: LockName::new(&name).err().map(|error| error.to_string()),
            name,
            node: match &mark {
                Some(_) => String::new(),
                None => printable(Owner::node_of(stored_owner)).into_owned(),
            },
            since: None,
            until: None,
            remaining,
            fencing_token: None,
            position: None,
            paused: !remaining.is_zero() && mark.as_ref().is_some_and(OperatorMark::is_pause),
            released: match &mark {
                Some(_) => None,
                None => Owner::acquisition_of(stored_owner)
                    .map(|_acquisition| Owner::is_release(stored_owner)),
            },
            reason: mark.map(|mark| mark.reason().to_owned()),
        }
    }

    /// The state of a lock whose record cannot be read because of `problem`.
    #[must_use]
    pub fn unreadable(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::from_remaining(name, "", Duration::ZERO).with_problem(problem)
    }

    /// Adds the fencing token.
    #[must_use]
    pub fn with_fencing_token(mut self, token: Option<u64>) -> Self {
        self.fencing_token = token;
        self
    }

    /// Adds the slot, instant or step whose run began last.
    #[must_use]
    pub const fn with_position(mut self, position: Option<Position>) -> Self {
        self.position = position;
        self
    }

    /// Adds whether the last holder has released the lock, for a store that knows it by other means than the stored owner.
    #[must_use]
    pub const fn with_released(mut self, released: Option<bool>) -> Self {
        self.released = released;
        self
    }

    /// Adds what is wrong with the record. If a problem was added before, that one stays.
    #[must_use]
    pub fn with_problem(mut self, problem: impl Into<String>) -> Self {
        self.problem.get_or_insert_with(|| problem.into());
        self
    }

    /// Whether the lock is taken: by a holder, by the `at_least` of a run that has ended, or by a pause.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.remaining.is_zero()
    }
}

/// One line for an operator: the name, the state, the holder and the times. Names and reasons are escaped by [`printable`].
impl fmt::Display for LockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", Printable(&self.name))?;
        self.write_state(f)?;
        if let Some(token) = self.fencing_token {
            write!(f, ", token {token}")?;
        }
        if let Some(position) = self.position {
            write!(f, ", position {position}")?;
        }
        if let Some(reason) = self.reason.as_deref().filter(|reason| !reason.is_empty()) {
            write!(f, ", {}", Printable(reason))?;
        }
        if let Some(problem) = &self.problem {
            write!(f, "; {}", Printable(problem))?;
        }
        Ok(())
    }
}

impl LockInfo {
    fn write_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_held() {
            f.write_str("free")?;
            return self
                .until
                .map_or(Ok(()), |until| write!(f, " since {}", Moment(until)));
        }
        if self.paused {
            f.write_str("paused")?;
        } else {
            let by = if self.node.is_empty() { "" } else { " by " };
            write!(f, "held{by}{}", Printable(&self.node))?;
            if let Some(since) = self.since {
                write!(f, " since {}", Moment(since))?;
            }
        }
        if let Some(until) = self.until {
            write!(f, " until {}", Moment(until))?;
        }
        write!(f, " ({} left)", short_duration(self.remaining))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::values::node::node_name;

    #[test]
    fn the_stored_owner_tells_whether_the_lock_was_released() {
        let owner = Owner::generate(&node_name("web-2")).unwrap();
        let released = |stored: &str| {
            LockInfo::from_record("mail", stored, None, UNIX_EPOCH, UNIX_EPOCH).released
        };
        assert_eq!(released(owner.first_write().stored()), Some(false));
        assert_eq!(released(owner.next_write().stored()), Some(false));
        assert_eq!(released(owner.release_write().stored()), Some(true));
        assert_eq!(released("app.example"), None, "a JVM node");
        assert_eq!(released("released: its node is gone"), None);
        assert_eq!(released(""), None);
    }
}
