//! The text of a Prometheus exporter.

use std::collections::{BTreeMap, BTreeSet};

/// Each label of a metric, and the values that it had.
pub(crate) type Labels = BTreeMap<String, BTreeSet<String>>;

#[derive(Debug)]
pub(crate) struct Exported {
    pub(crate) text: String,
    /// The kind of each metric.
    pub(crate) types: BTreeMap<String, String>,
    samples: BTreeMap<String, Labels>,
}

impl Exported {
    /// # Panics
    ///
    /// If it is not in the format of an exporter.
    pub(crate) fn new(text: String) -> Self {
        let mut types = BTreeMap::new();
        let mut samples = BTreeMap::<String, Labels>::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(typed) = line.strip_prefix("# TYPE ") {
                let (name, kind) = typed.split_once(' ').unwrap();
                types.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (name, rest) = line.split_once('{').unwrap();
                // A template has braces, too.
                let (labels, _value) = rest.rsplit_once("} ").unwrap();
                let sample = samples.entry(name.to_owned()).or_default();
                for label in labels.split(',') {
                    let (label, value) = label.split_once('=').unwrap();
                    let values = sample.entry(label.to_owned()).or_default();
                    values.insert(value.trim_matches('"').to_owned());
                }
            }
        }
        Self {
            text,
            types,
            samples,
        }
    }

    pub(crate) fn labels(&self, sample: &str) -> Option<&Labels> {
        self.samples.get(sample)
    }

    /// The metric that a sample belongs to.
    pub(crate) fn family<'s>(&self, sample: &'s str) -> Option<&'s str> {
        let parts = ["", "_bucket", "_sum", "_count"];
        let names = parts.iter().filter_map(|part| sample.strip_suffix(part));
        names
            .into_iter()
            .find(|name| self.types.contains_key(*name))
    }
}
