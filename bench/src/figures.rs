//! Figures over several rounds: a median, and how far the rounds lie apart.

use std::fmt;

/// A median and its spread.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spread {
    /// The median.
    pub(crate) median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    /// Of some figures.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |place: usize| figures.get(place).copied().unwrap_or(f64::NAN);
        let (middle, last) = (figures.len() / 2, figures.len().saturating_sub(1));
        let median = if figures.len().is_multiple_of(2) {
            f64::midpoint(at(middle.saturating_sub(1)), at(middle))
        } else {
            at(middle)
        };
        Self { median, least: at(0), greatest: at(last) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}–{})", short(self.median), short(self.least), short(self.greatest))
    }
}

/// Three significant digits, or all before the point.
pub(crate) fn short(figure: f64) -> String {
    match figure {
        _ if figure >= 100.0 => format!("{figure:.0}"),
        _ if figure >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
