//! The log: a bounded ring in memory, and copies to the kernel's own ring and to the console.
//!
//! Nobody who logs ever waits: a thread of its own writes to the console, which may be a serial
//! line that nobody reads, and lines that do not fit its queue are dropped there and counted. The
//! ring has them all the same.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use control::limits::LOG_LINE_BYTES_MAX;

use crate::limits::{CONSOLE_QUEUE_LINES, LOG_BYTES_MAX};

/// The newest lines.
#[derive(Debug, Default)]
pub struct Ring {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Ring {
    /// Adds a line; the oldest ones make room.
    pub fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.bytes > LOG_BYTES_MAX {
            let oldest = self.lines.pop_front().map_or(0, |line| line.len());
            self.bytes -= oldest;
        }
    }

    /// The newest `count` lines, oldest first.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = &String> {
        self.lines.iter().skip(self.lines.len().saturating_sub(count))
    }
}

/// The log of the box.
#[derive(Debug)]
pub struct Log {
    ring: Ring,
    console: Option<SyncSender<String>>,
    dropped: u64,
}

impl Log {
    /// A log that also writes to `/dev/kmsg` and `/dev/console`.
    #[must_use]
    pub fn to_console() -> Log {
        let (console, lines) = sync_channel(CONSOLE_QUEUE_LINES);
        let writer = std::thread::Builder::new().name("console".into());
        let started = writer.spawn(move || write_all(&lines));
        Log { ring: Ring::default(), console: started.is_ok().then_some(console), dropped: 0 }
    }

    /// A log in memory only.
    #[must_use]
    pub fn in_memory() -> Log {
        Log { ring: Ring::default(), console: None, dropped: 0 }
    }

    /// One line of `who`; its time is the kernel's, since the box started.
    pub fn line(&mut self, who: &str, text: &str) {
        let since_boot = linux::clock::since_boot();
        let text = printable(text);
        self.add(format!(
            "{:5}.{:03} {who}: {text}",
            since_boot.as_secs(),
            since_boot.subsec_millis()
        ));
    }

    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    fn add(&mut self, line: String) {
        if let Some(console) = &self.console {
            if self.dropped > 0 {
                let note = format!("      ... {} lines are not shown here", self.dropped);
                if console.try_send(note).is_ok() {
                    self.dropped = 0;
                }
            }
            match console.try_send(line.clone()) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => self.dropped += 1,
                Err(TrySendError::Disconnected(_)) => self.console = None,
            }
        }
        self.ring.push(line);
    }
}

/// Cuts a program's output into lines of bounded length, whatever pieces it comes in.
#[derive(Debug, Default)]
pub struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// The lines that `bytes` completes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                self.unfinished.push(byte);
            }
            if byte == b'\n' || self.unfinished.len() >= LOG_LINE_BYTES_MAX {
                lines.extend(self.finish());
            }
        }
        lines
    }

    /// What is left when the program has ended.
    pub fn finish(&mut self) -> Option<String> {
        let line = String::from_utf8_lossy(&self.unfinished).trim_end().to_owned();
        self.unfinished.clear();
        (!line.is_empty()).then_some(line)
    }
}

/// Nothing in a line may move the cursor or clear the screen of who reads it.
fn printable(text: &str) -> String {
    let mut cut = text.len().min(LOG_LINE_BYTES_MAX);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    text[..cut].chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect()
}

/// Runs on its own thread and waits for the console as long as it likes.
fn write_all(lines: &Receiver<String>) {
    let open = |path| OpenOptions::new().write(true).open(path).ok();
    let mut kernel = open("/dev/kmsg");
    let mut console = open("/dev/console");
    while let Ok(line) = lines.recv() {
        // Level 7 (debug): kept by the kernel for a crash dump, not printed by it a second time.
        if let Some(kernel) = &mut kernel {
            let _ = kernel.write_all(format!("<7>twinpost: {line}").as_bytes());
        }
        if let Some(console) = &mut console {
            let _ = console.write_all(format!("{line}\r\n").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest() {
        let mut ring = Ring::default();
        let line = "x".repeat(1000);
        for number in 0..1000 {
            ring.push(format!("{number} {line}"));
        }
        let kept: Vec<_> = ring.newest(usize::MAX).collect();
        assert!(kept.len() > 200 && kept.len() * 1000 < LOG_BYTES_MAX);
        assert!(kept.last().unwrap().starts_with("999 "));
        assert_eq!(ring.newest(2).count(), 2);
        assert!(ring.newest(2).next().unwrap().starts_with("998 "));
    }

    #[test]
    fn output_becomes_lines() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\r\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\n\n"), ["two"]);
        assert_eq!(lines.push(b"caf\xc3"), Vec::<String>::new());
        assert_eq!(lines.push(b"\xa9"), Vec::<String>::new());
        assert_eq!(lines.finish().as_deref(), Some("café"));
        assert_eq!(lines.finish(), None);
        let endless = lines.push(&vec![b'x'; LOG_LINE_BYTES_MAX * 2 + 1]);
        assert_eq!(endless.len(), 2);
    }

    #[test]
    fn lines_are_harmless_on_a_terminal() {
        let mut log = Log::in_memory();
        log.line("maild", "\x1b[2Jgone\ttab é");
        let line = log.ring().newest(1).next().unwrap().clone();
        assert!(line.ends_with(" maild: ?[2Jgone\ttab é"), "{line:?}");
        log.line("maild", &"é".repeat(LOG_LINE_BYTES_MAX));
        assert!(log.ring().newest(1).next().unwrap().len() < LOG_LINE_BYTES_MAX + 30);
    }
}
