//! The pair at one moment, as the box that serves the page knows it. The same shape is `GET /api/status`.

use serde::{Deserialize, Serialize};

/// One of the two boxes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    A,
    B,
}

impl Side {
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Side::A => "a",
            Side::B => "b",
        })
    }
}

/// Who is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    Both,
    /// Only this side.
    Alone(Side),
    /// The box that serves the page is in no view: starting, or catching up with the other.
    None,
}

/// The whole picture.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Unix time at the box, s.
    pub now: u64,
    /// The box that serves this page.
    pub here: Side,
    pub view: View,
    /// Side a, side b.
    pub boxes: [BoxStatus; 2],
    /// There while new mail is on one box only.
    pub one_copy: Option<OneCopy>,
    pub cables: Vec<Cable>,
    pub accounts: u64,
    pub messages: u64,
    /// Of the box that serves this page, s.
    pub uptime_s: u64,
    /// Of the box that serves this page: all memory in use, bytes.
    pub memory_bytes: u64,
    /// Of the software.
    pub version: String,
    /// Whether the witness answers; none where none is configured.
    pub witness: Option<bool>,
}

/// One box, as far as it is known here.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BoxStatus {
    pub side: Side,
    /// Its host name.
    pub name: String,
    /// Its service address: the one its clients use.
    pub address: String,
    /// It is this box, or it is heard.
    pub up: bool,
    pub healthy: bool,
    /// Why it is not healthy, or what it is busy with (“catching up”); else empty.
    pub note: String,
    /// The sides whose service address it answers.
    pub holds: Vec<Side>,
    pub log: Option<LogPosition>,
    pub disk_free_bytes: Option<u64>,
    /// Its owner has put it in maintenance: it keeps a copy and answers at no address.
    pub maintenance: bool,
    /// It could answer at its address, and waits for its owner's word: it was handed over, or give-back
    /// is by hand.
    pub rests: bool,
}

/// How far a box is in its log, in records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogPosition {
    pub records: u64,
    /// Of these, safe on its disk.
    pub synced: u64,
    /// Of these, in its mailboxes and user store.
    pub applied: u64,
}

/// New mail that only one disk holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OneCopy {
    /// Unix time, s.
    pub since: u64,
    pub messages: u64,
}

/// One cable between the boxes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cable {
    pub kind: CableKind,
    /// Heartbeats come in on it.
    pub up: bool,
    pub round_trip_ms: Option<f64>,
    /// Of the last 128 heartbeats of the other box.
    pub loss_percent: Option<u32>,
    /// The copies of the mail travel on it.
    pub carries_link: bool,
}

/// Which cable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CableKind {
    Crossover,
    Lan,
    Serial,
}

impl Status {
    #[must_use]
    pub fn box_of(&self, side: Side) -> &BoxStatus {
        &self.boxes[side as usize]
    }

    #[must_use]
    pub fn cable(&self, kind: CableKind) -> Option<&Cable> {
        self.cables.iter().find(|cable| cable.kind == kind)
    }
}

impl BoxStatus {
    /// It takes part in the view: what it holds counts as a copy of new mail.
    #[must_use]
    pub fn in_view(&self, view: View) -> bool {
        match view {
            View::Both => self.up,
            View::Alone(side) => side == self.side,
            View::None => false,
        }
    }
}
