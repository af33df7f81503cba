//! `shedlock top --once`: one frame on stdout.

use std::sync::Arc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use shedlock_dashboard::Observer;
use shedlock_runtime::LockAdmin;
use unicode_width::UnicodeWidthStr as _;

use super::app::{App, Event};
use super::draw;
use crate::exit::{Exit, Failure};
use crate::output;

/// Reads the store and prints the frame.
pub(super) async fn print(
    mut app: App,
    store: Arc<dyn LockAdmin>,
    size: (u16, u16),
) -> Result<Exit, Failure> {
    let snapshot = Observer::new(store).snapshot().await?;
    app.update(Event::Read(Ok(snapshot)), Duration::ZERO);
    output::print(&frame(&app, size))?;
    Ok(Exit::SUCCESS)
}

/// The frame as text, without blanks at the ends of lines.
pub(super) fn frame(app: &App, (columns, lines): (u16, u16)) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, lines));
    let Ok(drawn) = terminal.draw(|frame| draw::draw(app, frame));
    text(drawn.buffer)
}

fn text(screen: &Buffer) -> String {
    let mut text = String::new();
    let width = usize::from(screen.area.width).max(1);
    for cells in screen.content().chunks(width) {
        let mut line = String::new();
        // A wide character covers the cells behind it.
        let mut covered = 0;
        for cell in cells {
            if covered == 0 {
                line.push_str(cell.symbol());
                covered = cell.symbol().width().saturating_sub(1);
            } else {
                covered -= 1;
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
