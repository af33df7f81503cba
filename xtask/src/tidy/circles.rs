//! No circular imports among the modules of one layer of the runtime: what two modules need of each other belongs in a third.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::layers::{self, RUNTIME};
use super::{Findings, Member, read, source_files};

/// The modules that each module of a layer names. A file in a module's folder is part of that module.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Checks the modules of each layer.
pub(super) fn check(
    root: &Path,
    members: &[Member],
    findings: &mut Findings,
) -> anyhow::Result<()> {
    for member in members.iter().filter(|member| member.name == RUNTIME) {
        let src = root.join(&member.folder).join("src");
        let mut layers: BTreeMap<&str, Arrows> = BTreeMap::new();
        for path in source_files(root, member)? {
            let within = path.strip_prefix(&src).unwrap_or(&path);
            if let Some((layer, module)) = place(within) {
                let named = named(layer, &module, &read(&path)?);
                let arrows = layers.entry(layer).or_default();
                arrows.entry(module).or_default().extend(named);
            }
        }
        for (layer, arrows) in layers {
            if let Some(circle) = circle(&arrows) {
                findings.error(format!(
                    "`{RUNTIME}/src/{layer}`: a circle of modules: {circle}"
                ));
            }
        }
    }
    Ok(())
}

/// The layer and the module that a file below `src` belongs to; `None` for a file that is not in a layer's folder.
fn place(within: &Path) -> Option<(&'static str, String)> {
    let mut parts = within.iter().filter_map(|part| part.to_str());
    let layer = layers::layer(parts.next()?)?;
    let module = parts.next()?.trim_end_matches(".rs");
    Some((layer, module.to_owned()))
}

/// The other modules of `layer` that the source of `module` names.
fn named(layer: &str, module: &str, source: &str) -> BTreeSet<String> {
    let prefix = format!("crate::{layer}::");
    // Tests at the end of a file may name what they like.
    let lines = source.lines().take_while(|line| *line != "#[cfg(test)]");
    let code: Vec<_> = lines.filter_map(|line| line.split("//").next()).collect();
    let code = code.join("\n");
    let mut found = BTreeSet::new();
    for path in code.split(&prefix).skip(1) {
        let group = path
            .strip_prefix('{')
            .map(|rest| rest.split('}').next().unwrap_or_default());
        let paths = group.map_or_else(|| vec![path], |group| group.split(',').collect());
        found.extend(paths.into_iter().map(first_word));
    }
    found.remove(module);
    found
}

fn first_word(path: &str) -> String {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
    path.trim_start().chars().take_while(is_word).collect()
}

/// One circle of `arrows`, written out, if there is one.
fn circle(arrows: &Arrows) -> Option<String> {
    let mut rest = arrows.clone();
    // What names no module that is left is in no circle.
    while let Some(end) = rest.keys().find(|module| is_end(&rest, module)).cloned() {
        rest.remove(&end);
    }
    let mut walked = vec![rest.keys().next()?];
    loop {
        let next = rest[*walked.last()?]
            .iter()
            .find(|next| rest.contains_key(*next))?;
        if let Some(start) = walked.iter().position(|module| *module == next) {
            let circle = walked
                .iter()
                .skip(start)
                .map(|module| format!("`{module}` -> "));
            return Some(circle.collect::<String>() + &format!("`{next}`"));
        }
        walked.push(next);
    }
}

fn is_end(arrows: &Arrows, module: &str) -> bool {
    arrows[module].iter().all(|next| !arrows.contains_key(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Option<String> {
        let mut arrows = Arrows::new();
        for (path, source) in files {
            let (layer, module) = place(Path::new(path)).unwrap();
            let named = named(layer, &module, source);
            arrows.entry(module).or_default().extend(named);
        }
        circle(&arrows)
    }

    #[test]
    fn modules_that_name_each_other_in_one_direction_pass() {
        let files = [
            ("hold/guard.rs", "use crate::hold::{held, running::Ticket};"),
            (
                "hold/held.rs",
                "use crate::hold::running::Ticket; // see crate::hold::guard",
            ),
            ("hold/held/facts.rs", "use crate::hold::held::LockState;"),
            (
                "hold/running.rs",
                "use crate::values::name::LockName;\n#[cfg(test)]\nmod tests { use crate::hold::held; }",
            ),
        ];
        assert_eq!(found(&files), None);
    }

    #[test]
    fn a_circle_is_found_also_through_a_file_in_a_folder() {
        let files = [
            ("hold/guard.rs", "use crate::hold::held;"),
            ("hold/held.rs", "mod facts;"),
            ("hold/held/facts.rs", "use crate::hold::{release, state};"),
            (
                "hold/release.rs",
                "fn f() -> crate::hold::held::LockState {}",
            ),
            ("hold/state.rs", ""),
        ];
        let circle = found(&files).unwrap();
        assert_eq!(circle, "`held` -> `release` -> `held`");
    }

    #[test]
    fn a_file_outside_of_the_layers_is_no_module_of_a_layer() {
        assert_eq!(place(Path::new("lib.rs")), None);
        assert_eq!(place(Path::new("hold.rs")), None);
        assert_eq!(place(Path::new("private/run.rs")), None);
    }
}
