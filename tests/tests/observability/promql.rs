//! What a `PromQL` expression asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

/// A metric that an expression asks for, and the labels that it should have.
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    /// With the values that are asked for.
    pub(crate) labels: BTreeMap<String, Vec<String>>,
}

/// What an expression asks for.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) selectors: Vec<Selector>,
    /// The labels that each `by` keeps.
    groups: Vec<BTreeSet<String>>,
    /// The same for those around what is visited.
    around: Vec<BTreeSet<String>>,
    /// Whether it filters by a comparison.
    pub(crate) compares: bool,
}

impl Query {
    /// # Panics
    ///
    /// If it is no `PromQL`.
    pub(crate) fn of(text: &str) -> Self {
        // What Grafana puts in.
        let text = text
            .replace("$__rate_interval", "5m")
            .replace("$__range", "1h");
        let expr = parser::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut query = Self::default();
        walk_expr(&mut query, &expr).unwrap();
        query
    }

    /// Whether the answer has this label.
    pub(crate) fn grouped_by(&self, label: &str) -> bool {
        self.groups.iter().all(|group| group.contains(label)) && !self.groups.is_empty()
    }

    fn select(&mut self, selector: &VectorSelector) {
        let grouped = self.around.iter().flatten();
        let mut labels: BTreeMap<_, Vec<_>> =
            grouped.map(|label| (label.clone(), Vec::new())).collect();
        for matcher in &selector.matchers.matchers {
            let values = labels.entry(matcher.name.clone()).or_default();
            match &matcher.op {
                // A variable of the dashboard.
                _ if matcher.value.starts_with('$') => {}
                MatchOp::Equal | MatchOp::NotEqual => values.push(matcher.value.clone()),
                MatchOp::Re(_) | MatchOp::NotRe(_) => {
                    values.extend(matcher.value.split('|').map(str::to_owned));
                }
            }
        }
        let metric = selector.name.clone().unwrap();
        self.selectors.push(Selector { metric, labels });
    }
}

impl ExprVisitor for Query {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        match expr {
            Expr::VectorSelector(selector) => self.select(selector),
            Expr::MatrixSelector(matrix) => self.select(&matrix.vs),
            Expr::Aggregate(aggregate) => {
                let kept = aggregate.modifier.iter().flat_map(|by| &by.labels().labels);
                let kept: BTreeSet<_> = kept.map(ToString::to_string).collect();
                self.groups.push(kept.clone());
                self.around.push(kept);
            }
            Expr::Binary(binary) => self.compares |= binary.op.is_comparison_operator(),
            _ => {}
        }
        Ok(true)
    }

    fn post_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        if matches!(expr, Expr::Aggregate(_)) {
            self.around.pop();
        }
        Ok(true)
    }
}
