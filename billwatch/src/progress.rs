//! Progress of long work on standard error: a bar on a terminal, a plain line every few seconds elsewhere.

use std::{
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::grouped;

/// Pause between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Progress towards a known total.
pub struct Progress {
    what: &'static str,
    total: u64,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Begins; `unit` is in the plural.
    pub fn new(what: &'static str, total: u64, unit: &'static str) -> Self {
        // Without a total (standard input) there is nothing to draw.
        let bar = (total > 0 && std::io::stderr().is_terminal()).then(|| {
            let template = format!("{what} [{{bar:40}}] {{human_pos}}/{{human_len}} {unit} {{per_sec}} {{eta}} left");
            let style = ProgressStyle::with_template(&template).expect("the template is well formed");
            ProgressBar::new(total).with_style(style.progress_chars("=> "))
        });
        Progress { what, total, bar, started: Instant::now(), last_line: Instant::now() }
    }

    /// Moves on to `done` of the total.
    pub fn set(&mut self, done: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if self.total > 0 && self.last_line.elapsed() >= LINE_EVERY => {
                self.last_line = Instant::now();
                let percent = done * 100 / self.total;
                let seconds = self.started.elapsed().as_secs();
                // Progress is a courtesy: a closed standard error does not end the work.
                let (what, done, total) = (self.what, grouped(done), grouped(self.total));
                let _ = writeln!(std::io::stderr(), "{what}: {done} of {total} ({percent} %), {seconds} s");
            }
            None => {}
        }
    }

    /// Clears the bar.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
