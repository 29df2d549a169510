//! What a check has measured: for programs as JSON, for people as a table.

use std::fmt;

use serde::Serialize;

use crate::progress::human;

/// Everything that was measured. What was not reached is empty or 0; `error` says why.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// Why the check ended early.
    pub error: Option<String>,
    /// Deliveries that got a `250`, in all rounds.
    pub messages_acknowledged: usize,
    /// Those of them that stood in every last reading of both boxes.
    pub messages_found: usize,
    /// Those that some reading did not show.
    pub messages_missing: usize,
    /// Messages that some reading showed with other bytes, or that nobody sent.
    pub messages_altered: usize,
    /// Messages that stood there more often than a client can have caused.
    pub messages_doubled: usize,
    /// Messages that stood there again because a client got no answer and asked again.
    pub messages_repeated_by_client: usize,
    /// Messages that were there although nobody ever got an answer for them.
    pub messages_unpromised: usize,
    /// Deliveries that nobody answered.
    pub messages_unanswered: usize,
    /// Deliveries that the server refused for good, by what it said.
    pub messages_refused: Vec<Refusal>,
    /// Messages in the corpus, and their size.
    pub corpus_messages: usize,
    pub corpus_bytes: u64,
    /// Files without anything to send.
    pub not_mail: usize,
    pub not_mail_names: Vec<String>,
    /// Accounts that got mail.
    pub accounts: usize,
    /// From power cut to the first greeting on the dead box's address.
    pub takeover_seconds: Vec<f64>,
    /// From power on to the first greeting: a, b.
    pub boot_seconds: Vec<f64>,
    /// From power on of a box that was dead to the view `both`.
    pub return_seconds: Vec<f64>,
    /// From its first answer after its return to the view `both`.
    pub catch_up_seconds: Vec<f64>,
    /// Whether both boxes had the same digest each time it was compared.
    pub digests_equal: bool,
    pub digests: Vec<Digests>,
    /// The image both boxes started from: its size, and what of it is written.
    pub image_bytes: u64,
    pub image_used_bytes: u64,
    /// Memory in use at rest, a and b, as the boxes say.
    pub ram_at_rest_bytes: Vec<u64>,
    /// What their QEMUs take of this workstation then.
    pub qemu_resident_bytes: Vec<u64>,
    pub rounds: Vec<RoundReport>,
    pub readings: Vec<ReadingReport>,
    /// What is wrong, in words; the first few.
    pub complaints: Vec<String>,
    /// How the boxes ran.
    pub qemu: String,
    pub seconds: f64,
}

/// Deliveries refused with the same words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub reply: String,
    pub deliveries: usize,
    /// The first message of them.
    pub example: String,
}

/// Both boxes' digests at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Digests {
    pub when: String,
    pub a: String,
    pub b: String,
    pub records: u64,
}

/// One round of deliveries.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RoundReport {
    pub name: String,
    pub deliveries: usize,
    pub acknowledged: usize,
    pub attempts_unanswered: usize,
    pub refused_for_now: usize,
    pub seconds: f64,
    pub longest_pause_seconds: f64,
}

/// One reading of all mailboxes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ReadingReport {
    pub name: String,
    pub acknowledged: usize,
    pub found: usize,
    pub missing: usize,
    pub altered: usize,
    pub doubled: usize,
    pub repeated_by_client: usize,
    pub seconds: f64,
    /// How long a mailbox was behind what had been acknowledged, at its first look.
    pub lag_seconds: f64,
}

impl Outcome {
    /// Whether everything that was promised was kept.
    pub fn passed(&self) -> bool {
        self.error.is_none()
            && self.digests_equal
            && self.messages_acknowledged > 0
            && self.messages_found == self.messages_acknowledged
            && self.messages_missing == 0
            && self.messages_altered == 0
            && self.messages_doubled == 0
            && self.messages_unanswered == 0
    }
}

