//! What the keys do, and what the signs mean.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::look::Look;
use super::write_lines;

const HELP: &str = "\
  Up Down PgUp PgDn Home End, j k g G   select a lock
  Enter   all about the lock: its holders over time, its last runs
  f /     filter: words of names, holders and states; all have to match
  s       sort by name, state, time left, time held, holder
  p       pause the lock: every node skips it; asks for how long and why
  u       resume: end the pause
  K       release the lock by force; asks for its name and why
  space   freeze the screen, and go on
  q Esc Ctrl-C   quit       Ctrl-Z   back to the shell, `fg` returns

  ● held       a node holds the lock     ◐ at_least  kept after its run
  ✖ expired    the lease ended, and nobody released the lock: a crash
  ‖ paused     by an operator            ○ free      nobody holds it
  ? unreadable the record is broken      ! before a name: see its warnings

  LEASE  what is left of the lease; runs with keep-alive extend it
  FENCE  the fencing token, or its last digits
  RUNS   the last runs, latest right: ▁ short █ long × failed - shut down";

pub(super) fn draw(area: Rect, screen: &mut Buffer) {
    let title = Line::styled("Keys and signs", Look::strong());
    let lines: Vec<Line<'_>> = std::iter::once(title)
        .chain(HELP.lines().map(Line::raw))
        .collect();
    write_lines(&lines, area, screen);
}
