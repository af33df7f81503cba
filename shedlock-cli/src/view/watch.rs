//! `shedlock list --watch`: the list again and again.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdout};
use std::time::SystemTime;

use tokio::time::sleep;

use super::{selected, show, times::Zone};
use crate::args::List;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::store::Store;

/// Lists until the program is interrupted. A store that fails is shown as such, and asked again.
pub(super) async fn watch(options: &List, store: &dyn Store) -> Result<Exit, Failure> {
    let is_terminal = stdout().is_terminal() && !options.format.ndjson;
    let interrupted = tokio::signal::ctrl_c();
    let mut interrupted = std::pin::pin!(interrupted);
    loop {
        let mut frame = match store.list().await {
            Ok(locks) => show(&selected(options, locks), options.format)?,
            Err(error) if is_terminal => {
                format!("{}\n", shedlock_runtime::printable(&error.to_string()))
            }
            Err(error) => return Err(error.into()),
        };
        if is_terminal {
            frame = redrawn(options, store, &frame);
        }
        // Whoever has read the list has gone.
        if output::print_on(&frame)?.is_break() {
            return Ok(Exit::SUCCESS);
        }
        tokio::select! {
            () = sleep(options.every) => {}
            _ = &mut interrupted => return Ok(Exit::SUCCESS),
        }
    }
}

/// The frame for a terminal. It is drawn over the last one, line by line and in one write, so that nothing flickers.
fn redrawn(options: &List, store: &dyn Store, frame: &str) -> String {
    const HOME: &str = "\x1b[H";
    const CLEAR_LINE: &str = "\x1b[K";
    const CLEAR_BELOW: &str = "\x1b[J";
    let now = SystemTime::now();
    let clock = Zone::new(options.format.utc).time(now, now);
    let every = humantime::format_duration(options.every);
    let mut text = format!(
        "{HOME}{} at {clock}, every {every}; Ctrl-C ends{CLEAR_LINE}\n{CLEAR_LINE}\n",
        store.info().name()
    );
    for line in frame.lines() {
        // Writing to a text does not fail.
        let _written = writeln!(text, "{line}{CLEAR_LINE}");
    }
    text.push_str(CLEAR_BELOW);
    text
}
