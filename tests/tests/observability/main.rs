//! The dashboard, the alerts and the table of metrics against what a Prometheus exporter says after a scenario with
//! everything in it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod exported;
mod promql;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;
use shedlock_testkit::{Unavailable, server_or_skip};

use crate::exported::Exported;
use crate::promql::{Query, Selector};

/// Prometheus adds them to whatever it scrapes.
const SCRAPED: [&str; 2] = ["instance", "job"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../observability")
}

fn file(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

#[derive(Debug, Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(default, rename = "for")]
    for_: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn rules() -> Vec<Rule> {
    let rules: Rules = serde_saphyr::from_str(&file("prometheus-rules.yml")).unwrap();
    let names: BTreeSet<_> = rules.groups.iter().map(|group| &group.name).collect();
    assert_eq!(names.len(), rules.groups.len(), "a group's name is its own");
    rules
        .groups
        .into_iter()
        .flat_map(|group| group.rules)
        .collect()
}

/// A query of a panel, and the text that names its lines.
struct Target {
    panel: String,
    expr: String,
    legend: String,
}

fn dashboard() -> (Value, Vec<Target>) {
    let dashboard: Value = serde_json::from_str(&file("grafana-dashboard.json")).unwrap();
    let mut targets = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap_or(&Vec::new()) {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            targets.push(Target {
                panel: text(&panel["title"]),
                expr: text(&target["expr"]),
                legend: text(&target["legendFormat"]),
            });
        }
    }
    (dashboard, targets)
}

/// What is wrong with a query, if the exporter says the truth.
fn wrong(query: &Query, exported: &Exported) -> Vec<String> {
    let mut wrong = Vec::new();
    for Selector { metric, labels } in &query.selectors {
        let Some(known) = exported.labels(metric) else {
            wrong.push(format!("no metric `{metric}`"));
            continue;
        };
        for (label, values) in labels {
            let Some(found) = known.get(label) else {
                if !SCRAPED.contains(&label.as_str()) {
                    wrong.push(format!("`{metric}` has no label `{label}`"));
                }
                continue;
            };
            // What a thousand templates share does not come up in a day's work; it has a test of its own.
            let missing = values
                .iter()
                .filter(|value| !found.contains(*value) && *value != "_other");
            wrong.extend(missing.map(|value| format!("`{metric}` has no `{label}=\"{value}\"`")));
        }
    }
    if query.selectors.is_empty() {
        wrong.push("asks for no metric".to_owned());
    }
    wrong
}

