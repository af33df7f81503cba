//! The defaults of the options of `run`, as a table of the file has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::{OnError, OnLost, duration};
#[cfg(feature = "ping")]
use crate::secret::Secret;

/// Options of which one at most makes sense: a value for one of them ends those of the others that were said more generally.
const ALTERNATIVES: &[&[&str]] = &[
    &["keep_alive", "no_keep_alive"],
    &["once_per", "instant", "step"],
    &["verbose", "quiet"],
];

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
    fn given(&self) -> impl Iterator<Item = (String, Value)> {
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

/// What several tables say together.
#[derive(Debug, Default)]
pub(super) struct Defaults(BTreeMap<String, Value>);

impl Defaults {
    /// Adds a table that counts before those that were added earlier.
    pub(super) fn add(&mut self, options: &Options) {
        let given: Vec<_> = options.given().collect();
        for (name, _) in &given {
            self.end_alternatives(name);
        }
        self.0.extend(given);
    }

    /// Takes out what an option that is given elsewhere makes void.
    pub(super) fn end_alternatives(&mut self, name: &str) {
        let others = ALTERNATIVES.iter().filter(|set| set.contains(&name));
        for other in others.copied().flatten().filter(|other| **other != name) {
            self.0.remove(*other);
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
            defaults.add(&toml::from_str(table).unwrap());
        }
        for name in given {
            defaults.end_alternatives(name);
        }
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
    }
}
