//! `cargo xtask tidy`: the rules that neither rustc nor clippy knows.
//!
//! Each rule is one module with a pure part that takes what it judges and
//! returns what is wrong, so that its tests can show it fail.

mod cancel_safety;
mod circles;
mod examples;
mod imports;
mod items;
mod layers;
mod manifests;
mod readme;
mod sizes;
mod template;
mod ui;
mod words;

use crate::workspace;
use anyhow::Context;
use cargo_metadata::{DependencyKind, Metadata, Package};
use std::fs;
use std::path::{Path, PathBuf};

/// What the rules found.
#[derive(Debug, Default)]
struct Findings {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn error(&mut self, text: impl Into<String>) {
        self.errors.push(text.into());
    }

    fn warning(&mut self, text: impl Into<String>) {
        self.warnings.push(text.into());
    }
}

/// A member of the workspace, as far as the rules look at it.
#[derive(Clone, Debug, Default)]
struct Member {
    name: String,
    /// The package's folder, relative to the workspace's root.
    folder: PathBuf,
    published: bool,
    /// What it depends on outside its tests: name and version requirement.
    dependencies: Vec<(String, String)>,
    description: Option<String>,
    keywords: Vec<String>,
    categories: Vec<String>,
    licence: Option<String>,
    readme: Option<PathBuf>,
    rust_version: Option<String>,
}

impl Member {
    fn is_provider(&self) -> bool {
        self.folder.starts_with("providers")
    }

    fn is_adapter(&self) -> bool {
        self.folder.starts_with("adapters")
    }

    fn new(root: &Path, package: &Package) -> anyhow::Result<Self> {
        let manifest = package.manifest_path.as_std_path();
        let folder = manifest.parent().context("a manifest lies in a folder")?;
        let dependencies = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .map(|dependency| (dependency.name.clone(), dependency.req.to_string()))
            .collect();
        Ok(Self {
            name: package.name.to_string(),
            folder: folder.strip_prefix(root).unwrap_or(folder).to_owned(),
            published: workspace::is_published(package),
            dependencies,
            description: package.description.clone(),
            keywords: package.keywords.clone(),
            categories: package.categories.clone(),
            licence: package.license.clone(),
            readme: package
                .readme
                .as_ref()
                .map(|path| path.as_std_path().to_owned()),
            rust_version: package.rust_version.as_ref().map(ToString::to_string),
        })
    }
}

/// Runs the verb; the answer is whether every rule holds.
pub(crate) fn run() -> anyhow::Result<bool> {
    let root = workspace::root()?;
    let members = members(&root, &workspace::members(&root)?)?;
    let tracked = workspace::tracked_files(&root)?;
    let mut findings = Findings::default();
    imports::check(&members, &mut findings);
    layers::check(&root, &members, &mut findings)?;
    circles::check(&root, &members, &mut findings)?;
    manifests::check(&root, &members, &mut findings);
    template::check(&root, &members, &mut findings);
    cancel_safety::check(&root, &members, &mut findings)?;
    examples::check(&root, &members, &mut findings)?;
    readme::check(&root, &mut findings)?;
    sizes::check(&root, &members, &mut findings)?;
    ui::check(&root, &mut findings)?;
    words::check(&root, &tracked, &mut findings);
    for warning in &findings.warnings {
        println!("warning: {warning}");
    }
    for error in &findings.errors {
        println!("error: {error}");
    }
    println!(
        "tidy: {} errors, {} warnings",
        findings.errors.len(),
        findings.warnings.len()
    );
    Ok(findings.errors.is_empty())
}

fn members(root: &Path, metadata: &Metadata) -> anyhow::Result<Vec<Member>> {
    metadata
        .packages
        .iter()
        .map(|package| Member::new(root, package))
        .collect()
}

/// Every file below `folder`, sorted; none if there is no such folder.
fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        for entry in folder.read_dir()? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The Rust files of a package's `src`, without those that hold nothing but tests.
fn source_files(root: &Path, member: &Member) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = files_below(&root.join(&member.folder).join("src"))?;
    files.retain(|path| {
        let within = path.strip_prefix(root).unwrap_or(path);
        path.extension().is_some_and(|extension| extension == "rs")
            && !within.ends_with("tests.rs")
            && !within
                .components()
                .skip(2)
                .any(|part| part.as_os_str() == "tests")
    });
    Ok(files)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// The path as messages show it.
fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}