/// The names between `open` and `close`.
fn placeholders<'t>(text: &'t str, open: &str, close: &str) -> Vec<&'t str> {
    let parts = text.split(open).skip(1);
    parts
        .map(|part| part.split(close).next().unwrap().trim())
        .collect()
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let exported = scenario::exported();
    let (dashboard, targets) = dashboard();
    assert!(targets.len() > 20, "{}", targets.len());
    for Target {
        panel,
        expr,
        legend,
    } in &targets
    {
        let query = Query::of(expr);
        assert_eq!(
            wrong(&query, exported),
            Vec::<String>::new(),
            "{panel}: {expr}"
        );
        for label in placeholders(legend, "{{", "}}") {
            assert!(
                query.grouped_by(label),
                "{panel}: no `{label}` in the answer to {expr}"
            );
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: BTreeSet<_> = variables
        .iter()
        .map(|variable| variable["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, BTreeSet::from(["datasource", "lock", "provider"]));
    for variable in variables
        .iter()
        .filter(|variable| variable["type"] == "query")
    {
        let query = variable["definition"].as_str().unwrap();
        let asked = query
            .strip_prefix("label_values(")
            .unwrap()
            .strip_suffix(')')
            .unwrap();
        let (metric, label) = asked.split_once(", ").unwrap();
        assert!(
            exported.labels(metric).unwrap().contains_key(label),
            "{query}"
        );
    }
}

#[test]
fn the_dashboard_can_be_imported_and_read() {
    let (dashboard, _targets) = dashboard();
    assert!(dashboard["id"].is_null(), "Grafana gives the number");
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(!panel["title"].as_str().unwrap().is_empty());
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        assert!(
            !panel["description"].as_str().unwrap().is_empty(),
            "{panel}"
        );
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap();
        assert!(["short", "s", "cpm"].contains(&unit), "{unit}");
    }
    let mut places: Vec<_> = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        let (left, top, right, bottom) = (at("x"), at("y"), at("x") + at("w"), at("y") + at("h"));
        assert!(right <= 24, "{panel}");
        for &(other_left, other_top, other_right, other_bottom) in &places {
            let apart = right <= other_left
                || other_right <= left
                || bottom <= other_top
                || other_bottom <= top;
            assert!(apart, "lies over another: {panel}");
        }
        places.push((left, top, right, bottom));
    }
}

/// By Prometheus' own reckoning, with series as they are after restarts and outages.
#[test]
fn the_alerts_fire_when_they_should() {
    for verb in [
        ["check", "rules", "prometheus-rules.yml"],
        ["test", "rules", "prometheus-rules-test.yml"],
    ] {
        let started = Command::new("promtool")
            .args(verb)
            .current_dir(folder())
            .output();
        let output = server_or_skip!(started.map_err(|error| {
            let reason = format!("failed to start `promtool`: {error}");
            Unavailable::installable("Prometheus", reason, "apt-get install -y prometheus")
        }));
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn the_alerts_ask_for_what_there_is_and_say_what_to_do() {
    let exported = scenario::exported();
    let rules = rules();
    assert!(rules.len() >= 8, "{}", rules.len());
    let names: BTreeSet<_> = rules.iter().map(|rule| &rule.alert).collect();
    assert_eq!(names.len(), rules.len());
    for rule in &rules {
        let query = Query::of(&rule.expr);
        assert_eq!(
            wrong(&query, exported),
            Vec::<String>::new(),
            "{}: {}",
            rule.alert,
            rule.expr
        );
        assert!(query.compares, "{} would always fire", rule.alert);
        if let Some(for_) = &rule.for_ {
            promql_parser::util::parse_duration(for_).unwrap();
        }
        let severity = rule.labels["severity"].as_str();
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{severity}"
        );
        let keys: Vec<_> = rule.annotations.keys().map(String::as_str).collect();
        assert_eq!(keys, ["description", "summary"], "{}", rule.alert);
        assert!(
            rule.annotations["description"].len() > 100,
            "{} says too little",
            rule.alert
        );
        for text in rule.annotations.values() {
            for label in placeholders(text, "$labels.", "}}") {
                assert!(
                    query.grouped_by(label),
                    "{}: no `{label}` in the alert",
                    rule.alert
                );
            }
        }
    }
}

#[test]
fn every_metric_is_in_the_table_and_on_the_dashboard() {
    let exported = scenario::exported();
    let readme = file("README.md");
    let rows = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `shedlock_"));
    let table: BTreeMap<String, &str> = rows
        .map(|row| {
            let (name, rest) = row.split_once("` | ").unwrap();
            (format!("shedlock_{name}"), rest.split(" |").next().unwrap())
        })
        .collect();
    let types: BTreeMap<String, &str> = exported
        .types
        .iter()
        .map(|(name, kind)| (name.clone(), kind.as_str()))
        .collect();
    assert_eq!(table, types, "left: the table, right: the exporter");
    let (_, targets) = dashboard();
    let shown: BTreeSet<String> = targets
        .iter()
        .flat_map(|target| Query::of(&target.expr).selectors)
        .map(|selector| exported.family(&selector.metric).unwrap().to_owned())
        .collect();
    assert_eq!(shown, types.into_keys().collect());
}

#[test]
fn the_label_is_the_template_and_no_name() {
    let text = &scenario::exported().text;
    assert!(text.contains("lock=\"sync-{tenant}\""), "{text}");
    assert!(!text.contains("sync-a7"), "{text}");
    assert!(!text.contains("sync-b8"), "{text}");
}

/// The tests above would notice a name that does not exist.
#[test]
fn a_wrong_name_is_noticed() {
    let exported = scenario::exported();
    for (query, expected) in [
        ("shedlock_acquire > 0", "no metric `shedlock_acquire`"),
        (
            "sum by (name) (shedlock_acquired)",
            "`shedlock_acquired` has no label `name`",
        ),
        (
            "shedlock_losses{reason=\"stole\"}",
            "`shedlock_losses` has no `reason=\"stole\"`",
        ),
        (
            "shedlock_skipped{reason=~\"held|hold\"}",
            "`shedlock_skipped` has no `reason=\"hold\"`",
        ),
        (
            "shedlock_held{ok=\"true\"}",
            "`shedlock_held` has no label `ok`",
        ),
        (
            "rate(shedlock_held_bucket[5m])",
            "no metric `shedlock_held_bucket`",
        ),
        ("vector(1)", "asks for no metric"),
    ] {
        assert_eq!(wrong(&Query::of(query), exported), [expected], "{query}");
    }
}
