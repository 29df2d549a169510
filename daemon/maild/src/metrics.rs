//! Everything that is counted or measured, as OpenMetrics text (version 1.0.0 of the specification).

use std::fmt::Write as _;

use failover::{EventKind, Path, Side};
use replica::Mode;

use crate::status::Statuses;

/// One moment of this box.
#[must_use]
pub fn text(statuses: &Statuses) -> String {
    let mut page = Page::default();
    pair(statuses, &mut page);
    paths(statuses, &mut page);
    events(statuses, &mut page);
    store(statuses, &mut page);
    page.end()
}

fn pair(statuses: &Statuses, page: &mut Page) {
    let mode = statuses.node.mode();
    page.family("twinpost_view", "gauge", "1 for the view that this box is in.");
    for (name, is) in [
        ("none", matches!(mode, Mode::Starting | Mode::Waiting)),
        ("both", mode == Mode::Both),
        ("alone", mode == Mode::Alone),
    ] {
        page.sample("twinpost_view", &[("view", name)], f64::from(u8::from(is)));
    }
    let report = statuses.seen.report.lock().expect("no holder panics").clone();
    let Some(report) = report else { return };
    page.family("twinpost_address_held", "gauge", "1 for a service address that this box holds.");
    for side in Side::BOTH {
        let held = f64::from(u8::from(report.holds.has(side)));
        page.sample("twinpost_address_held", &[("side", &side.to_string())], held);
    }
    let facts = report.peer.facts.as_ref();
    for (name, help, is) in [
        ("twinpost_healthy", "This box serves as it should.", Some(report.healthy)),
        ("twinpost_reachable", "Clients can reach this box.", Some(report.reachable)),
        ("twinpost_maintenance", "This box is in maintenance.", Some(report.maintenance)),
        ("twinpost_witness_answers", "The witness answers.", report.witness),
        ("twinpost_peer_healthy", "The other box's own word.", facts.map(|facts| facts.healthy)),
        (
            "twinpost_peer_heard",
            "The other box is heard on some path.",
            Some(report.peer.paths.iter().any(|path| path.up)),
        ),
    ] {
        if let Some(is) = is {
            page.family(name, "gauge", help);
            page.sample(name, &[], f64::from(u8::from(is)));
        }
    }
    if let Some(ahead_ms) = report.peer.clock_ahead_ms {
        let name = "twinpost_peer_clock_ahead_seconds";
        page.family(name, "gauge", "How far the other box's wall clock is before this one's.");
        page.sample(name, &[], ahead_ms as f64 / 1000.0);
    }
    let conflicts = statuses.seen.conflicts.lock().expect("no holder panics").len();
    let refused = statuses.seen.refused.lock().expect("no holder panics").is_some();
    let alarms = statuses.seen.alarms.lock().expect("no holder panics").len() + conflicts;
    let alarms = alarms + usize::from(refused);
    page.family("twinpost_alarms", "gauge", "Alarms that stand now.");
    page.sample("twinpost_alarms", &[], alarms as f64);
}

fn paths(statuses: &Statuses, page: &mut Page) {
    let report = statuses.seen.report.lock().expect("no holder panics").clone();
    let Some(report) = report else { return };
    let known = |path: &&failover::report::PathReport| {
        path.path != Path::Serial || path.up || path.loss_percent.is_some()
    };
    let paths: Vec<_> = report.peer.paths.iter().filter(known).collect();
    let name = |path: Path| match path {
        Path::Crossover => "crossover",
        Path::Lan => "lan",
        Path::Serial => "serial",
    };
    page.family("twinpost_path_up", "gauge", "Heartbeats of the other box come in.");
    for path in &paths {
        let up = f64::from(u8::from(path.up));
        page.sample("twinpost_path_up", &[("path", name(path.path))], up);
    }
    page.family("twinpost_path_loss_ratio", "gauge", "Of the last 128 heartbeats.");
    for path in &paths {
        if let Some(percent) = path.loss_percent {
            let labels = [("path", name(path.path))];
            page.sample("twinpost_path_loss_ratio", &labels, f64::from(percent) / 100.0);
        }
    }
    page.family("twinpost_path_round_trip_seconds", "gauge", "Of heartbeats, smoothed.");
    for path in &paths {
        if let Some(us) = path.round_trip_us {
            let labels = [("path", name(path.path))];
            page.sample("twinpost_path_round_trip_seconds", &labels, us as f64 / 1e6);
        }
    }
}

