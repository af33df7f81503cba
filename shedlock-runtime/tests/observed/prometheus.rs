//! A recorder of a test's own, and what it exports.

use std::collections::BTreeMap;

use metrics::LocalRecorderGuard;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Records what this thread does.
pub(crate) struct Recorder {
    handle: PrometheusHandle,
    _guard: LocalRecorderGuard<'static>,
}

/// A sample without its value: the name, then `label=value` in order.
fn series(name: &str, labels: &[(&str, &str)]) -> String {
    let labels: BTreeMap<_, _> = labels.iter().copied().collect();
    let labels: Vec<_> = labels
        .iter()
        .map(|(label, value)| format!("{label}={value}"))
        .collect();
    format!("{name} {}", labels.join(" "))
}

impl Recorder {
    /// # Panics
    ///
    /// If the buckets are refused.
    pub(crate) fn start() -> Self {
        let builder = PrometheusBuilder::new().set_buckets(&[0.1, 10.0]);
        // For ever, so that no two recorders of this program have one address.
        let recorder: &'static _ = Box::leak(Box::new(builder.unwrap().build_recorder()));
        Self {
            handle: recorder.handle(),
            _guard: metrics::set_default_local_recorder(recorder),
        }
    }

    pub(crate) fn text(&self) -> String {
        self.handle.render()
    }

    /// Every sample about `lock`, and its value.
    pub(crate) fn all(&self, lock: &str) -> BTreeMap<String, f64> {
        let text = self.text();
        let samples = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        let samples = samples.map(|line| {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = sample.trim_end_matches('}').split_once('{').unwrap();
            let labels = labels
                .split(',')
                .map(|label| label.split_once('=').unwrap());
            let labels: Vec<_> = labels
                .map(|(label, value)| (label, value.trim_matches('"')))
                .collect();
            (
                name.to_owned(),
                labels
                    .iter()
                    .map(|(l, v)| ((*l).to_owned(), (*v).to_owned()))
                    .collect(),
                value.parse().unwrap(),
            )
        });
        let of_lock = |labels: &Vec<(String, String)>| {
            labels
                .iter()
                .any(|(label, value)| label == "lock" && value == lock)
        };
        let samples =
            samples.filter(|(_, labels, _): &(String, Vec<(String, String)>, f64)| of_lock(labels));
        let samples = samples.map(|(name, labels, value)| {
            let rest: Vec<_> = labels
                .iter()
                .filter(|(label, _)| label != "lock")
                .map(|(l, v)| (l.as_str(), v.as_str()))
                .collect();
            (series(&name, &rest), value)
        });
        samples.collect()
    }
}
