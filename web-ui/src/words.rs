//! What the status means, in words for the owner: what happened, what it means, what to do.

use crate::operations::Wish;
use crate::status::{BoxStatus, CableKind, Side, Status, View};

/// The first thing on the page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Headline {
    pub tone: Tone,
    pub title: String,
    pub meaning: String,
    /// Empty when there is nothing to do.
    pub todo: String,
}

/// How serious it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tone {
    Good,
    /// Mail flows, but something wants looking at.
    Watch,
    /// Something is out of service.
    Bad,
}

impl Tone {
    /// The class in the style sheet.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Watch => "watch",
            Tone::Bad => "bad",
        }
    }
}

#[must_use]
pub fn headline(status: &Status) -> Headline {
    match status.view {
        View::None => outside(status),
        View::Alone(side) => alone(status, side),
        View::Both => both(status),
    }
}

fn outside(status: &Status) -> Headline {
    let here = status.box_of(status.here);
    let other = status.here.other();
    let (title, meaning) = if status.box_of(other).up {
        (
            format!("Box {} is catching up", here.side),
            format!(
                "It serves mail again when it holds everything that box {other} has. Until then box \
                 {other} answers at both addresses."
            ),
        )
    } else {
        (
            format!("Box {} is starting", here.side),
            format!(
                "It does not hear box {other} yet. It waits a minute for it before it serves mail alone."
            ),
        )
    };
    let todo = if status.box_of(other).up { "" } else { "If the other box is off, switch it on." };
    Headline { tone: Tone::Watch, title, meaning, todo: todo.into() }
}

fn alone(status: &Status, side: Side) -> Headline {
    let (this, other) = (status.box_of(side), status.box_of(side.other()));
    let addresses = if this.holds.contains(&other.side) {
        format!("Box {side} answers at both addresses.")
    } else {
        format!("Box {side} answers at its own address only.")
    };
    if !other.up {
        return Headline {
            tone: Tone::Bad,
            title: format!("Box {} is out of service", other.side),
            meaning: format!(
                "{addresses} Mail comes in and goes out as before, but it has no second copy."
            ),
            todo: format!(
                "Check the power and the cables of box {}. Once it runs it catches up by itself.",
                other.side
            ),
        };
    }
    let title = format!("Box {} is catching up", other.side);
    let meaning = format!("{addresses} Box {} is heard and gets what it missed.", other.side);
    let todo = "Nothing, but leave both boxes on until this is done.".into();
    Headline { tone: Tone::Watch, title, meaning, todo }
}

fn both(status: &Status) -> Headline {
    if let Some(ill) = status.boxes.iter().find(|b| !b.healthy) {
        return Headline {
            tone: Tone::Bad,
            title: format!("Box {} is not well", ill.side),
            meaning: says(ill),
            todo: format!("If this does not pass, restart box {} from its console.", ill.side),
        };
    }
    if let Some(kept) = status.boxes.iter().find(|b| b.maintenance) {
        return Headline {
            tone: Tone::Watch,
            title: format!("Box {} is in maintenance", kept.side),
            meaning: format!(
                "Box {} answers at both addresses. Every message is still on both disks, but should \
                 box {} fail, nobody answers.",
                kept.side.other(),
                kept.side.other()
            ),
            todo: format!("End it when you are done, at box {}'s own address.", kept.side),
        };
    }
    if let Some(resting) = status.boxes.iter().find(|b| b.rests) {
        return Headline {
            tone: Tone::Watch,
            title: format!("Box {} waits for your word", resting.side),
            meaning: format!(
                "Box {} answers at its address. Every message is still on both disks.",
                resting.side.other()
            ),
            todo: "Let it take its address back when it suits you, below.".into(),
        };
    }
    if let Some(lone) = status.boxes.iter().find(|b| b.holds.is_empty()) {
        return Headline {
            tone: Tone::Watch,
            title: format!("Box {} does not answer its own address", lone.side),
            meaning: format!(
                "Box {} answers for it: clients cannot reach box {}, or you handed its address over. \
                 Every message is still on both disks.",
                lone.side.other(),
                lone.side
            ),
            todo: format!("Check the LAN cable of box {}.", lone.side),
        };
    }
    if let Some(cable) = status.cables.iter().find(|cable| !cable.up) {
        return Headline {
            tone: Tone::Watch,
            title: format!("{} is down", capital(cable_name(cable.kind))),
            meaning: "Both boxes are in service and every message is still on both disks, but the \
                      boxes have one cable less to hear each other."
                .into(),
            todo: cable_todo(cable.kind).into(),
        };
    }
    Headline {
        tone: Tone::Good,
        title: "Both boxes are in service".into(),
        meaning: "Every message is on both disks before it is acknowledged.".into(),
        todo: String::new(),
    }
}

/// Something that the owner may wish for now, as a button.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    pub name: &'static str,
    pub title: String,
    pub meaning: String,
}

