//! The defaults of options: those of `run` as a table of the file has them, and what several tables and the variables say together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::{OnError, OnLost, duration};
#[cfg(feature = "ping")]
use crate::secret::Secret;

/// What `attempts` are counted for.
const POSITION: &[&str] = &["once_per", "instant", "step"];
/// Options of which one at most makes sense: a value for one of them ends those of the others that were said more generally.
const ALTERNATIVES: &[&[&str]] = &[
    &["keep_alive", "no_keep_alive"],
    POSITION,
    &["verbose", "quiet"],
    &["json", "ndjson", "csv"],
    &["watch", "json"],
    &["watch", "csv"],
];

/// The options that make no sense together with `option`.
pub(super) fn alternatives(option: &str) -> impl Iterator<Item = &'static str> {
    let sets = ALTERNATIVES.iter().filter(move |set| set.contains(&option));
    sets.copied()
        .flatten()
        .copied()
        .filter(move |other| *other != option)
}

/// The options of `run` that a file may give, under their names with `_` for `-`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    at_most: Option<Length>,
    at_least: Option<Length>,
    wait: Option<Length>,
    timeout: Option<Length>,
    keep_alive: Option<Length>,
    no_keep_alive: Option<bool>,
    on_lost: Option<OnLost>,
    on_error: Option<OnError>,
    kill_after: Option<Length>,
    leave_processes: Option<bool>,
    once_per: Option<Length>,
    attempts: Option<u32>,
    busy_exit: Option<u8>,
    quiet_busy: Option<bool>,
    verbose: Option<bool>,
    quiet: Option<bool>,
    #[cfg(feature = "ping")]
    pub(super) ping: Option<Secret>,
}

/// A duration, which is checked where the file is read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Length(String);

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        duration(&text)?;
        Ok(Self(text))
    }
}

impl Options {
    /// The options that the table gives, and their values.
    pub(super) fn given(&self) -> impl Iterator<Item = (String, Value)> {
        let given = match serde_json::to_value(self) {
            Ok(Value::Object(all)) => all,
            // A struct whose fields are texts, numbers and truth values is an object.
            _ => serde_json::Map::new(),
        };
        given.into_iter().filter(|(_, value)| !value.is_null())
    }

    /// The names of all options that a file may give.
    pub(super) fn names() -> Vec<String> {
        match serde_json::to_value(Self::default()) {
            Ok(Value::Object(all)) => all.into_iter().map(|(name, _)| name).collect(),
            _ => Vec::new(),
        }
    }
}

/// What several tables and the variables say together.
#[derive(Debug, Default)]
pub(super) struct Defaults(BTreeMap<String, Value>);

impl Defaults {
    /// Adds values that count before those that were added earlier.
    pub(super) fn add(&mut self, values: impl IntoIterator<Item = (String, Value)>) {
        let values: Vec<_> = values.into_iter().collect();
        // A flag that is not set excludes nothing.
        for (name, _) in values
            .iter()
            .filter(|(_, value)| *value != Value::Bool(false))
        {
            self.end_alternatives(name);
        }
        self.0.extend(values);
    }

    /// Adds what counts before all that was added earlier.
    pub(super) fn add_all(&mut self, more: Self) {
        self.add(more.0);
    }

    /// Takes out what the options that are given elsewhere make void.
    pub(super) fn yield_to(&mut self, given: &[String]) {
        for name in given {
            self.end_alternatives(name);
        }
        let has_position = given.iter().any(|name| POSITION.contains(&name.as_str()));
        if !has_position && !self.has_position() {
            self.0.remove("attempts");
        }
    }

    /// Whether there is a slot, an instant or a step.
    pub(super) fn has_position(&self) -> bool {
        POSITION.iter().any(|name| self.0.contains_key(*name))
    }

    fn end_alternatives(&mut self, name: &str) {
        for other in alternatives(name) {
            self.0.remove(other);
        }
    }

    /// The names of options, and their values as an argument would have them.
    pub(super) fn values(&self) -> impl Iterator<Item = (&String, String)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Value::String(text) => Some((name, text.clone())),
            // A flag that is not set needs no default.
            Value::Bool(false) => None,
            other => Some((name, other.to_string())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(tables: &[&str], given: &[&str]) -> String {
        let mut defaults = Defaults::default();
        for table in tables {
            let table: Options = toml::from_str(table).unwrap();
            defaults.add(table.given());
        }
        let given: Vec<_> = given.iter().map(ToString::to_string).collect();
        defaults.yield_to(&given);
        let values = defaults
            .values()
            .map(|(name, value)| format!("{name}={value}"));
        values.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_table_of_a_lock_counts_before_the_one_of_all() {
        let all = "at_most = '10m'\nbusy_exit = 0\nquiet_busy = true";
        assert_eq!(
            values(&[all], &[]),
            "at_most=10m busy_exit=0 quiet_busy=true"
        );
        let one = "at_most = '1h'\nquiet_busy = false";
        assert_eq!(values(&[all, one], &[]), "at_most=1h busy_exit=0");
    }

    #[test]
    fn what_excludes_each_other_is_not_mixed_from_two_places() {
        let all = "keep_alive = '1s'\nquiet = true\nonce_per = '1h'";
        let one = "no_keep_alive = true\nverbose = true";
        assert_eq!(
            values(&[all, one], &["step"]),
            "no_keep_alive=true verbose=true"
        );
        let one = "quiet = false";
        assert_eq!(
            values(&["verbose = true", one], &[]),
            "verbose=true",
            "what is not set excludes nothing"
        );
    }

    #[test]
    fn attempts_are_for_those_who_have_something_to_attempt() {
        let all = "attempts = 3";
        assert_eq!(values(&[all], &[]), "");
        assert_eq!(values(&[all], &["step"]), "attempts=3");
        let one = "once_per = '1h'";
        assert_eq!(values(&[all, one], &[]), "attempts=3 once_per=1h");
    }
}
