//! Keys of a file that mean nothing, and the key that was probably meant.

use shedlock_runtime::printable;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::defaults::Options;
use super::file::Configuration;

/// As clap has it for options: below this, two names have nothing to do with each other.
const ALIKE: f64 = 0.7;

/// A key that means nothing where it stands.
#[derive(Debug)]
pub(super) struct Unknown {
    /// Where it stands in the text.
    pub(super) at: usize,
    key: String,
    is_of_table: bool,
}

/// The first key of the text that means nothing.
pub(super) fn unknown(text: &str) -> Result<Option<Unknown>, Error> {
    let all = DeTable::parse(text)?.into_inner();
    let options = Options::names();
    if let Some(found) = stranger(&all, &Configuration::names(), false) {
        return Ok(Some(found));
    }
    let tables = all.get("run").into_iter().chain(
        all.get("lock")
            .and_then(|locks| locks.get_ref().as_table())
            .into_iter()
            .flat_map(|locks| locks.values()),
    );
    Ok(tables
        .filter_map(|table: &Spanned<DeValue<'_>>| table.get_ref().as_table())
        .find_map(|table| stranger(table, &options, true)))
}

fn stranger(table: &DeTable<'_>, known: &[String], is_of_table: bool) -> Option<Unknown> {
    let strangers = table
        .keys()
        .filter(|key| !known.iter().any(|name| *name == *key.get_ref()));
    let first = strangers.min_by_key(|key| key.span().start)?;
    Some(Unknown {
        at: first.span().start,
        key: first.get_ref().to_string(),
        is_of_table,
    })
}

impl Unknown {
    /// What is wrong, and what to write instead.
    pub(super) fn told(&self) -> String {
        let key = printable(&self.key);
        let (here, elsewhere) = if self.is_of_table {
            (Options::names(), Configuration::names())
        } else {
            (Configuration::names(), Options::names())
        };
        if elsewhere.contains(&self.key) {
            let remedy = if self.is_of_table {
                "it stands above all tables"
            } else {
                "it belongs into the table `[run]`, or `[lock.NAME]` for one lock"
            };
            return format!("the key `{key}` does not belong here: {remedy}");
        }
        let alike = here
            .iter()
            .map(|name| (strsim::jaro_winkler(name, &self.key), name));
        let nearest = alike.max_by(|one, other| one.0.total_cmp(&other.0));
        match nearest.filter(|(similarity, _)| *similarity > ALIKE) {
            Some((_, name)) => format!("unknown key `{key}`; did you mean `{name}`?"),
            None => format!("unknown key `{key}`; the keys here are {}", here.join(", ")),
        }
    }
}