/// What makes sense as the pair is. The box itself says no where it cannot be.
#[must_use]
pub fn wishes(status: &Status) -> Vec<Offer> {
    let (here, there) = (status.here, status.here.other());
    let (this, other) = (status.box_of(here), status.box_of(there));
    let offer = |wish: Wish, title: &str, meaning: String| Offer {
        name: wish.name(),
        title: title.into(),
        meaning,
    };
    let mut offers = Vec::new();
    if this.maintenance {
        let meaning = format!("Box {here} takes its address back and serves.");
        return vec![offer(Wish::EndMaintenance, "End maintenance", meaning)];
    }
    if this.rests || (other.rests && !other.maintenance) {
        let meaning =
            "Each box answers at its own address again. Clients of an address that moves \
                       connect again."
                .into();
        offers.push(offer(Wish::GiveBack, "Give back", meaning));
    }
    let other_serves = other.up && other.healthy && !other.rests && !other.maintenance;
    if status.view == View::Both && other_serves && this.holds.contains(&here) {
        let meaning = format!(
            "Box {there} answers at the address of box {here} until you give it back. Clients \
             connect again there."
        );
        offers.push(offer(Wish::Handover, "Hand over", meaning));
    }
    if status.view == View::Both && other_serves {
        let meaning = format!(
            "Box {here} keeps a copy of everything and answers at no address, whatever happens to \
             box {there}, until you end it; then this panel is at box {here}'s own LAN address."
        );
        offers.push(offer(Wish::BeginMaintenance, "Begin maintenance", meaning));
    }
    offers
}

/// Said when a wish was taken.
#[must_use]
pub fn taken(wish: Wish) -> &'static str {
    match wish {
        Wish::Handover => "The address is being handed over.",
        Wish::GiveBack => "The address is being given back.",
        Wish::BeginMaintenance => "Maintenance begins.",
        Wish::EndMaintenance => "Maintenance has ended.",
    }
}

/// What the banner says while new mail has one copy: “One copy since 12:03, 1 204 messages”.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Banner {
    pub since_unix: u64,
    pub since: String,
    pub messages: String,
    pub meaning: String,
}

#[must_use]
pub fn one_copy(status: &Status) -> Option<Banner> {
    let copy = status.one_copy?;
    let meaning = match status.view {
        View::Alone(side) => format!(
            "New mail is on the disk of box {side} only, until box {} has caught up. Do not switch \
             box {side} off.",
            side.other()
        ),
        _ => "New mail is on one disk only, until both boxes have caught up.".into(),
    };
    Some(Banner {
        since_unix: copy.since,
        since: clock(copy.since, status.now),
        messages: messages(copy.messages),
        meaning,
    })
}

/// One or two words about a box.
#[must_use]
pub fn box_state(status: &Status, one: &BoxStatus) -> (Tone, &'static str) {
    if !one.up {
        (Tone::Bad, "not heard")
    } else if !one.healthy {
        (Tone::Bad, "not well")
    } else if one.in_view(status.view) {
        (Tone::Good, "in service")
    } else if status.view == View::None && !status.boxes[one.side.other() as usize].up {
        (Tone::Watch, "starting")
    } else {
        (Tone::Watch, "catching up")
    }
}

#[must_use]
pub fn cable_name(kind: CableKind) -> &'static str {
    match kind {
        CableKind::Crossover => "the crossover cable",
        CableKind::Lan => "the way over the LAN",
        CableKind::Serial => "the serial cable",
    }
}

fn cable_todo(kind: CableKind) -> &'static str {
    match kind {
        CableKind::Crossover => "Check the cable that joins the two boxes, at both ends.",
        CableKind::Lan => "Check the LAN cables of both boxes and the switch between them.",
        CableKind::Serial => "Check the serial cable that joins the two boxes.",
    }
}

/// With a capital and a full stop.
#[must_use]
pub fn sentence(text: &str) -> String {
    format!("{}.", capital(text.trim_end_matches('.')))
}

fn says(one: &BoxStatus) -> String {
    if one.note.is_empty() {
        return String::new();
    }
    format!("Box {} says: {}.", one.side, one.note.trim_end_matches('.'))
}

#[must_use]
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// `1 message`, `1 204 messages`.
#[must_use]
pub fn messages(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "message" } else { "messages" })
}

