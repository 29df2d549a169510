//! What the person at the keyboard sees: a moving line per step on a terminal, one plain line per
//! step elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One step that may take a while. Dropped without `done`, it disappears from the terminal.
pub struct Step {
    name: String,
    started: Instant,
    bar: ProgressBar,
}

impl Step {
    /// A step whose length is not known: a spinner.
    pub fn spinner(name: impl Into<String>) -> Step {
        Step::new(
            name.into(),
            ProgressBar::new_spinner(),
            "{spinner} {prefix:14} {wide_msg} {elapsed}",
        )
    }

    /// A step that counts things, `total` of them.
    pub fn count(name: impl Into<String>, total: u64) -> Step {
        let style = "{spinner} {prefix:14} [{bar:24}] {pos}/{len} {wide_msg} {elapsed}";
        Step::new(name.into(), ProgressBar::new(total), style)
    }

    /// A step that reports percent, as apt does.
    pub fn percent(name: impl Into<String>) -> Step {
        let style = "{spinner} {prefix:14} [{bar:24}] {pos:>3} % {wide_msg} {elapsed}";
        Step::new(name.into(), ProgressBar::new(100), style)
    }

    fn new(name: String, bar: ProgressBar, style: &str) -> Step {
        if std::io::stderr().is_terminal() {
            bar.set_style(
                ProgressStyle::with_template(style)
                    .expect("the templates above are well formed")
                    .progress_chars("=> "),
            );
            bar.set_prefix(name.clone());
            bar.enable_steady_tick(TICK);
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Step { name, started: Instant::now(), bar }
    }

    /// What the step is doing just now; only a terminal shows it.
    pub fn say(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }

    /// How far the step is.
    pub fn at(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// A line that apt printed with [`APT_STATUS`]: where it is, or what it says.
    pub fn apt(&self, line: &str) {
        match apt_status(line) {
            Some((percent, doing)) => {
                self.at(percent);
                self.say(doing);
            }
            None => self.say(line.trim()),
        }
    }

    /// Ends the step with one line that stays: what came out of it.
    pub fn done(self, outcome: impl AsRef<str>) {
        self.bar.finish_and_clear();
        let seconds = self.started.elapsed().as_secs_f32();
        eprintln!("  {:14} {} ({seconds:.1} s)", self.name, outcome.as_ref());
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.bar.is_finished() {
            self.bar.finish_and_clear();
        }
    }
}

/// Bytes for people: `14.2 MB`.
pub fn human(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// Lets apt-get tell on stdout how far it is.
pub const APT_STATUS: [&str; 2] = ["-o", "APT::Status-Fd=1"];

/// `dlstatus:1:33.3:Retrieving file 1 of 3` and `pmstatus:qemu:40.0:Installing qemu`.
fn apt_status(line: &str) -> Option<(u64, &str)> {
    let (kind, rest) = line.split_once(':')?;
    if !matches!(kind, "dlstatus" | "pmstatus") {
        return None;
    }
    // The name in the middle may carry an architecture behind a colon of its own: find the number.
    let mut from = 0;
    for (at, _) in rest.match_indices(':') {
        if let Ok(percent) = rest[from..at].parse::<f32>()
            && rest[from..at].contains('.')
        {
            return Some((percent.clamp(0.0, 100.0) as u64, &rest[at + 1..]));
        }
        from = at + 1;
    }
    None
}

const TICK: Duration = Duration::from_millis(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_says_how_far_it_is() {
        assert_eq!(
            apt_status("dlstatus:1:33.3333:Retrieving file 1 of 3"),
            Some((33, "Retrieving file 1 of 3"))
        );
        assert_eq!(
            apt_status("pmstatus:libc6:amd64:40.0000:Installing libc6 (amd64)"),
            Some((40, "Installing libc6 (amd64)"))
        );
        assert_eq!(apt_status("Get:1 http://deb.debian.org/debian 12.5 x"), None);
        assert_eq!(apt_status("pmstatus:x"), None);
    }

    #[test]
    fn bytes_are_spelled_for_people() {
        assert_eq!(human(999), "999 B");
        assert_eq!(human(14_200_000), "14.2 MB");
        assert_eq!(human(1_500), "1.5 kB");
    }
}
