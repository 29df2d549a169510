//! From a template to an answer, and what the templates are given.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::operations::{Account, Event};
use crate::status::{CableKind, Side, Status, View};
use crate::words::{self, Headline, Tone};

/// What every page with a session needs.
pub(crate) struct Frame {
    /// Marks the present page in the navigation: `status`, `events` or `accounts`.
    pub at: &'static str,
    pub form_token: String,
}

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    pub problem: Option<String>,
}

#[derive(Template)]
#[template(path = "status.html")]
pub(crate) struct StatusPage {
    pub frame: Frame,
    pub live: Live,
    /// What may be wished for now.
    pub wishes: Vec<words::Offer>,
    pub done: Option<&'static str>,
    pub problem: Option<String>,
}

#[derive(Template)]
#[template(path = "events.html")]
pub(crate) struct EventsPage {
    pub frame: Frame,
    here: Side,
    rows: Vec<EventRow>,
}

struct EventRow {
    at_unix: u64,
    at: String,
    what: String,
    why: String,
}

/// The part of the status page that updates by itself.
#[derive(Template)]
#[template(path = "live.html")]
pub(crate) struct Live {
    headline: Headline,
    one_copy: Option<words::Banner>,
    here: Side,
    checked: String,
    checked_unix: u64,
    view: String,
    boxes: Vec<BoxCard>,
    cables: Vec<CableRow>,
    picture: Picture,
    accounts: String,
    messages: String,
    uptime: String,
    version: String,
    witness: Option<&'static str>,
}

struct BoxCard {
    side: Side,
    name: String,
    address: String,
    state: &'static str,
    class: &'static str,
    here: bool,
    note: String,
    answers: String,
    log: Option<[String; 3]>,
    disk_free: Option<String>,
}

struct CableRow {
    name: String,
    up: bool,
    carries_link: bool,
    round_trip: Option<String>,
    /// Only where there is some.
    loss: Option<String>,
}

/// The classes of the drawing: `good`, `watch`, `bad` for the boxes, `up` or `down` for the cables.
struct Picture {
    boxes: [(&'static str, &'static str); 2],
    crossover: Line,
    lan: Line,
    serial: Option<Line>,
    described: String,
}

struct Line {
    class: &'static str,
    label: String,
}

#[derive(Template)]
#[template(path = "accounts.html")]
pub(crate) struct AccountsPage {
    pub frame: Frame,
    pub accounts: Vec<Account>,
    pub done: Option<&'static str>,
    pub problem: Option<String>,
    /// What was typed into a form that was refused.
    pub typed: String,
}

#[derive(Template)]
#[template(path = "remove.html")]
pub(crate) struct RemovePage {
    pub frame: Frame,
    pub account: Account,
    pub problem: Option<String>,
}

#[derive(Template)]
#[template(path = "password.html")]
pub(crate) struct PasswordPage {
    pub frame: Frame,
    pub account: Account,
    pub problem: Option<String>,
}

#[derive(Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    pub title: String,
    pub meaning: String,
}

/// An HTML answer.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => {
            (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page of the panel could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page that says what went wrong.
pub(crate) fn problem(status: StatusCode, title: &str, meaning: &str) -> Response {
    html(status, &ProblemPage { title: title.into(), meaning: meaning.into() })
}

impl Live {
    pub(crate) fn new(status: &Status) -> Live {
        Live {
            headline: words::headline(status),
            one_copy: words::one_copy(status),
            here: status.here,
            checked: words::clock(status.now, status.now),
            checked_unix: status.now,
            view: match status.view {
                View::Both => "both boxes".into(),
                View::Alone(side) => format!("box {side} alone"),
                View::None => "none yet".into(),
            },
            boxes: [Side::A, Side::B].map(|side| BoxCard::new(status, side)).into(),
            cables: status.cables.iter().map(CableRow::new).collect(),
            picture: Picture::new(status),
            accounts: words::grouped(status.accounts),
            messages: words::grouped(status.messages),
            uptime: words::lasting(status.uptime_s),
            version: status.version.clone(),
            witness: status
                .witness
                .map(|answers| if answers { "answers" } else { "does not answer" }),
        }
    }
}

impl EventsPage {
    /// The newest first.
    pub(crate) fn new(frame: Frame, status: &Status, events: &[Event]) -> EventsPage {
        let rows = events.iter().rev().map(|event| EventRow {
            at_unix: event.at,
            at: words::clock(event.at, status.now),
            what: event.what.clone(),
            why: words::capital(&event.why),
        });
        EventsPage { frame, here: status.here, rows: rows.collect() }
    }
}

impl BoxCard {
    fn new(status: &Status, side: Side) -> BoxCard {
        let one = status.box_of(side);
        let (tone, state) = words::box_state(status, one);
        let answers = match (one.up, one.holds.contains(&side), one.holds.contains(&side.other())) {
            (false, ..) | (_, false, false) => "no address".into(),
            (_, true, false) => "its own address".into(),
            (_, false, true) => format!("the address of box {}", side.other()),
            (_, true, true) => "both addresses".into(),
        };
        BoxCard {
            side,
            name: one.name.clone(),
            address: one.address.clone(),
            state,
            class: tone.class(),
            here: side == status.here,
            note: words::capital(&one.note),
            answers,
            log: one.log.map(|log| [log.records, log.synced, log.applied].map(words::grouped)),
            disk_free: one.disk_free_bytes.map(words::bytes),
        }
    }
}

impl CableRow {
    fn new(cable: &crate::Cable) -> CableRow {
        CableRow {
            name: match cable.kind {
                CableKind::Crossover => "Crossover".into(),
                CableKind::Lan => "LAN".into(),
                CableKind::Serial => "Serial".into(),
            },
            up: cable.up,
            carries_link: cable.carries_link && cable.up,
            round_trip: cable.round_trip_ms.filter(|_| cable.up).map(words::round_trip),
            loss: cable
                .loss_percent
                .filter(|percent| cable.up && *percent > 0)
                .map(|percent| format!("{percent} % lost")),
        }
    }
}

impl Picture {
    fn new(status: &Status) -> Picture {
        let boxes = [Side::A, Side::B].map(|side| {
            let (tone, state) = words::box_state(status, status.box_of(side));
            (tone.class(), state)
        });
        let line = |kind| {
            let cable = status.cable(kind);
            let class = match cable {
                Some(cable) if !cable.up => "down",
                Some(cable) if cable.carries_link => "up link",
                _ => "up",
            };
            let label = match cable {
                Some(cable) if !cable.up => "down".into(),
                Some(cable) => cable.round_trip_ms.map_or("up".into(), words::round_trip),
                None => String::new(),
            };
            Line { class, label }
        };
        let serial = status.cable(CableKind::Serial).map(|_| line(CableKind::Serial));
        let (crossover, lan) = (line(CableKind::Crossover), line(CableKind::Lan));
        let described = format!(
            "Box a is {}, box b is {}. Crossover: {}. LAN: {}.",
            boxes[0].1, boxes[1].1, crossover.label, lan.label
        );
        Picture { boxes, crossover, lan, serial, described }
    }
}

impl Account {
    fn messages_text(&self) -> String {
        words::messages(self.messages)
    }
}

impl Headline {
    pub(crate) fn good(&self) -> bool {
        self.tone == Tone::Good
    }
}