/// `1204` → `1 204`, with a narrow space that does not break.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Decimal units, as disks are sold.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// The two largest units of a time, s.
#[must_use]
pub fn lasting(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (1, hours, _) => format!("1 day {hours} h"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}

/// A round trip, ms.
#[must_use]
pub fn round_trip(ms: f64) -> String {
    if ms < 0.1 { "under 0.1 ms".into() } else { format!("{ms:.1} ms") }
}

/// `12:03 UTC`, with the day when it is another one. The script shows it in the reader's own zone.
#[must_use]
pub fn clock(at: u64, now: u64) -> String {
    let (hour, minute) = (at / 3_600 % 24, at / 60 % 60);
    if at / 86_400 == now / 86_400 {
        return format!("{hour:02}:{minute:02} UTC");
    }
    let (_, month, day) = date(at / 86_400);
    format!("{day} {}, {hour:02}:{minute:02} UTC", MONTHS[month - 1])
}

/// Year, month 1 to 12, day 1 to 31 of a day since 1970-01-01.
fn date(days: u64) -> (u64, usize, u64) {
    let mut year = 1970;
    let mut left = days;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    loop {
        let length = DAYS[month] + u64::from(month == 1 && leap(year));
        if left < length {
            return (year, month + 1, left + 1);
        }
        left -= length;
        month += 1;
    }
}

const DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "June", "July", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Cable, OneCopy};

    fn status() -> Status {
        let one = |side| BoxStatus {
            side,
            name: format!("mail-{side}.example.test"),
            address: "10.77.0.1".into(),
            up: true,
            healthy: true,
            note: String::new(),
            holds: vec![side],
            log: None,
            disk_free_bytes: None,
            maintenance: false,
            rests: false,
        };
        let cable = |kind| Cable {
            kind,
            up: true,
            round_trip_ms: None,
            loss_percent: None,
            carries_link: false,
        };
        Status {
            now: 1_790_000_000,
            here: Side::A,
            view: View::Both,
            boxes: [one(Side::A), one(Side::B)],
            one_copy: None,
            cables: vec![cable(CableKind::Crossover), cable(CableKind::Lan)],
            accounts: 0,
            messages: 0,
            uptime_s: 0,
            memory_bytes: 0,
            version: "0".into(),
            witness: None,
        }
    }

    #[test]
    fn each_situation_has_its_headline() {
        let check = |change: &dyn Fn(&mut Status), tone, title: &str| {
            let mut status = status();
            change(&mut status);
            let headline = headline(&status);
            assert_eq!((headline.tone, headline.title.as_str()), (tone, title));
            assert_eq!(headline.todo.is_empty(), tone == Tone::Good, "{}", headline.todo);
        };
        check(&|_| {}, Tone::Good, "Both boxes are in service");
        check(&|s| s.cables[0].up = false, Tone::Watch, "The crossover cable is down");
        check(&|s| s.cables[1].up = false, Tone::Watch, "The way over the LAN is down");
        check(
            &|s| {
                s.boxes[0].holds.clear();
                s.boxes[1].holds = vec![Side::A, Side::B];
            },
            Tone::Watch,
            "Box a does not answer its own address",
        );
        check(&|s| s.boxes[0].maintenance = true, Tone::Watch, "Box a is in maintenance");
        check(&|s| s.boxes[1].rests = true, Tone::Watch, "Box b waits for your word");
        check(&|s| s.boxes[1].healthy = false, Tone::Bad, "Box b is not well");
        check(
            &|s| {
                s.view = View::Alone(Side::A);
                s.boxes[1].up = false;
            },
            Tone::Bad,
            "Box b is out of service",
        );
        check(&|s| s.view = View::Alone(Side::B), Tone::Watch, "Box a is catching up");
        check(
            &|s| {
                s.view = View::None;
                s.boxes[1].up = false;
            },
            Tone::Watch,
            "Box a is starting",
        );
    }

    #[test]
    fn what_is_offered_fits_the_pair() {
        let offered = |change: &dyn Fn(&mut Status)| -> Vec<&'static str> {
            let mut status = status();
            change(&mut status);
            wishes(&status).iter().map(|offer| offer.name).collect()
        };
        assert_eq!(offered(&|_| {}), ["handover", "begin-maintenance"]);
        assert_eq!(offered(&|s| s.boxes[0].maintenance = true), ["end-maintenance"]);
        assert_eq!(offered(&|s| s.boxes[1].maintenance = true), [""; 0]);
        assert_eq!(offered(&|s| s.boxes[1].rests = true), ["give-back"]);
        assert_eq!(offered(&|s| s.boxes[1].up = false), [""; 0]);
        assert_eq!(offered(&|s| s.view = View::Alone(Side::A)), [""; 0]);
    }

    #[test]
    fn one_copy_says_since_when_and_how_many() {
        let mut status = status();
        status.view = View::Alone(Side::B);
        status.now = 1_700_000_000;
        status.one_copy = Some(OneCopy { since: 1_699_963_380, messages: 1204 });
        let banner = one_copy(&status).unwrap();
        assert_eq!(banner.since, "12:03 UTC");
        assert_eq!(banner.messages, "1\u{202f}204 messages");
        assert!(banner.meaning.contains("Do not switch box b off"));
        status.one_copy = Some(OneCopy { since: 1_699_800_000, messages: 1 });
        let banner = one_copy(&status).unwrap();
        assert_eq!((&*banner.since, &*banner.messages), ("12 Nov, 14:40 UTC", "1 message"));
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"].to_vec(),
            [0, 999, 1000, 1_234_567].map(grouped).to_vec()
        );
        assert_eq!(
            [0, 999, 1000, 999_950, 61_234_000_000].map(bytes).to_vec(),
            ["0 B", "999 B", "1.0 kB", "1.0 MB", "61.2 GB"].to_vec()
        );
        assert_eq!(
            [7, 90, 3_700, 90_000, 300_000].map(lasting).to_vec(),
            ["7 s", "1 min", "1 h 1 min", "1 day 1 h", "3 days 11 h"].to_vec()
        );
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_781), (2026, 11, 24));
    }
}
