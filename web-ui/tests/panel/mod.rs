//! A made-up box behind the panel, for the tests and the example.

use std::sync::{Mutex, MutexGuard};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use web_ui::status::LogPosition;
use web_ui::{
    Account, Answer, BoxStatus, Cable, CableKind, Event, OneCopy, Operations, Side, Status, View,
    Wish,
};

pub const PASSWORD: &str = "twinpost";

/// Whether the numbers grow while one looks.
#[derive(Clone, Copy, PartialEq)]
#[allow(dead_code, reason = "the tests use one, the example the other")]
pub enum Numbers {
    Stand,
    Move,
}

pub struct Fake {
    pub scene: String,
    numbers: Numbers,
    started: Instant,
    pub accounts: Mutex<Vec<Account>>,
    pub passwords: Mutex<Vec<(String, String)>>,
    pub wishes: Mutex<Vec<Wish>>,
}

impl Fake {
    pub fn new(scene: &str, numbers: Numbers) -> Fake {
        let account = |number: u64, address: &str, home| Account {
            id: format!("{:032x}", number * 0x9e37_79b9),
            address: address.into(),
            messages: number * number * 397 + 1,
            home,
        };
        Fake {
            scene: scene.into(),
            numbers,
            started: Instant::now(),
            accounts: Mutex::new(vec![
                account(1, "ann@example.test", Side::A),
                account(4, "ben@example.test", Side::B),
                account(0, "office.and.everything.else@subdivision.example.test", Side::A),
            ]),
            passwords: Mutex::default(),
            wishes: Mutex::default(),
        }
    }

    fn picture(&self) -> Status {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let grown = match self.numbers {
            Numbers::Stand => 0,
            Numbers::Move => self.started.elapsed().as_secs() * 7,
        };
        let accounts = lock(&self.accounts).len() as u64;
        let mut status = Status {
            now,
            here: Side::A,
            view: View::Both,
            boxes: [self.one(Side::A, grown), self.one(Side::B, grown)],
            one_copy: None,
            cables: vec![
                cable(CableKind::Crossover, true, 0.28, true),
                cable(CableKind::Lan, true, 0.61, false),
            ],
            accounts,
            messages: 48_213 + grown,
            uptime_s: 273_912 + grown / 7,
            memory_bytes: 61_000_000,
            version: "0.1.0".into(),
            witness: None,
        };
        self.set_scene(&mut status, grown);
        status
    }

    fn set_scene(&self, status: &mut Status, grown: u64) {
        let copy = OneCopy { since: status.now - 2_700, messages: 1_204 + grown };
        match self.scene.as_str() {
            "alone" => {
                status.view = View::Alone(Side::A);
                status.boxes[0].holds = vec![Side::A, Side::B];
                let dead = &mut status.boxes[1];
                (dead.up, dead.log, dead.disk_free_bytes) = (false, None, None);
                dead.holds.clear();
                status.one_copy = Some(copy);
                for cable in &mut status.cables {
                    *cable = self::cable(cable.kind, false, 0.0, cable.carries_link);
                }
            }
            "catching-up" => {
                status.view = View::Alone(Side::A);
                status.boxes[0].holds = vec![Side::A, Side::B];
                let late = &mut status.boxes[1];
                late.holds.clear();
                late.note = "catching up, 1 840 records to go".into();
                status.one_copy = Some(copy);
            }
            "starting" => {
                status.view = View::None;
                status.boxes[0].holds.clear();
                status.boxes[1].up = false;
                status.boxes[1].holds.clear();
            }
            _ if status.accounts > 3 => {
                status.cables[0] = cable(CableKind::Crossover, false, 0.0, false);
                status.cables[1].carries_link = true;
            }
            _ => {}
        }
    }

    fn one(&self, side: Side, grown: u64) -> BoxStatus {
        let records = 191_442 + 3 * grown;
        BoxStatus {
            side,
            name: format!("mail-{side}.example.test"),
            address: format!("192.0.2.{}", 11 + side as u8),
            up: true,
            healthy: true,
            note: String::new(),
            holds: vec![side],
            log: Some(LogPosition { records, synced: records, applied: records - 2 }),
            disk_free_bytes: Some(211_800_000_000 + u64::from(side as u8) * 412_000_000),
            maintenance: false,
            rests: false,
        }
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().expect("nothing panics while it is held")
}

fn cable(kind: CableKind, up: bool, ms: f64, carries_link: bool) -> Cable {
    let loss_percent = up.then_some(0);
    Cable { kind, up, round_trip_ms: up.then_some(ms), loss_percent, carries_link }
}

impl Operations for Fake {
    fn check_admin(&self, password: String) -> Answer<'_, bool> {
        Box::pin(async move { password == PASSWORD })
    }

    fn status(&self) -> Answer<'_, Status> {
        Box::pin(async { self.picture() })
    }

    fn accounts(&self) -> Answer<'_, Vec<Account>> {
        Box::pin(async { lock(&self.accounts).clone() })
    }

    fn add_account(&self, address: String, password: String) -> Answer<'_, Result<(), String>> {
        Box::pin(async move {
            let mut accounts = lock(&self.accounts);
            if accounts.iter().any(|account| account.address == address) {
                return Err(format!("There is an account {address} already."));
            }
            let id = format!("{:032x}", 0xabc0 + accounts.len());
            accounts.push(Account { id, address: address.clone(), messages: 0, home: Side::B });
            lock(&self.passwords).push((address, password));
            Ok(())
        })
    }

    fn remove_account(&self, id: String) -> Answer<'_, Result<(), String>> {
        Box::pin(async move {
            lock(&self.accounts).retain(|account| account.id != id);
            Ok(())
        })
    }

    fn set_password(&self, id: String, password: String) -> Answer<'_, Result<(), String>> {
        Box::pin(async move {
            lock(&self.passwords).push((id, password));
            Ok(())
        })
    }

    fn wish(&self, wish: Wish) -> Answer<'_, Result<(), String>> {
        Box::pin(async move {
            if wish == Wish::GiveBack {
                return Err("each box holds its own address already".into());
            }
            lock(&self.wishes).push(wish);
            Ok(())
        })
    }

    fn events(&self) -> Answer<'_, Vec<Event>> {
        let event = |ago: u64, kind: &str, what: &str, why: &str| Event {
            at: 1_790_000_000 - ago,
            kind: kind.into(),
            what: what.into(),
            why: why.into(),
        };
        Box::pin(async move {
            vec![
                event(60, "alone", "This box goes on alone", "the other box <has> restarted"),
                event(50, "both", "Both boxes are in service", ""),
            ]
        })
    }

    fn backup(&self) -> Answer<'_, web_ui::BackupParts> {
        let parts: Vec<Result<Vec<u8>, String>> = match self.scene.as_str() {
            "starting" => vec![Err("a record is damaged".into())],
            "alone" => vec![Ok(b"half of ".to_vec()), Err("a record is damaged".into())],
            _ => vec![Ok(b"every".to_vec()), Ok(b"thing".to_vec())],
        };
        Box::pin(async move {
            let (send, receive) = tokio::sync::mpsc::channel(parts.len());
            for part in parts {
                send.send(part).await.expect("there is room");
            }
            receive
        })
    }

    fn metrics(&self) -> Answer<'_, String> {
        Box::pin(async { "# EOF\n".into() })
    }

    fn digest(&self) -> Answer<'_, Result<web_ui::Digest, String>> {
        Box::pin(async { Ok(web_ui::Digest { digest: "5eed".into(), records: 7 }) })
    }
}
