//! Servers from Maven's repository: their archives, compared with `SHA256SUMS`.

use super::cache;
use super::download::Tool;
use crate::process;
use anyhow::Context;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long one download may take.
const LIMIT: Duration = Duration::from_secs(10 * 60);

const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

pub(crate) const TOOL: Tool = Tool {
    check: &["mvn", "--version"],
    debian: &["maven", "default-jdk-headless"],
};

/// Copies the archives of the project file into `jars` and compares each with its checksum.
pub(crate) fn install(pinned: &Path, folder: &Path) -> anyhow::Result<()> {
    let jars = folder.join(cache::JARS);
    let mut maven = Command::new("mvn");
    maven
        .args(["--quiet", "--batch-mode", "-Dstyle.color=never"])
        .args(["--strict-checksums", "--file"])
        .arg(pinned.join("pom.xml"))
        .args([COPY, "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", jars.display()));
    let ended = process::run(&mut maven, LIMIT)?;
    anyhow::ensure!(ended.success(), "`mvn` failed: {ended}");
    let sums = pinned.join("SHA256SUMS");
    let sums =
        fs::read_to_string(&sums).with_context(|| format!("cannot read `{}`", sums.display()))?;
    compare(&parse(&sums), &sums_of(&jars)?)
}

/// The checksum of each file, from the lines of `sha256sum`.
fn parse(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once("  "));
    lines
        .map(|(sum, file)| (file.to_owned(), sum.to_owned()))
        .collect()
}

fn sums_of(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let digest = Sha256::digest(fs::read(entry.path())?);
        let hex = digest
            .iter()
            .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        sums.insert(entry.file_name().to_string_lossy().into_owned(), hex);
    }
    Ok(sums)
}

/// Fails unless both have the same files with the same checksums.
fn compare(
    expected: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    for (file, sum) in found {
        let pinned = expected.get(file);
        let pinned = pinned.with_context(|| format!("`SHA256SUMS` does not know `{file}`"))?;
        anyhow::ensure!(
            pinned == sum,
            "`{file}` has the checksum {sum}, and `SHA256SUMS` says {pinned}"
        );
    }
    let missing = expected.keys().find(|file| !found.contains_key(*file));
    anyhow::ensure!(
        missing.is_none(),
        "`{}` of `SHA256SUMS` was not downloaded",
        missing.map_or("", String::as_str)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{compare, parse, sums_of};
    use std::collections::BTreeMap;
    use std::fs;

    /// What `printf lock | sha256sum` prints.
    const LOCK: &str = "0c030586945fe504b604ecc2e875c38ede400cd5cd73da9730302162e6b02c6f";

    fn jars() -> BTreeMap<String, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jar"), "lock").unwrap();
        sums_of(folder.path()).unwrap()
    }

    #[test]
    fn the_same_files_with_the_same_checksums_pass() {
        compare(&parse(&format!("{LOCK}  a.jar\n")), &jars()).unwrap();
    }

    #[test]
    fn another_checksum_is_refused() {
        let other = LOCK.replace('8', "9");
        let error = compare(&parse(&format!("{other}  a.jar\n")), &jars()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`a.jar` has the checksum"), "{text}");
        assert!(text.contains(LOCK) && text.contains(&other), "{text}");
    }

    #[test]
    fn a_file_without_a_checksum_is_refused() {
        let error = compare(&BTreeMap::new(), &jars()).unwrap_err();
        assert_eq!(error.to_string(), "`SHA256SUMS` does not know `a.jar`");
    }

    #[test]
    fn a_missing_file_is_refused() {
        let both = parse(&format!("{LOCK}  a.jar\n{LOCK}  b.jar\n"));
        let error = compare(&both, &jars()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`b.jar` of `SHA256SUMS` was not downloaded"
        );
    }
}
