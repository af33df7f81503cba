//! `cargo xtask lints`: no lint of rustc or clippy fires on what the macros write.
//!
//! The accepted programs of `ui-tests/pass` are linted twice with everything switched on: as they are, and with macros
//! that leave each function as it was written. What is said only of the first is the expansion's doing, wherever the
//! compiler points.

use crate::{process, workspace};
use anyhow::Context;
use cargo_metadata::{DependencyKind, Message, Package};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Everything of clippy that is about code.
const GROUPS: [&str; 4] = [
    "clippy::all",
    "clippy::pedantic",
    "clippy::nursery",
    "clippy::restriction",
];

/// Macros that change nothing.
const PLAIN_MACROS: &str = "\
use proc_macro::TokenStream;
#[proc_macro_attribute]
pub fn scheduler_lock(_: TokenStream, item: TokenStream) -> TokenStream { item }
#[proc_macro]
pub fn enable_scheduler_lock(_: TokenStream) -> TokenStream { TokenStream::new() }
#[proc_macro]
pub fn lock_assert(_: TokenStream) -> TokenStream { TokenStream::new() }
";

/// Where a lint fired, by its name, and what it said.
type Found = BTreeMap<(String, String, usize), String>;

/// Runs the verb; the answer is whether nothing was found.
pub(crate) fn run() -> anyhow::Result<bool> {
    let root = workspace::root()?;
    let target = workspace::target(&root)?;
    let folder = prepare(&root, &target)?;
    let flags = flags(&root)?;
    let as_written = lint(&folder, &target, "plain", &flags)?;
    let expanded = lint(&folder, &target, "expanded", &flags)?;
    anyhow::ensure!(
        !as_written.is_empty(),
        "no lint fires on the accepted programs; there are always some of clippy's restrictions"
    );
    let ours: Vec<_> = expanded
        .iter()
        .filter(|(at, _)| !as_written.contains_key(*at))
        .collect();
    for (_, said) in &ours {
        eprintln!("{said}");
    }
    println!(
        "{} lines with lints in the accepted programs, {} of them because of the macros",
        expanded.len(),
        ours.len()
    );
    Ok(ours.is_empty())
}

/// Writes a workspace with the two packages, and says where.
fn prepare(root: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let folder = target.join("lints");
    let members = workspace::members(root)?;
    let cases = members
        .workspace_packages()
        .into_iter()
        .find(|package| *package.name == "shedlock-ui-tests")
        .context("there is no package `shedlock-ui-tests`")?;
    let facade = fs::read_to_string(root.join("shedlock/src/lib.rs"))?
        .replace("#![doc = include_str!(\"../README.md\")]", "")
        .replace("shedlock_macros", "plain_macros");
    let files = [
        (
            "Cargo.toml",
            format!(
                "{}[workspace]\nresolver = \"3\"\nmembers = [\"macros\", \"facade\", \"plain\", \"expanded\"]\n",
                workspace::PROFILE
            ),
        ),
        (
            "macros/Cargo.toml",
            "[package]\nname = \"plain-macros\"\nedition = \"2024\"\n[lib]\nproc-macro = true\n"
                .to_owned(),
        ),
        ("macros/src/lib.rs", PLAIN_MACROS.to_owned()),
        (
            "facade/Cargo.toml",
            format!(
                "[package]\nname = \"plain-shedlock\"\nedition = \"2024\"\n[lib]\nname = \"shedlock\"\n\
                 [dependencies]\nplain-macros.path = \"../macros\"\nshedlock-runtime.path = '{}'\n",
                root.join("shedlock-runtime").display()
            ),
        ),
        ("facade/src/lib.rs", facade),
        (
            "plain/Cargo.toml",
            manifest(
                "plain",
                root,
                cases,
                "{ path = \"../facade\", package = \"plain-shedlock\" }",
            )?,
        ),
        (
            "expanded/Cargo.toml",
            manifest(
                "expanded",
                root,
                cases,
                &format!("{{ path = '{}' }}", root.join("shedlock").display()),
            )?,
        ),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().context("it is below the folder")?)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(folder)
}

/// The accepted programs as a package that gets the macros from `facade`.
fn manifest(name: &str, root: &Path, cases: &Package, facade: &str) -> anyhow::Result<String> {
    let pass = root.join("ui-tests/pass");
    let mut text = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n[lib]\npath = '{}'\n\
         [[example]]\nname = \"{name}_unsafe_function\"\npath = '{}'\n\
         [dependencies]\nshedlock = {facade}\n",
        pass.join("lib.rs").display(),
        pass.join("scheduler_lock/unsafe_function.rs").display()
    );
    for dependency in &cases.dependencies {
        if dependency.kind == DependencyKind::Normal && dependency.name != "shedlock" {
            writeln!(
                text,
                "{} = {{ version = \"{}\", features = {:?}, default-features = {} }}",
                dependency.name,
                dependency.req,
                dependency.features,
                dependency.uses_default_features
            )?;
        }
    }
    Ok(text)
}

/// Switches on all of clippy, and what rustc has switched off; nothing stops the build.
fn flags(root: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("rustc")
        .current_dir(root)
        .args(["-W", "help"])
        .output()
        .context("cannot run `rustc`")?;
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let lints = help.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let lint = words.next()?;
        (words.next()? == "allow").then(|| lint.replace('-', "_"))
    });
    let all: Vec<String> = lints.chain(GROUPS.map(str::to_owned)).collect();
    anyhow::ensure!(
        all.len() > GROUPS.len() + 10,
        "`rustc -W help` lists no lints"
    );
    let mut flags = vec!["--cap-lints".to_owned(), "warn".to_owned()];
    flags.extend(all.into_iter().flat_map(|lint| ["-W".to_owned(), lint]));
    Ok(flags)
}

/// What is said of the accepted programs in `package`.
fn lint(folder: &Path, target: &Path, package: &str, flags: &[String]) -> anyhow::Result<Found> {
    let mut command = process::cargo(folder);
    command
        .args([
            "clippy",
            "--quiet",
            "--all-targets",
            "--message-format=json",
        ])
        .args(["--package", package, "--"])
        .args(flags)
        // The lints of the workspace that runs this are not those that are asked for.
        .env_remove("RUSTFLAGS")
        // Where the other steps have built the dependencies.
        .env("CARGO_TARGET_DIR", target);
    let mut lines = String::new();
    let ended = process::run_with_lines(&mut command, LIMIT, &mut |line| {
        lines.push_str(line);
        lines.push('\n');
    })?;
    anyhow::ensure!(
        ended.success(),
        "the accepted programs do not compile: {ended}\n{lines}"
    );
    let mut found = Found::new();
    for message in Message::parse_stream(lines.as_bytes()) {
        let Message::CompilerMessage(message) = message? else {
            continue;
        };
        let said = message.message;
        let Some(code) = said.code else { continue };
        for span in said.spans.iter().filter(|span| span.is_primary) {
            if span.file_name.contains("ui-tests") {
                let at = (code.code.clone(), span.file_name.clone(), span.line_start);
                found.insert(at, said.rendered.clone().unwrap_or_default());
            }
        }
    }
    Ok(found)
}
