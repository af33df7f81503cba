//! Aligned tables with the goal beside each figure.

use std::fmt;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
    /// Exactly this.
    Exactly(f64),
    /// The figure explains others and has no goal of its own.
    None,
}

impl Goal {
    fn verdict(self, figure: f64) -> &'static str {
        let met = match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
            Self::Exactly(wanted) => (figure - wanted).abs() < 1e-9,
            Self::None => return "",
        };
        if met { "ok" } else { "MISSED" }
    }

    fn shown(self, unit: Unit) -> String {
        match self {
            Self::AtMost(most) => format!("<= {}", unit.show(most)),
            Self::AtLeast(least) => format!(">= {}", unit.show(least)),
            Self::Exactly(wanted) => unit.show(wanted),
            Self::None => String::new(),
        }
    }
}

/// How a figure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Nanos,
    /// Milliseconds.
    Millis,
    /// Millions of bytes.
    Megabytes,
    /// Seconds of processor time.
    CpuSeconds,
    /// A count, exact.
    Count,
    /// A share of a floor.
    Ratio,
    /// A share of a hundred.
    Percent,
    /// How many per second.
    PerSecond,
}

impl Unit {
    fn show(self, figure: f64) -> String {
        match self {
            Self::Nanos => format!("{figure:.0} ns"),
            Self::Millis => format!("{figure:.1} ms"),
            Self::Megabytes => format!("{figure:.1} MB"),
            Self::CpuSeconds => format!("{figure:.1} s"),
            // A mean that is not whole says that some call did something else.
            Self::Count if figure.fract() == 0.0 => format!("{figure:.0}"),
            Self::Count => format!("{figure:.4}"),
            Self::Ratio => format!("{figure:.2} x"),
            Self::Percent => format!("{figure:.1} %"),
            Self::PerSecond => format!("{figure:.0}/s"),
        }
    }
}

/// A table under a heading.
#[derive(Debug)]
pub struct Table {
    heading: String,
    rows: Vec<[String; 4]>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a figure.
    pub fn row(&mut self, what: impl Into<String>, unit: Unit, figure: f64, goal: Goal) {
        self.rows.push([
            what.into(),
            unit.show(figure),
            goal.shown(unit),
            goal.verdict(figure).into(),
        ]);
    }

    /// Adds a line that says why there is no figure, or what to think of the one above.
    pub fn note(&mut self, text: impl Into<String>) {
        self.rows
            .push([text.into(), String::new(), String::new(), String::new()]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A note may be as long as it likes; only rows with a figure are aligned.
        let width = |column: usize| {
            self.rows
                .iter()
                .filter(|row| !row[1].is_empty())
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let [what, figure, goal] = [width(0), width(1), width(2)];
        writeln!(f, "\n{}", self.heading)?;
        for row in &self.rows {
            let line = format!(
                "  {:what$}  {:>figure$}  {:>goal$}  {}",
                row[0], row[1], row[2], row[3]
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_beside_their_goals() {
        let mut table = Table::new("In memory");
        table.row("locked call", Unit::Nanos, 351.0, Goal::AtMost(350.0));
        table.row("allocations", Unit::Count, 3.0, Goal::AtMost(4.0));
        table.row("a clock read", Unit::Nanos, 36.2, Goal::None);
        table.note("measured on a busy machine, which is said at length");
        let expected = "
In memory
  locked call   351 ns  <= 350 ns  MISSED
  allocations        3       <= 4  ok
  a clock read   36 ns
  measured on a busy machine, which is said at length
";
        assert_eq!(table.to_string(), expected);
    }
}
