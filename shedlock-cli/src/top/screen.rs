//! The terminal: taken, and given back in every case.

use std::io::{self, Stdout, Write as _, stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use nix::sys::signal::{Signal, raise};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};

use super::app::App;
use super::draw;

/// Whether the terminal is ours at this moment, so that it is given back once.
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// The terminal with our screen on it. Dropping it gives the terminal back.
pub(super) struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    pub(super) fn take() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                // The message of the panic must be seen.
                give_back();
                before(panic);
            }));
        });
        take()?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout()));
        terminal.map(Self).inspect_err(|_| give_back())
    }

    pub(super) fn draw(&mut self, app: &App) -> io::Result<()> {
        self.0.draw(|frame| draw::draw(app, frame)).map(drop)
    }

    /// Gives the terminal back and stops this process as the shell expects it. When it is continued, takes the terminal again.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        raise(Signal::SIGSTOP)?;
        self.resume()
    }

    /// Takes the terminal again, whose screen others may have used meanwhile.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        take()?;
        // Not `clear`, which asks the terminal for the place of the cursor, while the answer would go to whoever reads the keys.
        let size = self.0.size()?;
        self.0.resize(Rect::from((Position::ORIGIN, size)))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    IS_OURS.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen, Hide).inspect_err(|_| give_back())
}

fn give_back() {
    if !IS_OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    // A terminal that has gone needs nothing back.
    let _left = execute!(stdout(), LeaveAlternateScreen, Show);
    let _flushed = stdout().flush();
    let _cooked = disable_raw_mode();
}
