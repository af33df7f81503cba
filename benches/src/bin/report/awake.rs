//! Keeps the cores awake while they are measured: a virtual core that halts needs some 20 microseconds to wake up, which is a quarter of what
//! a round trip to a server beside the program takes, and which of two programs pays it is chance.

use std::num::NonZero;
use std::process::{Child, Command, Stdio};

/// Loops of the scheduler's idle class, which give way to everything else. They end with this value, or with the program.
pub(crate) struct Awake(Vec<Child>);

impl Awake {
    /// One loop for each core. A single core does not halt: the program or the server always has work.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut loops = Self(Vec::new());
        if cores > 1 {
            for _ in 0..cores {
                loops.0.push(spin()?);
            }
        }
        Ok(loops)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for spinning in &mut self.0 {
            drop(spinning.kill());
            drop(spinning.wait());
        }
    }
}

fn spin() -> std::io::Result<Child> {
    Command::new("chrt")
        .args(["--idle", "0", "sh", "-c", "while kill -0 $PPID; do :; done"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
