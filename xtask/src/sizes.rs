//! `cargo xtask sizes`: what each provider adds to a user's build, in crates and in processor time.
//!
//! Each row is a package of its own with `shedlock` and one provider, locked to the versions of the workspace.

use crate::{process, workspace};
use anyhow::{Context, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What one clean build may take.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// The packages that a user names beside `shedlock`, with features. The three clouds of object stores have the same crates.
const ROWS: &[(&str, &[&str])] = &[
    ("shedlock", &[]),
    ("shedlock-sqlx", &["sqlite"]),
    ("shedlock-sqlx", &["postgres"]),
    ("shedlock-sqlx", &["mysql"]),
    ("shedlock-postgres", &[]),
    ("shedlock-redis", &[]),
    ("shedlock-etcd", &[]),
    ("shedlock-etcd", &["rustls"]),
    ("shedlock-memcached", &[]),
    ("shedlock-nats", &[]),
    ("shedlock-zookeeper", &[]),
    ("shedlock-mongodb", &[]),
    ("shedlock-object-store", &["aws"]),
    ("shedlock-dynamodb", &[]),
];

/// Options of `cargo xtask sizes`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also build each package from nothing, which takes minutes
    #[arg(long)]
    build: bool,
    /// The packages, such as `shedlock-redis`, instead of all
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
}

/// Runs the verb. The answer is always that it passed.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    let root = workspace::root()?;
    let known = |name: &String| ROWS.iter().any(|(package, _)| package == name);
    if let Some(unknown) = args.packages.iter().find(|name| !known(name)) {
        anyhow::bail!("there is no `{unknown}` among the packages that are counted");
    }
    println!("| a program with | crates | processor time of a clean debug build |\n|---|---|---|");
    for (name, features) in ROWS {
        if !args.packages.is_empty() && !args.packages.iter().any(|asked| asked == name) {
            continue;
        }
        let user = User::new(&root, name, features)?;
        let seconds = if args.build {
            format!("{:.0} s", user.build()?.as_secs_f64())
        } else {
            String::new()
        };
        println!(
            "| {} | {} | {seconds} |",
            title(name, features),
            user.crates()?
        );
    }
    Ok(true)
}

fn title(name: &str, features: &[&str]) -> String {
    match features {
        [] => format!("`{name}`"),
        _ => format!("`{name}`, {}", features.join(", ")),
    }
}

/// A user's package in a temporary directory.
struct User {
    directory: tempfile::TempDir,
}

impl User {
    fn new(root: &Path, name: &str, features: &[&str]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let user = Self { directory };
        fs::create_dir(user.folder().join("src"))?;
        fs::write(user.folder().join("src/lib.rs"), "")?;
        let mut dependencies = dependency("shedlock", &root.join("shedlock"), &[]);
        if name != "shedlock" {
            let folder = root.join("providers").join(name);
            dependencies.push_str(&dependency(name, &folder, features));
        }
        let manifest = format!(
            "[package]\nname = \"user\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{dependencies}\n[workspace]\n"
        );
        fs::write(user.folder().join("Cargo.toml"), manifest)?;
        // The same versions as everywhere.
        fs::copy(root.join("Cargo.lock"), user.folder().join("Cargo.lock"))?;
        Ok(user)
    }

    fn folder(&self) -> &Path {
        self.directory.path()
    }

    /// How many crates are compiled, those for build scripts and macros included, and the user's own one not.
    fn crates(&self) -> anyhow::Result<usize> {
        let mut tree = process::cargo(self.folder());
        tree.args(["tree", "-e", "no-dev", "--prefix", "none"]);
        let output = tree.output().context("cargo can be run")?;
        ensure!(output.status.success(), "`cargo tree` failed");
        Ok(distinct(&String::from_utf8_lossy(&output.stdout)) - 1)
    }

    /// Builds the package from nothing. The answer is the processor time of all processes together.
    fn build(&self) -> anyhow::Result<Duration> {
        let mut fetch = process::cargo(self.folder());
        ensure!(
            process::run(fetch.args(["fetch", "--quiet"]), LIMIT)?.success(),
            "`cargo fetch` failed"
        );
        let before = of_children()?;
        let mut build = process::cargo(self.folder());
        build.args(["build", "--offline", "--quiet"]);
        build.env("CARGO_TARGET_DIR", self.folder().join("target"));
        // A user's build has the settings of cargo, and not those of the caller.
        for variable in [
            "RUSTFLAGS",
            "RUSTC_WRAPPER",
            "CARGO_INCREMENTAL",
            "CARGO_PROFILE_DEV_DEBUG",
        ] {
            build.env_remove(variable);
        }
        ensure!(
            process::run(&mut build, LIMIT)?.success(),
            "`cargo build` failed"
        );
        Ok(of_children()?.saturating_sub(before))
    }
}

fn dependency(name: &str, folder: &Path, features: &[&str]) -> String {
    let folder = folder.display();
    format!("{name} = {{ path = '{folder}', features = {features:?} }}\n")
}

/// The crates in the output of `cargo tree`, which marks a crate that it shows again.
fn distinct(tree: &str) -> usize {
    let crates: BTreeSet<_> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect();
    crates.len()
}

/// The processor time of this process's children that have ended, as Linux counts it in hundredths of a second.
fn of_children() -> anyhow::Result<Duration> {
    let stat =
        fs::read_to_string("/proc/self/stat").context("processor time is read from Linux")?;
    children_in(&stat).context("the processor time of children cannot be read")
}

/// The 16th and the 17th of all fields. The name before the last parenthesis may have blanks in it.
fn children_in(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(13);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 10))
}

#[cfg(test)]
mod tests {
    use super::{ROWS, children_in, distinct};
    use crate::workspace;
    use std::time::Duration;

    #[test]
    fn every_provider_is_counted() {
        let providers = workspace::root().unwrap().join("providers");
        for provider in providers.read_dir().unwrap() {
            let name = provider.unwrap().file_name();
            // The texts without a driver are in the row of each driver.
            let is_counted = ROWS.iter().any(|(package, _)| *package == name);
            assert!(is_counted || name == "shedlock-sql", "{name:?}");
        }
    }

    #[test]
    fn a_crate_that_is_shown_again_counts_once() {
        let tree = "user v0.0.0 (/x)\na v1.0.0\nb v1.0.0\n\na v1.0.0 (*)\na v2.0.0\n";
        assert_eq!(distinct(tree), 4);
    }

    #[test]
    fn the_time_of_children_is_found_behind_any_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 150 25 20 0 1 0 9";
        assert_eq!(children_in(stat), Some(Duration::from_millis(1_750)));
        assert_eq!(children_in("7 (a"), None);
    }
}
