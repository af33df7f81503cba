//! Who may import whom: the layers of the workspace, on dependencies outside tests.

use super::{Findings, Member};
use std::collections::BTreeSet;

const MACROS: &str = "shedlock-macros";
const RUNTIME: &str = "shedlock-runtime";
const FACADE: &str = "shedlock";
const TESTKIT: &str = "shedlock-testkit";
const SQL: &str = "shedlock-sql";

/// Crates that talk to no store, so that any layer may use them.
const UTILITIES: &[&str] = &[
    "arc-swap",
    "async-trait",
    "atomic-waker",
    "backon",
    "base64",
    "bytes",
    "chrono",
    "croner",
    // Pools of one driver's connections.
    "deadpool-postgres",
    "futures-core",
    "futures-util",
    "getrandom",
    "hex",
    "humantime",
    "indexmap",
    "jiff",
    "metrics",
    "once_cell",
    "parking_lot",
    "percent-encoding",
    "pin-project-lite",
    "rand",
    "rustix",
    "rustls",
    "rustls-native-certs",
    "serde",
    "serde_json",
    "smallvec",
    "thiserror",
    "time",
    "tokio",
    "tokio-stream",
    "tokio-util",
    "tracing",
    "url",
    "uuid",
];

/// All the macro crate may know.
const FOR_MACROS: &[&str] = &["humantime", "proc-macro2", "quote", "syn"];

/// Checks every member against its layer.
pub(super) fn check(members: &[Member], findings: &mut Findings) {
    let ours: BTreeSet<_> = members.iter().map(|member| member.name.as_str()).collect();
    let drivers: BTreeSet<_> = members
        .iter()
        .filter(|member| member.is_provider())
        .flat_map(|provider| drivers(provider, &ours))
        .collect();
    for member in members {
        let mut refuse = |dependency: &str, rule: &str| {
            findings.error(format!(
                "`{}` depends on `{dependency}`: {rule}",
                member.name
            ));
        };
        for (dependency, requirement) in &member.dependencies {
            let is_ours = ours.contains(dependency.as_str());
            let rule = match member.name.as_str() {
                MACROS if !FOR_MACROS.contains(&dependency.as_str()) => {
                    "the macros are syntax only"
                }
                RUNTIME if is_ours => "the runtime is the lowest layer",
                RUNTIME if !UTILITIES.contains(&dependency.as_str()) => {
                    "the runtime knows no driver; a crate that is none belongs on the list in \
                     `xtask/src/tidy/imports.rs`"
                }
                FACADE if ![MACROS, RUNTIME].contains(&dependency.as_str()) => {
                    "the facade re-exports macros and runtime, nothing else"
                }
                FACADE if dependency == MACROS && !requirement.starts_with('=') => {
                    "the expansion names private items, so the version is pinned with `=`"
                }
                TESTKIT if is_ours && dependency != RUNTIME => {
                    "the test kit knows the runtime only"
                }
                TESTKIT if drivers.contains(dependency.as_str()) => "the test kit knows no driver",
                _ if member.is_provider()
                    && is_ours
                    && ![RUNTIME, SQL].contains(&dependency.as_str()) =>
                {
                    "a provider knows the runtime and `shedlock-sql`, none of our other crates"
                }
                _ if member.is_adapter() && is_ours && dependency != RUNTIME => {
                    "an adapter knows the runtime, none of our other crates"
                }
                _ if member.is_adapter() && drivers.contains(dependency.as_str()) => {
                    "an adapter talks to no store"
                }
                _ => continue,
            };
            refuse(dependency, rule);
        }
        if member.is_provider() {
            check_drivers(member, &ours, findings);
        } else if member.is_adapter() {
            check_scheduler(member, &ours, findings);
        }
    }
}

/// An adapter is for one scheduler; crates of one family (`apalis`, `apalis-cron`) are one.
fn check_scheduler(adapter: &Member, ours: &BTreeSet<&str>, findings: &mut Findings) {
    let schedulers = drivers(adapter, ours);
    if families(&schedulers) != 1 {
        findings.error(format!(
            "`{}` depends on `{}`: an adapter is for one scheduler; a crate that is none belongs on \
             the list in `xtask/src/tidy/imports.rs`",
            adapter.name,
            schedulers.join("`, `")
        ));
    }
}

/// How many families the crates are of, by the first word of their names.
fn families(crates: &[&str]) -> usize {
    let families: BTreeSet<_> = crates
        .iter()
        .map(|name| name.split(['-', '_']).next().unwrap_or(name))
        .collect();
    families.len()
}

