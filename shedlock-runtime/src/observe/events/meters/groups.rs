//! The series of each template, up to a limit.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use once_cell::sync::Lazy;

use super::series::Series;
use crate::values::name::LockName;

/// The greatest number of templates with labels of their own; further templates share one label. A name made by an expression counts as its
/// own template, so the number could otherwise grow with the data.
const MOST_TEMPLATES: usize = 1_000;
const OTHER: &str = "_other";

/// The series of one template, in each provider that has locks of it.
type ByTemplate = HashMap<LockName, Vec<(&'static str, Arc<Series>)>>;

static ALL: Lazy<ArcSwap<ByTemplate>> = Lazy::new(ArcSwap::default);

/// The series of `template` in `provider`.
pub(super) fn series(template: &LockName, provider: &'static str) -> Arc<Series> {
    let all = ALL.load();
    if let Some(series) = known(&all, template.as_str(), provider) {
        return series;
    }
    let label = if all.len() < MOST_TEMPLATES || all.contains_key(template) {
        template.clone()
    } else if let Some(series) = known(&all, OTHER, provider) {
        return series;
    } else {
        LockName::from_static(OTHER).unwrap_or_else(|_| template.clone())
    };
    let series = Arc::new(Series::new(&label, provider));
    let add = |all: &Arc<ByTemplate>| {
        let mut all = ByTemplate::clone(all);
        let providers = all.entry(label.clone()).or_default();
        // Another thread may have added the provider meanwhile.
        if !providers.iter().any(|(name, _)| *name == provider) {
            providers.push((provider, Arc::clone(&series)));
        }
        all
    };
    ALL.rcu(add);
    known(&ALL.load(), label.as_str(), provider).unwrap_or(series)
}

fn known(all: &ByTemplate, template: &str, provider: &str) -> Option<Arc<Series>> {
    let (_, series) = all
        .get(template)?
        .iter()
        .find(|(name, _)| *name == provider)?;
    Some(Arc::clone(series))
}
