//! `cargo xtask api`: the public surface of each published crate is what `api/` says.
//!
//! rustdoc writes the public items as JSON, and the crate `public-api` makes one line of each item. The lines are kept in the repository,
//! so that a change of the surface shows in the diff. Hidden items are left out.

use crate::{process, workspace};
use anyhow::Context;
use public_api::Builder;
use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

const FOLDER: &str = "api";
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Set where cargo takes this program for rustdoc.
const AS_RUSTDOC: &str = "SHEDLOCK_XTASK_AS_RUSTDOC";

/// The format that the locked version of `public-api` reads.
const FORMAT: &str = "57, which Rust 1.93 to 1.95 write";

/// Implementations that the compiler adds to most types and that say nothing about a type.
const UNREMARKABLE: [&str; 5] = [
    "core::marker::Freeze for ",
    "core::marker::StructuralPartialEq for ",
    "core::marker::UnsafeUnpin for ",
    " core::marker::Unpin for ",
    "UnwindSafe for ",
];

/// Options of `cargo xtask api`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Write what is public today, for the commit that changes it
    #[arg(long)]
    bless: bool,
}

/// Runs the verb; the answer is whether nothing differs.
pub(crate) fn run(args: &Args) -> anyhow::Result<bool> {
    let root = workspace::root()?;
    anyhow::ensure!(document(&root)?, "rustdoc has failed");
    let crates = published(&root)?;
    if args.bless {
        bless(&root, &crates)?;
    }
    let mut same = has_no_other_files(&root, &crates)?;
    for name in &crates {
        same &= compare(&root, name)?;
    }
    println!("api: {} crates", crates.len());
    Ok(same)
}

/// The names of the crates that are published and that other crates can name: a program has no surface.
fn published(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let members = workspace::members(root)?;
    let published = members
        .packages
        .iter()
        .filter(|package| workspace::is_published(package))
        .filter(|package| {
            package
                .targets
                .iter()
                .any(|target| target.is_lib() || target.is_proc_macro())
        });
    Ok(published.map(|package| package.name.to_string()).collect())
}

/// Has rustdoc write JSON for all members, with the features and so with the dependencies of the other steps.
fn document(root: &Path) -> anyhow::Result<bool> {
    let mut command = process::cargo(root);
    command
        .args(["doc", "--quiet", "--workspace", "--no-deps"])
        .args(["--all-features", "--locked"])
        .env("RUSTDOC", env::current_exe()?)
        .env("RUSTDOCFLAGS", "-Z unstable-options --output-format json")
        .env(AS_RUSTDOC, rustdoc());
    Ok(process::run(&mut command, LIMIT)?.success())
}

fn rustdoc() -> OsString {
    env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into())
}

/// Runs the real rustdoc if cargo has started this program in its place.
///
/// JSON needs `RUSTC_BOOTSTRAP` on a stable toolchain. For all of cargo, it would have dependencies compiled anew, and some
/// of them differently.
pub(crate) fn stand_in_for_rustdoc() -> Option<ExitCode> {
    let rustdoc = env::var_os(AS_RUSTDOC)?;
    let status = Command::new(rustdoc)
        .args(env::args_os().skip(1))
        .env("RUSTC_BOOTSTRAP", "1")
        .status();
    let done = status.is_ok_and(|status| status.success());
    Some(if done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn bless(root: &Path, crates: &BTreeSet<String>) -> anyhow::Result<()> {
    let folder = root.join(FOLDER);
    // What is no longer published goes.
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir_all(&folder)?,
    }
    for name in crates {
        let mut text = surface(root, name)?.join("\n");
        text.push('\n');
        fs::write(folder.join(format!("{name}.txt")), text)?;
    }
    Ok(())
}

/// Looks for files of crates that are not published.
fn has_no_other_files(root: &Path, crates: &BTreeSet<String>) -> anyhow::Result<bool> {
    let mut none = true;
    for entry in root.join(FOLDER).read_dir().context("there is no `api`")? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if !crates.contains(&*name) {
            println!("error: `{FOLDER}/{name}.txt` is of no published crate");
            none = false;
        }
    }
    Ok(none)
}

fn compare(root: &Path, name: &str) -> anyhow::Result<bool> {
    let written = fs::read_to_string(root.join(FOLDER).join(format!("{name}.txt")));
    let found = surface(root, name)?;
    let differences = differences(&written.unwrap_or_default(), &found);
    if differences.is_empty() {
        return Ok(true);
    }
    println!("error: the surface of `{name}` is not what `{FOLDER}/{name}.txt` says:");
    for line in &differences {
        println!("  {line}");
    }
    println!("  if it is to be so: `cargo xtask api --bless`");
    Ok(false)
}

/// What is only in the file, with a minus, and only in the crate, with a plus.
fn differences(written: &str, found: &[String]) -> Vec<String> {
    let before: BTreeSet<&str> = written.lines().collect();
    let now: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    let gone = before.difference(&now).map(|line| format!("- {line}"));
    let new = now.difference(&before).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}

/// The public items of a crate, one a line.
fn surface(root: &Path, name: &str) -> anyhow::Result<Vec<String>> {
    let file = format!("{}.json", name.replace('-', "_"));
    let api = Builder::from_rustdoc_json(workspace::target(root)?.join("doc").join(file))
        .omit_blanket_impls(true)
        .build()
        .with_context(|| format!("cannot read rustdoc's JSON, whose format must be {FORMAT}"))?;
    let lines = api.items().map(ToString::to_string);
    Ok(lines.filter(|line| is_remarkable(line)).collect())
}

/// Whether a line says more than what is true of nearly every type.
fn is_remarkable(line: &str) -> bool {
    !(line.starts_with("impl") && UNREMARKABLE.iter().any(|what| line.contains(what)))
}

#[cfg(test)]
mod tests {
    use super::{differences, is_remarkable};

    fn found() -> Vec<String> {
        vec!["pub fn a()".to_owned(), "pub fn c()".to_owned()]
    }

    #[test]
    fn the_same_surface_has_no_differences() {
        assert_eq!(differences("pub fn a()\npub fn c()\n", &found()), [""; 0]);
    }

    #[test]
    fn removed_and_new_items_are_listed() {
        let told = differences("pub fn a()\npub fn b()\n", &found());
        assert_eq!(told, ["- pub fn b()", "+ pub fn c()"]);
    }

    #[test]
    fn a_crate_without_a_file_is_all_new() {
        assert_eq!(differences("", &found()).len(), 2);
    }

    #[test]
    fn what_is_true_of_every_type_is_left_out() {
        assert!(!is_remarkable("impl core::marker::Freeze for a::B"));
        assert!(!is_remarkable(
            "impl<T> core::marker::Unpin for a::B<T> where T: core::marker::Unpin"
        ));
        assert!(!is_remarkable(
            "impl !core::panic::unwind_safe::RefUnwindSafe for a::B"
        ));
        assert!(is_remarkable("impl core::marker::Send for a::B"));
        assert!(is_remarkable("impl !core::marker::Sync for a::B"));
        // A negative implementation takes a promise back, so it is listed.
        assert!(is_remarkable("impl !core::marker::Unpin for a::B"));
    }
}