/// A provider wraps one client library; crates of one family (`aws-config`, `aws-sdk-s3`) are one.
fn check_drivers(provider: &Member, ours: &BTreeSet<&str>, findings: &mut Findings) {
    let drivers = drivers(provider, ours);
    if provider.name == SQL && !drivers.is_empty() {
        findings.error(format!(
            "`{SQL}` depends on `{}`: it has no driver",
            drivers.join("`, `")
        ));
    } else if families(&drivers) > 1 {
        findings.error(format!(
            "`{}` depends on `{}`: a provider has one driver; a crate that is none belongs on the \
             list in `xtask/src/tidy/imports.rs`",
            provider.name,
            drivers.join("`, `")
        ));
    }
}

/// What a provider or an adapter depends on that is neither ours nor a utility.
pub(super) fn drivers<'a>(provider: &'a Member, ours: &BTreeSet<&str>) -> Vec<&'a str> {
    provider
        .dependencies
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !ours.contains(name) && !UTILITIES.contains(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::{Findings, Member};

    fn member(folder: &str, dependencies: &[&str]) -> Member {
        Member {
            name: folder.rsplit('/').next().unwrap().to_owned(),
            folder: folder.into(),
            dependencies: dependencies
                .iter()
                .map(|name| ((*name).to_owned(), "=0.1.0".to_owned()))
                .collect(),
            ..Member::default()
        }
    }

    fn workspace() -> Vec<Member> {
        vec![
            member(
                "shedlock-macros",
                &["syn", "quote", "proc-macro2", "humantime"],
            ),
            member("shedlock-runtime", &["tokio", "tracing", "thiserror"]),
            member("shedlock", &["shedlock-macros", "shedlock-runtime"]),
            member("shedlock-testkit", &["shedlock-runtime", "tempfile"]),
            member("providers/shedlock-sql", &["shedlock-runtime"]),
            member(
                "providers/shedlock-sqlx",
                &["shedlock-runtime", "shedlock-sql", "sqlx"],
            ),
            member(
                "providers/shedlock-dynamodb",
                &["shedlock-runtime", "aws-config", "aws-sdk-dynamodb"],
            ),
            member(
                "adapters/shedlock-apalis",
                &["shedlock-runtime", "chrono", "apalis", "apalis-cron"],
            ),
            member("tests", &["shedlock", "shedlock-sqlx", "sqlx"]),
        ]
    }

    fn errors_with(name: &str, dependency: &str) -> Vec<String> {
        let mut members = workspace();
        let member = members
            .iter_mut()
            .find(|member| member.name == name)
            .unwrap();
        member
            .dependencies
            .push((dependency.to_owned(), "^1".to_owned()));
        let mut findings = Findings::default();
        check(&members, &mut findings);
        findings.errors
    }

    #[test]
    fn the_layers_as_designed_pass() {
        let mut findings = Findings::default();
        check(&workspace(), &mut findings);
        assert_eq!(findings.errors, Vec::<String>::new());
    }

    #[test]
    fn each_wrong_arrow_is_found() {
        for (member, dependency) in [
            ("shedlock-macros", "tokio"),
            ("shedlock-macros", "shedlock-runtime"),
            ("shedlock-runtime", "shedlock-macros"),
            ("shedlock-runtime", "sqlx"),
            ("shedlock", "tokio"),
            ("shedlock", "shedlock-sqlx"),
            ("shedlock-testkit", "shedlock-sqlx"),
            ("shedlock-testkit", "shedlock"),
            ("shedlock-testkit", "sqlx"),
            ("shedlock-sql", "sqlx"),
            ("shedlock-sqlx", "shedlock"),
            ("shedlock-sqlx", "shedlock-macros"),
            ("shedlock-sqlx", "shedlock-dynamodb"),
            ("shedlock-sqlx", "redis"),
            ("shedlock-dynamodb", "etcd-client"),
            ("shedlock-apalis", "shedlock"),
            ("shedlock-apalis", "shedlock-macros"),
            ("shedlock-apalis", "shedlock-sqlx"),
            ("shedlock-apalis", "sqlx"),
            ("shedlock-apalis", "tokio-cron-scheduler"),
        ] {
            let errors = errors_with(member, dependency);
            assert!(
                errors
                    .iter()
                    .any(|error| error.starts_with(&format!("`{member}` depends on"))
                        && error.contains(&format!("`{dependency}`"))),
                "{member} -> {dependency}: {errors:?}"
            );
        }
    }

    #[test]
    fn an_unpinned_macro_crate_is_found() {
        let errors = errors_with("shedlock", "shedlock-macros");
        assert!(errors[0].contains("pinned with `=`"), "{errors:?}");
    }

    #[test]
    fn anything_may_be_used_where_no_layer_is_above() {
        assert_eq!(errors_with("tests", "redis"), Vec::<String>::new());
    }
}
