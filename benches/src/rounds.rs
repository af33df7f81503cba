//! Interleaved rounds: every subject once per round, so that whatever the machine does meanwhile it does to all.

/// How many rounds at least a figure is a median of.
pub const LEAST: usize = 5;

/// One thing to measure: called once per round, it gives the round's figure.
pub struct Subject<'a> {
    name: &'static str,
    measure: Box<dyn FnMut() -> anyhow::Result<f64> + 'a>,
}

impl std::fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Subject").field(&self.name).finish()
    }
}

impl<'a> Subject<'a> {
    /// A subject called `name`.
    pub fn new(name: &'static str, measure: impl FnMut() -> anyhow::Result<f64> + 'a) -> Self {
        Self {
            name,
            measure: Box::new(measure),
        }
    }
}

/// The figures of one subject, round by round.
#[derive(Debug, Clone)]
pub struct Series {
    /// The subject.
    pub name: &'static str,
    figures: Vec<f64>,
}

impl Series {
    /// The middle figure.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(self.figures.clone())
    }

    /// The middle of the rounds' ratios to `floor`.
    #[must_use]
    pub fn ratio_to(&self, floor: &Self) -> f64 {
        median(
            self.pairs(floor)
                .map(|(mine, floor)| mine / floor)
                .collect(),
        )
    }

    /// The middle of what this costs over `floor`.
    #[must_use]
    pub fn over(&self, floor: &Self) -> f64 {
        median(
            self.pairs(floor)
                .map(|(mine, floor)| mine - floor)
                .collect(),
        )
    }

    fn pairs<'s>(&'s self, floor: &'s Self) -> impl Iterator<Item = (f64, f64)> + 's {
        self.figures
            .iter()
            .copied()
            .zip(floor.figures.iter().copied())
    }
}

/// Measures all `subjects` in each of `rounds` rounds, after one round that does not count.
///
/// Who begins changes from round to round: the first has the caches of whoever was last.
///
/// # Errors
///
/// The first failure of a subject.
pub fn interleave<const N: usize>(
    rounds: usize,
    mut subjects: [Subject<'_>; N],
) -> anyhow::Result<[Series; N]> {
    let mut series = subjects.each_ref().map(|subject| Series {
        name: subject.name,
        figures: Vec::with_capacity(rounds),
    });
    for round in 0..=rounds.max(LEAST) {
        for turn in 0..N {
            let which = (round + turn) % N;
            let figure = (subjects[which].measure)()?;
            if round > 0 {
                series[which].figures.push(figure);
            }
        }
    }
    Ok(series)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 {
        figures[middle]
    } else {
        f64::midpoint(figures[middle - 1], figures[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The machine gets slower in the middle: both suffer, and the ratio does not.
        let floor = Series {
            name: "floor",
            figures: vec![10.0, 5.0, 1.0],
        };
        let mine = Series {
            name: "mine",
            figures: vec![8.0, 4.0, 0.8],
        };
        assert!((mine.ratio_to(&floor) - 0.8).abs() < 1e-9);
    }

    #[test]
    fn the_first_round_does_not_count_and_beginners_take_turns() {
        let order = std::cell::RefCell::new(Vec::new());
        let note = |name: &'static str| {
            let order = &order;
            Subject::new(name, move || {
                order.borrow_mut().push(name);
                Ok(1.0)
            })
        };
        let [a, b] = interleave(LEAST, [note("a"), note("b")]).unwrap();
        assert_eq!((a.figures.len(), b.figures.len()), (LEAST, LEAST));
        assert_eq!(order.borrow()[..4], ["a", "b", "b", "a"]);
    }
}
