//! Progress on standard error: a bar on a terminal, and a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::note;

/// The progress of one part of the work.
pub(super) struct Progress {
    what: &'static str,
    bar: Option<ProgressBar>,
    /// When a line was last written.
    told: Option<Instant>,
    /// The line to be written next.
    line: Option<String>,
}

/// The time between two lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

const BYTES: &str = "{prefix} {bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const BYTES_READ: &str = "{prefix} {spinner} {bytes} {bytes_per_sec}";
const USERS: &str = "{prefix} {bar:40} {pos}/{len} {msg}";

impl Progress {
    /// Of bytes, of which there are so many if that is known.
    pub(super) fn of_bytes(what: &'static str, length: Option<u64>) -> Self {
        Self::new(what, length, if length.is_some() { BYTES } else { BYTES_READ })
    }

    /// Of users.
    pub(super) fn of_users(what: &'static str) -> Self {
        Self::new(what, Some(0), USERS)
    }

    fn new(what: &'static str, length: Option<u64>, template: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_prefix(what);
            let style = ProgressStyle::with_template(template);
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { what, bar, told: None, line: None }
    }

    /// So much is done, of so much.
    pub(super) fn set(&mut self, done: u64, of: Option<u64>, message: &str) {
        if let Some(bar) = &self.bar {
            if let Some(of) = of {
                bar.set_length(of);
            }
            bar.set_position(done);
            bar.set_message(message.to_owned());
            return;
        }
        let of = of.map_or_else(String::new, |of| format!(" of {of}"));
        self.line = Some(format!("{}: {done}{of} {message}", self.what));
        if self.told.is_none_or(|at| at.elapsed() >= LINE_INTERVAL) {
            self.tell();
        }
    }

    fn tell(&mut self) {
        if let Some(line) = self.line.take() {
            note(line.trim_end());
            self.told = Some(Instant::now());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The bar stays where it ended, and what is written next begins on a line of its own.
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
        self.tell();
    }
}
