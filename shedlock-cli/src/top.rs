//! `shedlock top`: the locks of a store on the whole screen.
//!
//! `app` is the state, which changes by events alone and does no I/O; `draw` makes a frame of it. `driver` connects both with the terminal
//! (`screen`) and the store (`reader`, `deed`).

use std::io::{IsTerminal as _, stdin, stdout};
use std::sync::Arc;

use shedlock_runtime::LockAdmin;

use crate::args::{StoreOptions, Top};
use crate::exit::{Exit, Failure};
use crate::store;
use crate::view::times::Zone;

mod app;
mod deed;
mod draw;
mod driver;
mod form;
mod once;
mod reader;
mod screen;
mod table;
#[cfg(test)]
mod tests;

use app::{App, Settings};

/// Shows the locks until the user has seen enough.
pub(crate) async fn top(options: &Top, store: &StoreOptions) -> Result<Exit, Failure> {
    let has_terminal = stdin().is_terminal() && stdout().is_terminal();
    if !options.once && !has_terminal {
        return Err(Failure::usage(
            "`top` needs a terminal for its input and output; `top --once` prints one frame, and `list --watch` a list",
        ));
    }
    let store: Arc<dyn LockAdmin> = store::open(store).await?;
    let settings = Settings {
        zone: Zone::new(options.utc),
        every: options.every,
        has_colors: !options.once && draw::wants_colors(),
    };
    let app = App::new(settings, &options.filter);
    if options.once {
        return once::print(app, store, options.size).await;
    }
    driver::drive(app, store).await
}
