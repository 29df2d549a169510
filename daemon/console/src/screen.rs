//! Everything about the box on one screen of text. Pure.

use std::fmt::Write as _;

use control::Event;
use control::status::{Link, Status};

use crate::ask::Picture;
use crate::limits::COLUMNS;

/// The whole picture, at most 80 columns wide and a screen high.
#[must_use]
pub fn whole(picture: &Picture) -> String {
    let mut lines = vec![String::new(), "-".repeat(COLUMNS - 1)];
    match &picture.status {
        Ok(status) => with_maild(status, &mut lines),
        Err(reason) => without_maild(reason, picture, &mut lines),
    }
    lines.push("-".repeat(COLUMNS - 1));
    let mut text = String::new();
    for line in lines {
        writeln!(text, "{}", cut(&line)).expect("writing to a string does not fail");
    }
    text
}

/// What was decided, oldest first.
#[must_use]
pub fn events(events: &[Event]) -> String {
    if events.is_empty() {
        return "\nNothing has been decided yet.\n".into();
    }
    let line = |event: &Event| {
        let why = if event.why.is_empty() { String::new() } else { format!(": {}", event.why) };
        cut(&format!("{}  {}{why}", time_of_day(event.at_unix_s), event.what)) + "\n"
    };
    format!("\n{}", events.iter().map(line).collect::<String>())
}

fn with_maild(status: &Status, lines: &mut Vec<String>) {
    lines.push(format!(
        "{}   side {}   view {}   twinpost {}",
        status.box_name, status.side, status.view, status.version
    ));
    lines.push(format!("  {}", status.hostname));
    lines.push(format!("  health     {}", status.health));
    if let Some(since) = status.one_copy_since_s {
        lines.push(format!(
            "  WARNING    one copy since {}: {} messages are on this box only",
            time_of_day(since),
            grouped(status.one_copy_messages)
        ));
    }
    let held: Vec<_> = status.held_addresses.iter().map(ToString::to_string).collect();
    let held = if held.is_empty() { "none".into() } else { held.join(", ") };
    let own: Vec<_> = status.own_addresses.iter().map(ToString::to_string).collect();
    let own = if own.is_empty() { "none".into() } else { own.join(" ") };
    lines.push(format!("  addresses  own {own}, serving {held}"));
    lines.extend(status.links.iter().map(link));
    match &status.peer {
        Some(peer) => lines.push(format!(
            "  peer       {} ({}), heard {} ago, {}, {} records apart",
            peer.hostname,
            peer.version,
            duration(peer.heard_ms),
            if peer.healthy { "healthy" } else { "NOT HEALTHY" },
            grouped(peer.behind)
        )),
        None => lines.push("  peer       not heard since the start".into()),
    }
    let log = status.log;
    lines.push(format!(
        "  log        {} records, {} synced, {} applied",
        grouped(log.end),
        grouped(log.synced),
        grouped(log.applied)
    ));
    if let Some(percent) = log.taking_in_percent() {
        lines.push(format!("             reading the log into the mailboxes: {percent} %"));
    }
    lines.push(format!(
        "  mail       {} messages, {} accounts, {} MiB free",
        grouped(status.messages),
        grouped(status.accounts),
        grouped(status.disk_free_bytes >> 20)
    ));
    lines.push(format!(
        "  maild      up {}, {} MiB of memory",
        duration(status.uptime_s * 1000),
        status.memory_bytes >> 20
    ));
}

fn link(link: &Link) -> String {
    let heard = match link.heard_ms {
        Some(ms) => format!("peer heard {} ago", duration(ms)),
        None => "peer never heard".into(),
    };
    let cable = if link.carrier { "" } else { "NO CABLE, " };
    let quality = match (link.up, link.round_trip_us, link.loss_percent) {
        (true, Some(us), Some(loss)) => format!(", {} ms, {loss}% lost", milliseconds(us)),
        _ => String::new(),
    };
    let session = if link.carries_session { ", replicates here" } else { "" };
    format!("  {:<10} {}: {cable}{heard}{quality}{session}", link.path.to_string(), link.port)
}

fn without_maild(reason: &str, picture: &Picture, lines: &mut Vec<String>) {
    let Some(report) = &picture.report else {
        lines.push("twinpost: neither maild nor init answers".into());
        lines.push("  Restart the box; its peer goes on serving.".into());
        return;
    };
    lines.push(format!("{}   twinpost {}", report.hostname, report.version));
    lines.push("  MAILD DOES NOT ANSWER: this box serves no mail; its peer takes over.".into());
    lines.push(format!("  maild      {}", report.maild));
    lines.push(format!("  asked      {reason}"));
    lines.push(format!("  box        up {}", duration(report.uptime_s * 1000)));
    for problem in report.problems.iter().take(PROBLEMS_SHOWN) {
        let mut rest = format!("  problem    {problem}");
        while rest.chars().count() > COLUMNS - 1 {
            let (line, more) = break_line(&rest);
            lines.push(line);
            rest = format!("             {more}");
        }
        lines.push(rest);
    }
    lines.truncate(LINES_MAX);
}

const PROBLEMS_SHOWN: usize = 4;
/// One screen without the frame's end and the prompt.
const LINES_MAX: usize = 21;

/// Breaks a line that is too long at a space, or where it must.
fn break_line(text: &str) -> (String, String) {
    let most: String = text.chars().take(COLUMNS - 1).collect();
    let indent = 14;
    match most.char_indices().rfind(|&(at, character)| at > indent && character == ' ') {
        Some((at, _)) => (text[..at].to_owned(), text[at + 1..].to_owned()),
        None => (most.clone(), text[most.len()..].to_owned()),
    }
}