fn events(statuses: &Statuses, page: &mut Page) {
    let counts = statuses.events.counts();
    let count = |kind: &str| counts.get(kind).copied().unwrap_or(0) as f64;
    page.family("twinpost_events", "counter", "Decisions since the program started, by kind.");
    let alarm = ["alarm", "alarm_over"];
    for kind in EventKind::ALL.map(EventKind::name).into_iter().chain(alarm) {
        page.sample("twinpost_events_total", &[("kind", kind)], count(kind));
    }
    for (name, kind, help) in [
        ("twinpost_takeovers", EventKind::Alone, "How often this box went on alone."),
        ("twinpost_give_backs", EventKind::GiveBack, "How often an address was asked back."),
        ("twinpost_false_alarms", EventKind::FalseAlarm, "Peers that had not died after all."),
    ] {
        page.family(name, "counter", help);
        page.sample(&format!("{name}_total"), &[], count(kind.name()));
    }
    page.family("twinpost_events_unwritten", "counter", "Those that the disk was too slow for.");
    page.sample("twinpost_events_unwritten_total", &[], statuses.events.unwritten() as f64);
}

fn store(statuses: &Statuses, page: &mut Page) {
    let status = statuses.status();
    for (name, help, value) in [
        ("twinpost_log_records", "Records in this box's log.", status.log.end),
        ("twinpost_log_synced_records", "Of these, on its disk.", status.log.synced),
        ("twinpost_log_applied_records", "Of these, in its mailboxes.", status.log.applied),
        ("twinpost_one_copy_messages", "Messages on this box only.", status.one_copy_messages),
        ("twinpost_messages", "Messages in all mailboxes.", status.messages),
        ("twinpost_accounts", "Accounts.", status.accounts),
        ("twinpost_uptime_seconds", "Since the program started.", status.uptime_s),
        ("twinpost_memory_bytes", "Memory of the program.", status.memory_bytes),
        ("twinpost_disk_free_bytes", "Room on the data disk.", status.disk_free_bytes),
    ] {
        page.family(name, "gauge", help);
        page.sample(name, &[], value as f64);
    }
    if let Some(peer) = &status.peer {
        page.family("twinpost_peer_behind_records", "gauge", "What one box has and one lacks.");
        page.sample("twinpost_peer_behind_records", &[], peer.behind as f64);
    }
}

/// The text as it grows.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let unit = if name.ends_with("_seconds") { "seconds" } else { "" };
        writeln!(self.0, "# TYPE {name} {kind}").expect(TO_A_STRING);
        if !unit.is_empty() {
            writeln!(self.0, "# UNIT {name} {unit}").expect(TO_A_STRING);
        }
        writeln!(self.0, "# HELP {name} {help}").expect(TO_A_STRING);
    }

    /// Names and values of labels are ours: none needs an escape.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<_> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.0, "{name}{labels} {value}").expect(TO_A_STRING);
    }

    fn end(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

const TO_A_STRING: &str = "writing to a string does not fail";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_as_the_specification_wants_it() {
        let mut page = Page::default();
        page.family("twinpost_path_round_trip_seconds", "gauge", "Of heartbeats.");
        page.sample("twinpost_path_round_trip_seconds", &[("path", "lan")], 0.000_25);
        page.family("twinpost_takeovers", "counter", "How often.");
        page.sample("twinpost_takeovers_total", &[], 2.0);
        let expected = "\
# TYPE twinpost_path_round_trip_seconds gauge
# UNIT twinpost_path_round_trip_seconds seconds
# HELP twinpost_path_round_trip_seconds Of heartbeats.
twinpost_path_round_trip_seconds{path=\"lan\"} 0.00025
# TYPE twinpost_takeovers counter
# HELP twinpost_takeovers How often.
twinpost_takeovers_total 2
# EOF
";
        assert_eq!(page.end(), expected);
    }
}
