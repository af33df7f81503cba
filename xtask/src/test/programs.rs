//! Which test programs there are: cargo builds all of them before one runs.

use super::reruns::{self, Rerun};
use super::schedule::{Beside, Job};
use crate::process;
use anyhow::Context;
use cargo_metadata::{Artifact, Message, TargetKind};
use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What building all tests may take.
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The program that compiles a crate for each of its cases.
const COMPILES: &str = "ui";

/// The programs whose tests break something within a lease of a second and see what happens before its end. Nearly all of that is waiting: two of
/// them together keep one core of two busy.
const FAULTS: &str = "faults";

/// The programs whose servers (emulators of a cloud or on the JVM, or two databases with clusters) keep a core or two busy: beside them others
/// get no answer in time, nor they beside others.
const BUSY: [&str; 9] = [
    "providers/shedlock-dynamodb conformance",
    "providers/shedlock-dynamodb faults",
    "providers/shedlock-dynamodb observation",
    "providers/shedlock-dynamodb wire",
    "providers/shedlock-mongodb faults",
    "providers/shedlock-object-store conformance",
    "providers/shedlock-object-store faults",
    "tests faults",
    "tests jvm_dynamodb",
];

/// Options of `cargo test` that choose targets, among which there are no examples in the documentation.
const TARGETS: [&str; 10] = [
    "--lib",
    "--bin",
    "--bins",
    "--test",
    "--tests",
    "--example",
    "--examples",
    "--bench",
    "--benches",
    "--all-targets",
];

/// What was asked of `cargo test`: its own arguments, and those for the test programs.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    cargo: Vec<&'a str>,
    programs: Vec<&'a str>,
}

/// All there is to run, and what is left out because its server is missing.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    pub(super) run: Vec<Job>,
    /// A line for each program: its name and the reason.
    pub(super) skipped: Vec<String>,
}

impl<'a> Asked<'a> {
    /// Splits the arguments where `cargo test` does; without any, all members are meant.
    pub(super) fn new(arguments: &'a [String]) -> Self {
        let mut halves = arguments.splitn(2, |argument| argument == "--");
        let mut half = || halves.next().unwrap_or_default().iter().map(String::as_str);
        let mut cargo: Vec<_> = half().collect();
        if cargo.is_empty() {
            cargo.push("--workspace");
        }
        Self {
            cargo,
            programs: half().collect(),
        }
    }

    fn only_documentation(&self) -> bool {
        self.cargo.contains(&"--doc")
    }

    fn has_documentation(&self) -> bool {
        let of_target = |argument: &&str| {
            let option = argument.split('=').next().unwrap_or_default();
            TARGETS.contains(&option)
        };
        !self.cargo.iter().any(of_target)
    }

    fn cargo_test(&self, root: &Path) -> Command {
        let mut command = process::cargo(root);
        command
            .args(["test", "--locked", "--all-features", "--no-fail-fast"])
            .args(&self.cargo);
        command
    }

    /// Builds what was asked for; the answer is all there is to run, or nothing if it does not build.
    pub(super) fn jobs(&self, root: &Path) -> anyhow::Result<Option<Jobs>> {
        let mut jobs = Jobs::default();
        // First, because it compiles: beside it, the programs wait for their leases to end.
        if self.has_documentation() {
            jobs.run.push(self.documentation(root));
        }
        if !self.only_documentation() {
            let Some(programs) = self.build(root)? else {
                return Ok(None);
            };
            for program in longest_first(programs) {
                let Some(program) = Program::new(root, program)? else {
                    continue;
                };
                jobs.run.push(self.job(root, &program));
                for (rerun, filters) in reruns::of(&program.package, &program.target) {
                    match rerun.value()? {
                        Ok(value) => {
                            let job = self.job_on(root, &program, rerun, filters, value);
                            jobs.run.push(job);
                        }
                        Err(missing) => {
                            let skip = rerun.skip(&program.name, &missing);
                            jobs.skipped.push(skip);
                        }
                    }
                }
            }
        }
        Ok(Some(jobs))
    }

    /// The examples in the documentation, which rustdoc compiles and runs.
    fn documentation(&self, root: &Path) -> Job {
        let mut command = self.cargo_test(root);
        if !self.only_documentation() {
            command.arg("--doc");
        }
        command.arg("--").args(&self.programs);
        Job::new("documentation", command)
    }

    fn build(&self, root: &Path) -> anyhow::Result<Option<Vec<Artifact>>> {
        let mut command = self.cargo_test(root);
        command.args(["--no-run", "--message-format=json-render-diagnostics"]);
        let mut built = Vec::new();
        let ended = process::run_with_lines(&mut command, BUILD_LIMIT, &mut |line| {
            if let Ok(Message::CompilerArtifact(artifact)) = serde_json::from_str(line)
                && artifact.profile.test
                && artifact.executable.is_some()
            {
                built.push(artifact);
            }
        })?;
        Ok(ended.success().then_some(built))
    }

