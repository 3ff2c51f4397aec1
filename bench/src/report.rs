//! What is printed: progress, and a table as Markdown at the end.

use std::fmt::Display;

use crate::compare::Slices;
use crate::database::Kind;
use crate::figures::{Spread, short};

/// The results on one database.
pub(crate) struct Table {
    kind: Kind,
    rows: Vec<String>,
    ratios: Vec<Ratio>,
}

/// Two measurements compared, round by round.
struct Ratio {
    what: String,
    value: Spread,
    aim: Aim,
}

/// What a ratio is to reach.
#[derive(Clone, Copy)]
pub(crate) enum Aim {
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
    /// It is only told.
    None,
}

impl Table {
    /// An empty one.
    pub(crate) const fn of(kind: Kind) -> Self {
        Self { kind, rows: Vec::new(), ratios: Vec::new() }
    }

    /// Adds a row of what was driven; `each` is how many of its units one request stands for.
    pub(crate) fn add(&mut self, name: &str, slices: &Slices, each: f64) {
        let median = |figure: &dyn Fn(&crate::drive::Slice) -> f64| Spread::of(slices.iter().map(figure)).median;
        let row = format!(
            "| {name} | {} | {} | {} + {} | {} | {} |",
            short(median(&|slice| slice.per_second() * each)),
            short(median(&|slice| slice.cpu_micros() / each)),
            short(median(&|slice| slice.server_micros() / each)),
            short(median(&|slice| slice.database_micros() / each)),
            short(median(&|slice| slice.latency_ms(0.5))),
            short(median(&|slice| slice.latency_ms(0.99))),
        );
        say(&row);
        self.rows.push(row);
    }

    /// Adds a figure that is compared with nothing.
    pub(crate) fn figure(&mut self, what: &str, rounds: impl IntoIterator<Item = f64>, aim: Aim) {
        self.ratio(what, rounds, aim);
    }

    /// Adds a ratio.
    pub(crate) fn ratio(&mut self, what: &str, rounds: impl IntoIterator<Item = f64>, aim: Aim) {
        let ratio = Ratio { what: what.to_owned(), value: Spread::of(rounds), aim };
        say(ratio.line());
        self.ratios.push(ratio);
    }
}

impl Ratio {
    fn line(&self) -> String {
        format!("| {} | {} | {} |", self.what, self.value, self.aim.words())
    }

    fn is_missed(&self) -> bool {
        match self.aim {
            // What is not a number has missed too.
            Aim::AtLeast(aim) => !matches!(self.value.median.partial_cmp(&aim), Some(order) if order.is_ge()),
            Aim::AtMost(aim) => !matches!(self.value.median.partial_cmp(&aim), Some(order) if order.is_le()),
            Aim::None => false,
        }
    }
}

impl Aim {
    fn words(self) -> String {
        match self {
            Self::AtLeast(aim) => format!("≥ {aim}"),
            Self::AtMost(aim) => format!("≤ {aim}"),
            Self::None => String::new(),
        }
    }
}

/// Prints all tables, and what stands below its aim.
pub(crate) fn summary(tables: &[Table]) {
    for table in tables {
        say(format!("\n### {}\n", table.kind));
        say("| measured | per second | CPU µs each | server + PostgreSQL | p50 ms | p99 ms |");
        say("| --- | --- | --- | --- | --- | --- |");
        table.rows.iter().for_each(say);
        say("\n| ratio | median (least–greatest round) | aim |\n| --- | --- | --- |");
        table.ratios.iter().for_each(|ratio| say(ratio.line()));
        let missed: Vec<_> = table.ratios.iter().filter(|ratio| ratio.is_missed()).collect();
        say(if missed.is_empty() { "\nEverything reaches its aim." } else { "\nBelow its aim:\n" });
        for ratio in missed {
            say(format!("- {}: {}, to be {}", ratio.what, ratio.value, ratio.aim.words()));
        }
    }
}

/// Prints a line.
#[expect(clippy::print_stdout, reason = "printing is what the benchmark is for; this is the one place that does")]
pub(crate) fn say(line: impl Display) {
    println!("{line}");
}
