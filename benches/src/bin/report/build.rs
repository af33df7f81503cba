//! What a dependency costs to build, in processor time: a crate with `shedlock` alone, and one with `tracing`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use shedlock_benches::rounds::{Subject, interleave};
use shedlock_benches::table::{Goal, Table, Unit};

/// A round takes a quarter of a minute.
const ROUNDS: usize = 5;

pub(crate) fn measure() -> anyhow::Result<Vec<Table>> {
    let directory = tempfile::tempdir()?;
    let facade = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shedlock");
    let facade = facade.canonicalize()?;
    let ours = format!("shedlock = {{ path = '{}' }}", facade.display());
    let theirs = "tracing = \"0.1\"".to_owned();
    let ours = package(directory.path(), "with-shedlock", &ours)?;
    let both =
        format!("{theirs}\ntokio = {{ version = \"1\", features = [\"rt\", \"sync\", \"time\"] }}");
    let both = package(directory.path(), "with-both", &both)?;
    let theirs = package(directory.path(), "with-tracing", &theirs)?;
    let empty = package(directory.path(), "with-nothing", "")?;
    let [empty, ours, theirs, both] = interleave(
        ROUNDS,
        [
            Subject::new("nothing", || clean_build(&empty)),
            Subject::new("shedlock", || clean_build(&ours)),
            Subject::new("tracing", || clean_build(&theirs)),
            Subject::new("tracing and tokio", || clean_build(&both)),
        ],
    )?;
    let mut table = Table::new("Clean build of a crate with one dependency: processor time");
    let mut row = |what, unit, figure, goal| table.row(what, unit, figure, goal);
    row("nothing", Unit::CpuSeconds, empty.median(), Goal::None);
    row("shedlock", Unit::CpuSeconds, ours.median(), Goal::None);
    row(
        "tracing, with its attributes",
        Unit::CpuSeconds,
        theirs.median(),
        Goal::None,
    );
    row(
        "shedlock, of tracing",
        Unit::Ratio,
        ours.ratio_to(&theirs),
        Goal::AtMost(1.0),
    );
    // What an asynchronous program has anyway.
    row(
        "tracing with its attributes, and tokio",
        Unit::CpuSeconds,
        both.median(),
        Goal::None,
    );
    row(
        "shedlock, of tracing and tokio",
        Unit::Ratio,
        ours.ratio_to(&both),
        Goal::None,
    );
    Ok(vec![table])
}

/// Makes a package with one dependency, and fetches what that needs.
fn package(directory: &Path, name: &str, dependency: &str) -> anyhow::Result<PathBuf> {
    let package = directory.join(name);
    fs::create_dir_all(package.join("src"))?;
    fs::write(package.join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n\n[workspace]\n"
    );
    fs::write(package.join("Cargo.toml"), manifest)?;
    let fetched = cargo(&package).arg("fetch").status()?;
    ensure!(fetched.success(), "failed to fetch what `{name}` needs");
    Ok(package)
}

/// Builds `package` from nothing; the figure is seconds of processor time, of all processes together.
fn clean_build(package: &Path) -> anyhow::Result<f64> {
    let target = package.join("target");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let before = of_children()?;
    let built = cargo(package).args(["build", "--offline"]).status()?;
    ensure!(built.success(), "failed to build {}", package.display());
    Ok((of_children()?.saturating_sub(before)).as_secs_f64())
}

fn cargo(package: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .arg("--quiet")
        .current_dir(package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .env_remove("RUSTFLAGS");
    cargo
}

/// The processor time of this process's children that have ended, as Linux counts it.
fn of_children() -> anyhow::Result<Duration> {
    let stat =
        fs::read_to_string("/proc/self/stat").context("processor time is read from Linux")?;
    // The name before the last parenthesis may have blanks in it; `cutime` and `cstime` are 16th and 17th of all.
    let (_, fields) = stat.rsplit_once(')').context("a line with a name")?;
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .skip(13)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_millis(
        ticks.iter().sum::<u64>() * 1_000 / per_second,
    ))
}