    /// Runs a program as cargo would: in its package's folder, with what tells a program its package.
    fn job(&self, root: &Path, program: &Program) -> Job {
        let mut command = program.command(root);
        command.args(&self.programs);
        self::job(&program.name, program, command)
    }

    /// Runs a program on another server. The tests that were asked for take the place of the filters.
    fn job_on(
        &self,
        root: &Path,
        program: &Program,
        rerun: &Rerun,
        filters: &[&str],
        value: PathBuf,
    ) -> Job {
        let mut command = program.command(root);
        command.env(rerun.variable, value);
        if self.programs.is_empty() {
            command.args(filters);
        } else {
            command.args(&self.programs);
        }
        let name = format!("{} on {}", program.name, rerun.server);
        self::job(&name, program, command)
    }
}

fn job(name: &str, program: &Program, command: Command) -> Job {
    let mut job = Job::new(name, command);
    job.beside = beside(&program.name, &program.target);
    job
}

/// A test program that cargo has built.
struct Program {
    executable: PathBuf,
    manifest: PathBuf,
    folder: PathBuf,
    /// The package's folder, relative to the root.
    package: String,
    target: String,
    name: String,
}

impl Program {
    fn new(root: &Path, built: Artifact) -> anyhow::Result<Option<Self>> {
        let Some(executable) = built.executable else {
            return Ok(None);
        };
        let manifest = built.manifest_path.into_std_path_buf();
        let folder = manifest.parent().context("a manifest lies in a folder")?;
        let package = folder.strip_prefix(root).unwrap_or(folder);
        let package = package.display().to_string();
        let target = built.target.name;
        let name = match built.target.kind.first() {
            Some(TargetKind::Test) => format!("{package} {target}"),
            _ => format!("{package} {target} (unit tests)"),
        };
        Ok(Some(Self {
            executable: executable.into_std_path_buf(),
            folder: folder.to_owned(),
            manifest,
            package,
            target,
            name,
        }))
    }

    fn command(&self, root: &Path) -> Command {
        let mut command = Command::new(&self.executable);
        command
            .current_dir(&self.folder)
            .env("CARGO", process::cargo(root).get_program())
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .env("CARGO_MANIFEST_PATH", &self.manifest);
        command
    }
}

/// What may run beside the program `name`, which cargo calls `target`.
fn beside(name: &str, target: &str) -> Beside {
    if BUSY.contains(&name) {
        Beside::Nothing
    } else if target == FAULTS {
        Beside::One
    } else {
        Beside::Many
    }
}

/// Sorts the programs so that the longest begin first, and no long one runs alone at the end.
///
/// The time of a program is not known before it has run, so its size is taken: a larger program has more tests. The program that runs
/// the compiler is small, and goes first.
fn longest_first(mut programs: Vec<Artifact>) -> Vec<Artifact> {
    let size = |program: &Artifact| {
        let metadata = program.executable.as_ref().map(fs::metadata);
        metadata.and_then(Result::ok).map_or(0, |file| file.len())
    };
    programs.sort_by_key(|program| (program.target.name != COMPILES, Reverse(size(program))));
    programs
}

#[cfg(test)]
mod tests {
    use super::{Asked, beside};
    use crate::test::schedule::Beside;
    use std::path::Path;

    fn asked(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn all_members_are_meant_without_arguments() {
        for (line, cargo, programs) in [
            ("", vec!["--workspace"], vec![]),
            ("-p a", vec!["-p", "a"], vec![]),
            ("-p a -- b -- c", vec!["-p", "a"], vec!["b", "--", "c"]),
            ("-- b", vec!["--workspace"], vec!["b"]),
        ] {
            let arguments = asked(line);
            let found = Asked::new(&arguments);
            assert_eq!((found.cargo, found.programs), (cargo, programs), "{line}");
        }
    }

    #[test]
    fn documentation_is_left_out_where_targets_are_chosen() {
        for (line, documentation) in [
            ("", true),
            ("-p a", true),
            ("--doc", true),
            ("-p a --test b", false),
            ("--test=b", false),
            ("--lib", false),
        ] {
            let arguments = asked(line);
            assert_eq!(
                Asked::new(&arguments).has_documentation(),
                documentation,
                "{line}"
            );
        }
    }

    #[test]
    fn faults_and_busy_programs_have_less_beside_them() {
        for (package, target, expected) in [
            ("providers/shedlock-redis", "conformance", Beside::Many),
            ("providers/shedlock-redis", "faults", Beside::One),
            ("providers/shedlock-mongodb", "faults", Beside::Nothing),
            ("tests", "faults", Beside::Nothing),
            (
                "providers/shedlock-dynamodb",
                "conformance",
                Beside::Nothing,
            ),
        ] {
            let name = format!("{package} {target}");
            assert_eq!(beside(&name, target), expected, "{name}");
        }
    }

    #[test]
    fn documentation_is_asked_for_once() {
        for line in ["", "--doc"] {
            let arguments = asked(line);
            let job = Asked::new(&arguments).documentation(Path::new("."));
            let text = format!("{job:?}");
            assert_eq!(text.matches("--doc\"").count(), 1, "{text}");
        }
    }
}
