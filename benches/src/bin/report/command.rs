//! The command `shedlock`: how big it is, how long it takes to start, and what it holds while a command runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use shedlock_benches::rounds::{Subject, interleave};
use shedlock_benches::table::{Goal, Table, Unit};

const ROUNDS: usize = 51;
/// A process that has begun has started its children within this time.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn measure() -> anyhow::Result<Vec<Table>> {
    let program = build()?;
    let disk = tempfile::tempdir()?;
    // Where a durable write costs nothing.
    let memory_disk = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
    let start_in = |folder: &Path, arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments);
        // The user's own SQLite file, as on a fresh machine.
        command.env("XDG_STATE_HOME", folder);
        command.env("HOME", folder).env_remove("XDG_CONFIG_HOME");
        for variable in ["SHEDLOCK_STORE", "SHEDLOCK_STORE_FILE", "SHEDLOCK_CONFIG"] {
            command.env_remove(variable);
        }
        command
    };
    let start = |arguments: &[&str]| start_in(disk.path(), arguments);
    let run = ["run", "--name", "bench", "--", "true"];
    // Makes the files, so that no round does.
    timed(&mut start(&run))?;
    timed(&mut start_in(memory_disk.path(), &run))?;
    let [shell, version, get, in_memory, on_disk] = interleave(
        ROUNDS,
        [
            Subject::new("true", || timed(&mut Command::new("true"))),
            Subject::new("version", || timed(&mut start(&["--version"]))),
            Subject::new("get", || timed(&mut start(&["get", "bench"]))),
            Subject::new("run in memory", || {
                timed(&mut start_in(memory_disk.path(), &run))
            }),
            Subject::new("run on disk", || timed(&mut start(&run))),
        ],
    )?;
    let mut table = Table::new("The command `shedlock`, release build with default features");
    let mut row = |what, unit, figure, goal| table.row(what, unit, figure, goal);
    #[expect(clippy::cast_precision_loss, reason = "a program has no petabytes")]
    let size = fs::metadata(&program)?.len() as f64 / 1e6;
    row(
        "size of the program",
        Unit::Megabytes,
        size,
        Goal::AtMost(12.0),
    );
    row(
        "`true`, without `shedlock`",
        Unit::Millis,
        shell.median(),
        Goal::None,
    );
    row(
        "`shedlock --version`",
        Unit::Millis,
        version.median(),
        Goal::None,
    );
    row(
        "`shedlock get` of a SQLite file",
        Unit::Millis,
        get.median(),
        Goal::AtMost(10.0),
    );
    row(
        "`shedlock run -- true`, a SQLite file in memory",
        Unit::Millis,
        in_memory.median(),
        Goal::AtMost(10.0),
    );
    row(
        "the same on disk, three durable writes",
        Unit::Millis,
        on_disk.median(),
        Goal::None,
    );
    let [wrapper, guard] = memory(&mut start(&["run", "--name", "bench", "--", "sleep", "60"]))?;
    row(
        "memory while a command runs",
        Unit::Megabytes,
        wrapper,
        Goal::AtMost(15.0),
    );
    row("memory of its guard", Unit::Megabytes, guard, Goal::None);
    Ok(vec![table])
}

/// Builds the program as it is installed, and returns where it is.
fn build() -> anyhow::Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let built = cargo
        .current_dir(&root)
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "-p",
            "shedlock-cli",
        ])
        .status()?;
    ensure!(built.success(), "failed to build the command");
    // This program is a release build, too.
    let this = std::env::current_exe()?;
    let folder = this.parent().context("a program is in a folder")?;
    Ok(folder.join("shedlock"))
}

/// How long the command runs, in milliseconds.
fn timed(command: &mut Command) -> anyhow::Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let began = Instant::now();
    let ended = command.status()?;
    let took = began.elapsed();
    ensure!(ended.success(), "{command:?} ended with {ended}");
    Ok(took.as_secs_f64() * 1e3)
}

/// The most memory that the program and its guard have had, in megabytes, while the command runs.
fn memory(command: &mut Command) -> anyhow::Result<[f64; 2]> {
    let mut program = command.stdin(Stdio::null()).spawn()?;
    let measured = of_both(program.id());
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&program),
        rustix::process::Signal::TERM,
    )?;
    program.wait()?;
    measured
}

fn of_both(program: u32) -> anyhow::Result<[f64; 2]> {
    let until = Instant::now() + PATIENCE;
    loop {
        let children = fs::read_to_string(format!("/proc/{program}/task/{program}/children"))
            .context("memory is read from Linux")?;
        let guard = children.split_whitespace().find(|child| {
            let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("__watch-over-command")
        });
        if let Some(guard) = guard {
            // The figures are the highest ones so far, and starting takes the most.
            sleep(Duration::from_millis(200));
            return Ok([most(&program.to_string())?, most(guard)?]);
        }
        ensure!(
            Instant::now() < until,
            "the program has not started its command"
        );
        sleep(Duration::from_millis(5));
    }
}

fn most(process: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    let kilobytes: f64 = kilobytes.context("no peak of memory")?.parse()?;
    Ok(kilobytes * 1024.0 / 1e6)
}
