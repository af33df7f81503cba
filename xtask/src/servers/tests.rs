//! The table of needs, the plan of an installation, and the pins.

use super::cache;
use super::download::{Download, Origin};
use super::installation::advice;
use super::needs::{self, Missing, NEEDS, Need};
use super::source::{Plan, Source};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn named(name: &str) -> &'static Need {
    needs::named(&[name.to_owned()]).unwrap()[0]
}

fn missing(name: &str) -> Missing {
    Missing {
        need: named(name),
        why: "no such thing".to_owned(),
    }
}

fn downloads() -> impl Iterator<Item = &'static Download> {
    NEEDS.iter().filter_map(|need| match need.source {
        Source::Debian(_) => None,
        Source::Download(download) => Some(download),
    })
}

#[test]
fn every_need_says_how_to_get_it() {
    for need in NEEDS {
        assert!(!need.elsewhere.is_empty(), "{need:?}");
        if let Source::Debian(packages) = need.source {
            assert!(!packages.is_empty(), "{need:?}");
        }
    }
    let names: BTreeSet<_> = NEEDS.iter().map(|need| need.name).collect();
    assert_eq!(names.len(), NEEDS.len());
}

#[test]
fn names_are_found_in_any_spelling() {
    assert_eq!(named("postgresql-18").name, "PostgreSQL 18");
    assert_eq!(named("ETCD").name, "etcd");
    let error = needs::named(&["etcd4".to_owned()]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("there is no `etcd4` among PostgreSQL, ")
    );
}

#[test]
fn the_longest_name_in_a_reason_counts() {
    let name = |reason| needs::named_in(reason).map(|need| need.name);
    assert_eq!(name("Etcd cannot be started: x"), Some("etcd"));
    assert_eq!(name("etcd 3.6 cannot be had: x"), Some("etcd 3.6"));
    assert_eq!(name("needs namespaces"), None);
}

#[test]
fn what_has_to_be_built_is_left_out_unless_it_is_asked_for() {
    let names = |all| {
        needs::default_needs(all)
            .iter()
            .map(|need| need.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(true).len(), NEEDS.len());
    let left_out: Vec<_> = names(true)
        .into_iter()
        .filter(|name| !names(false).contains(name))
        .collect();
    assert_eq!(left_out, ["etcd 3.6", "dynoxide", "versitygw"]);
}

#[test]
fn a_plan_has_each_package_once_and_only_missing_tools() {
    let wanted = ["Maven", "Java", "S3Proxy", "mongo-java-server", "NATS"].map(named);
    let without_tools = Plan::new(wanted, &|_| false);
    assert_eq!(
        without_tools.packages,
        ["default-jdk-headless", "maven", "python3-pip"]
    );
    let names: Vec<_> = without_tools
        .downloads
        .iter()
        .map(|download| download.name)
        .collect();
    assert_eq!(names, ["s3proxy", "mongo-java-server", "nats-server"]);
    let with_tools = Plan::new([named("NATS"), named("etcd 3.6")], &|_| true);
    assert!(with_tools.packages.is_empty(), "{with_tools:?}");
}

#[test]
fn advice_says_what_is_missing_and_how_to_get_it() {
    let missing = [missing("PostgreSQL"), missing("NATS")];
    let debian = advice(&missing, true).join("\n");
    assert!(
        debian.contains("missing: PostgreSQL (no such thing)"),
        "{debian}"
    );
    assert!(
        debian.contains("apt-get install -y --no-install-recommends postgresql"),
        "{debian}"
    );
    assert!(
        debian.contains("`cargo xtask servers install \"NATS\"`"),
        "{debian}"
    );
    assert!(!debian.contains("brew install postgresql"), "{debian}");
    let elsewhere = advice(&missing, false).join("\n");
    assert!(elsewhere.contains("brew install postgresql"), "{elsewhere}");
    assert!(!elsewhere.contains("apt-get"), "{elsewhere}");
    assert!(advice(&[], true).is_empty());
}

#[test]
fn every_download_is_pinned_by_checksums() {
    for download in downloads() {
        let pinned = cache::lock_files(download.name).unwrap();
        match download.origin {
            Origin::PyPi { hashes, .. } => {
                assert!(!hashes.is_empty(), "{download}");
                assert!(hashes.iter().all(|hash| is_sha256(hash)), "{download}");
            }
            Origin::Npm => assert_npm(download, &pinned),
            Origin::Maven => assert_maven(download, &pinned),
            Origin::Go { package } => assert_go(download, package, &pinned),
            // The registry never changes a published version.
            Origin::CratesIo { .. } => assert!(!download.version.is_empty()),
        }
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

fn assert_npm(download: &Download, pinned: &Path) {
    let lock: serde_json::Value = serde_json::from_str(&read(pinned, "package-lock.json")).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    let server = &packages[&format!("node_modules/{}", download.name)];
    assert_eq!(server["version"], download.version);
    for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
        let integrity = package["integrity"].as_str().unwrap_or_default();
        assert!(integrity.starts_with("sha512-"), "{download}: {path}");
        assert!(
            package.get("resolved").is_none(),
            "{download}: {path} names a host"
        );
    }
}

fn assert_maven(download: &Download, pinned: &Path) {
    let version = format!("<version>{}</version>", download.version);
    assert!(read(pinned, "pom.xml").contains(&version), "{download}");
    let jar = format!("{}-{}.jar", download.name, download.version);
    let sums = read(pinned, "SHA256SUMS");
    assert!(sums.lines().any(|line| line.ends_with(&jar)), "{download}");
    assert!(
        sums.lines().all(|line| is_sha256(&line[..64])),
        "{download}"
    );
}

fn assert_go(download: &Download, package: &str, pinned: &Path) {
    let modules = read(pinned, "go.mod");
    assert!(modules.contains(&format!("tool {package}")), "{download}");
    let version = format!(" v{}", download.version);
    let module = modules
        .lines()
        .filter_map(|line| line.trim().strip_suffix(" // indirect"));
    let module = module
        .filter_map(|line| line.strip_suffix(&version))
        .find(|module| package.starts_with(module));
    let module = module.unwrap_or_else(|| panic!("{download}: another version in go.mod"));
    let sum = format!("{module}{version} h1:");
    assert!(read(pinned, "go.sum").contains(&sum), "{download}");
}