fn cut(line: &str) -> String {
    line.chars().take(COLUMNS - 1).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// "12:03" (UTC), as far as a day goes.
fn time_of_day(unix_s: u64) -> String {
    let minutes = unix_s / 60 % (24 * 60);
    format!("{:02}:{:02} UTC", minutes / 60, minutes % 60)
}

/// The largest two units that matter.
fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// "0.28"
fn milliseconds(us: u64) -> String {
    format!("{}.{:02}", us / 1000, us % 1000 / 10)
}

/// 1 204 512
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::limits::ROWS;
    use control::Report;
    use control::status::{LinkPath, Log, Peer, Side, View};

    pub fn picture() -> Picture {
        let link = |path, port: &str, carries_session| Link {
            path,
            port: port.into(),
            carrier: true,
            heard_ms: Some(12),
            carries_session,
            up: true,
            round_trip_us: Some(280),
            loss_percent: Some(0),
        };
        let status = Status {
            box_name: "mail-a".into(),
            hostname: "mail-a.example.test".into(),
            side: Side::A,
            version: "0.1.0".into(),
            view: View::Both,
            healthy: true,
            health: "all is well".into(),
            own_addresses: vec!["10.77.0.11".parse().unwrap()],
            held_addresses: vec!["10.77.0.1".parse().unwrap()],
            links: vec![
                link(LinkPath::Crossover, "eth1", true),
                link(LinkPath::Lan, "eth0", false),
            ],
            log: Log { end: 1_204_512, synced: 1_204_512, applied: 1_204_500 },
            peer: Some(Peer {
                hostname: "mail-b.example.test".into(),
                version: "0.1.0".into(),
                healthy: true,
                synced: 1_204_512,
                behind: 0,
                heard_ms: 12,
            }),
            one_copy_since_s: None,
            one_copy_messages: 0,
            accounts: 12,
            messages: 34_567,
            uptime_s: 7_500,
            memory_bytes: 40 << 20,
            disk_free_bytes: 1 << 34,
            maintenance: false,
            waits_for_give_back: false,
            witness: None,
            upkeep: Default::default(),
            record_format: 1,
            refused: None,
        };
        Picture { status: Ok(status), report: Some(Report::default()) }
    }

    pub fn picture_without_maild() -> Picture {
        let report = Report {
            hostname: "mail-a.example.test".into(),
            version: "0.1.0".into(),
            problems: vec![format!("no disk {}", "was found, or it is broken ".repeat(12)); 9],
            maild: "not started".into(),
            uptime_s: 65,
        };
        Picture { status: Err("it is not there".into()), report: Some(report) }
    }

    fn check_size(text: &str) {
        assert!(text.lines().count() < ROWS, "{text}");
        assert!(text.lines().all(|line| line.chars().count() < COLUMNS), "{text}");
    }

    #[test]
    fn a_healthy_box() {
        let text = whole(&picture());
        check_size(&text);
        let expected = "
-------------------------------------------------------------------------------
mail-a   side a   view both   twinpost 0.1.0
  mail-a.example.test
  health     all is well
  addresses  own 10.77.0.11, serving 10.77.0.1
  crossover  eth1: peer heard 12 ms ago, 0.28 ms, 0% lost, replicates here
  LAN        eth0: peer heard 12 ms ago, 0.28 ms, 0% lost
  peer       mail-b.example.test (0.1.0), heard 12 ms ago, healthy, 0 records apart
  log        1 204 512 records, 1 204 512 synced, 1 204 500 applied
  mail       34 567 messages, 12 accounts, 16 384 MiB free
  maild      up 2 h 5 min, 40 MiB of memory
-------------------------------------------------------------------------------
";
        let cut = |text: &str| -> String {
            text.lines().map(|line| line.chars().take(79).collect::<String>() + "\n").collect()
        };
        assert_eq!(text, cut(expected));
    }

    #[test]
    fn one_copy_is_never_hidden() {
        let mut picture = picture();
        let status = picture.status.as_mut().unwrap();
        status.one_copy_since_s = Some(12 * 3600 + 3 * 60);
        status.one_copy_messages = 1204;
        status.links[0].carrier = false;
        let text = whole(&picture);
        check_size(&text);
        assert!(
            text.contains("WARNING    one copy since 12:03 UTC: 1 204 messages are on this box")
        );
        assert!(text.contains("crossover  eth1: NO CABLE, peer heard"));
    }

    #[test]
    fn without_maild_the_reasons_are_shown() {
        let text = whole(&picture_without_maild());
        check_size(&text);
        assert!(text.contains("MAILD DOES NOT ANSWER"));
        assert!(text.contains("maild      not started"));
        assert!(text.contains("problem    no disk was found"));
        let silent = whole(&Picture { status: Err(String::new()), report: None });
        check_size(&silent);
        assert!(silent.contains("neither maild nor init answers"));
    }

    #[test]
    fn a_word_without_end_is_broken_somewhere() {
        let mut picture = picture_without_maild();
        picture.report.as_mut().unwrap().problems = vec!["é".repeat(500)];
        check_size(&whole(&picture));
    }

    #[test]
    fn a_box_that_builds_its_mailboxes_again_says_how_far_it_is() {
        let mut picture = picture();
        let status = picture.status.as_mut().unwrap();
        status.log.applied = status.log.end / 2;
        let text = whole(&picture);
        check_size(&text);
        assert!(text.contains("reading the log into the mailboxes: 50 %"));
    }

    #[test]
    fn durations_and_numbers() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (65_000, "65 s"),
            (7_100_000, "118 min"),
            (9_000_000, "2 h 30 min"),
            (864_000_000, "10 days"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text);
        }
        assert_eq!([0, 999, 1000, 12_345_678].map(grouped), ["0", "999", "1 000", "12 345 678"]);
    }
}