/// How many complaints are kept.
pub const COMPLAINTS_MAX: usize = 20;

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, value: String| writeln!(f, "  {name:34} {value}");
        row("boxes", self.qemu.clone())?;
        let corpus = human(self.corpus_bytes);
        row("messages to send", format!("{} ({corpus})", self.corpus_messages))?;
        row("not mail (empty)", self.not_mail.to_string())?;
        row("accounts", self.accounts.to_string())?;
        row("acknowledged", self.messages_acknowledged.to_string())?;
        row("found on both boxes", self.messages_found.to_string())?;
        row("missing", self.messages_missing.to_string())?;
        row("altered", self.messages_altered.to_string())?;
        row("doubled", self.messages_doubled.to_string())?;
        row("repeated by a client's retry", self.messages_repeated_by_client.to_string())?;
        row("never answered", self.messages_unanswered.to_string())?;
        for refusal in &self.messages_refused {
            row(
                "refused",
                format!("{} × {} ({})", refusal.deliveries, refusal.reply, refusal.example),
            )?;
        }
        row("boot to greeting, a and b", seconds(&self.boot_seconds))?;
        row("takeover, a and b killed", seconds(&self.takeover_seconds))?;
        row("power on to view both", seconds(&self.return_seconds))?;
        row("of it catching up", seconds(&self.catch_up_seconds))?;
        row("digests", if self.digests_equal { "equal" } else { "NOT EQUAL" }.to_owned())?;
        let (image, used) = (human(self.image_bytes), human(self.image_used_bytes));
        row("image", format!("{image}, of it written {used}"))?;
        row("memory at rest, a and b", sizes(&self.ram_at_rest_bytes))?;
        row("QEMU's memory then", sizes(&self.qemu_resident_bytes))?;
        for round in &self.rounds {
            let rate = round.acknowledged as f64 / round.seconds.max(0.001);
            row(
                &format!("deliveries, {}", round.name),
                format!(
                    "{} in {:.1} s ({rate:.0}/s), longest pause {:.2} s",
                    round.acknowledged, round.seconds, round.longest_pause_seconds
                ),
            )?;
        }
        for reading in &self.readings {
            let (found, of) = (reading.found, reading.acknowledged);
            let name = format!("reading, {}", reading.name);
            row(&name, format!("{found} of {of} in {:.1} s", reading.seconds))?;
        }
        row("all of it took", format!("{:.0} s", self.seconds))?;
        for complaint in &self.complaints {
            row("WRONG", complaint.clone())?;
        }
        if let Some(error) = &self.error {
            row("ENDED EARLY", error.clone())?;
        }
        row("verdict", if self.passed() { "passed" } else { "FAILED" }.to_owned())
    }
}

fn sizes(list: &[u64]) -> String {
    let list: Vec<String> = list.iter().map(|bytes| human(*bytes)).collect();
    if list.is_empty() { "not known".to_owned() } else { list.join(", ") }
}

fn seconds(list: &[f64]) -> String {
    let list: Vec<String> = list.iter().map(|seconds| format!("{seconds:.2} s")).collect();
    list.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Outcome {
        Outcome {
            messages_acknowledged: 3,
            messages_found: 3,
            digests_equal: true,
            ..Outcome::default()
        }
    }

    #[test]
    fn anything_wrong_fails_the_check() {
        assert!(good().passed());
        assert!(!Outcome { messages_found: 2, ..good() }.passed());
        assert!(!Outcome { messages_missing: 1, ..good() }.passed());
        assert!(!Outcome { messages_altered: 1, ..good() }.passed());
        assert!(!Outcome { messages_doubled: 1, ..good() }.passed());
        assert!(!Outcome { messages_unanswered: 1, ..good() }.passed());
        assert!(!Outcome { digests_equal: false, ..good() }.passed());
        assert!(!Outcome { error: Some("x".into()), ..good() }.passed());
        assert!(!Outcome { messages_acknowledged: 0, messages_found: 0, ..good() }.passed());
    }
}
