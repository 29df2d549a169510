//! One account's mail in memory, answering a session's questions as the box would.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use imap::{
    Answer, Ask, Change, Copied, Delta, Facts, Failure, Mailbox, Read, Row, Snapshot, SpecialUse,
    Status,
};

#[derive(Default)]
pub struct Store {
    pub folders: BTreeMap<u128, Folder>,
    pub bodies: HashMap<u128, Arc<[u8]>>,
    /// The next question that is no login gets this answer instead.
    pub fail_next: Option<Failure>,
    ids: u128,
    /// Every state of a mailbox that a session was told.
    given: HashMap<(u128, u64), Snapshot>,
}

#[derive(Default)]
pub struct Folder {
    pub info: Option<Mailbox>,
    pub snapshot: Snapshot,
}

impl Store {
    /// INBOX only, empty, with user `ann` and password `secret`.
    pub fn new() -> Self {
        let mut store = Self::default();
        store.create("INBOX", None);
        store
    }

    pub fn create(&mut self, name: &str, special_use: Option<SpecialUse>) -> u128 {
        self.ids += 1;
        let id = self.ids;
        let info = Mailbox { id, name: name.into(), subscribed: false, special_use };
        let uid_validity = 100 + u32::try_from(id).unwrap();
        let snapshot = Snapshot { uid_validity, uid_next: 1, version: 1, ..Snapshot::default() };
        self.folders.insert(id, Folder { info: Some(info), snapshot });
        id
    }

    pub fn id(&self, name: &str) -> u128 {
        let named = |folder: &&Folder| folder.info.as_ref().is_some_and(|info| info.name == name);
        self.folders.values().find(named).and_then(|folder| folder.info.as_ref()).unwrap().id
    }

    pub fn rows(&mut self, name: &str) -> &mut Vec<Row> {
        let id = self.id(name);
        let snapshot = &mut self.folders.get_mut(&id).unwrap().snapshot;
        snapshot.version += 1;
        &mut snapshot.rows
    }

    /// Puts a message into a mailbox; its UID.
    pub fn deliver(&mut self, name: &str, message: &[u8], flags: &[&str]) -> u32 {
        let flags = flags.iter().map(|flag| flag.to_string()).collect();
        self.add(self.id(name), message.into(), flags, 0)
    }

    fn add(&mut self, mailbox: u128, body: Arc<[u8]>, flags: Vec<String>, date_s: i64) -> u32 {
        self.ids += 1;
        let entry = self.ids;
        let snapshot = &mut self.folders.get_mut(&mailbox).unwrap().snapshot;
        let uid = snapshot.uid_next;
        snapshot.uid_next += 1;
        snapshot.version += 1;
        snapshot.highest_modseq += 1;
        let size = u32::try_from(body.len()).unwrap();
        let modseq = snapshot.highest_modseq;
        snapshot.rows.push(Row { uid, entry, flags, modseq, size, internal_date_s: date_s });
        self.bodies.insert(entry, body);
        uid
    }

    pub fn answer(&mut self, ask: Ask) -> Answer {
        if let (false, Some(failure)) = (matches!(ask, Ask::Login { .. }), self.fail_next.take()) {
            return Answer::Failed(failure);
        }
        self.try_answer(ask).unwrap_or_else(Answer::Failed)
    }

    fn give(&mut self, mailbox: u128) -> Result<Snapshot, Failure> {
        let snapshot = self.folder(mailbox)?.snapshot.clone();
        self.given.insert((mailbox, snapshot.version), snapshot.clone());
        Ok(snapshot)
    }

    /// Now and then all of it, as when the box does not remember what changed.
    fn refresh(&mut self, mailbox: u128, version: u64) -> Result<Answer, Failure> {
        let before = self.given.get(&(mailbox, version)).cloned().unwrap_or_default();
        let now = self.give(mailbox)?;
        if now.version == version {
            return Ok(Answer::Unchanged);
        }
        if now.version % 3 == 0 || now.uid_validity != before.uid_validity {
            return Ok(Answer::Snapshot(now));
        }
        let is_there = |row: &&Row| now.rows.iter().any(|other| other.uid == row.uid);
        let gone = before.rows.iter().filter(|row| !is_there(row)).map(|row| row.uid).collect();
        let rows = now.rows.iter().filter(|row| !before.rows.contains(row)).cloned().collect();
        Ok(Answer::Delta(Delta { version: now.version, rows, gone }))
    }

    fn try_answer(&mut self, ask: Ask) -> Result<Answer, Failure> {
        Ok(match ask {
            Ask::Login { user, password } if user == "ann" && password.as_str() == "secret" => {
                Answer::Done
            }
            Ask::Login { .. } => return Err(Failure::BadCredentials),
            Ask::ListMailboxes => {
                Answer::Mailboxes(self.folders.values().filter_map(|f| f.info.clone()).collect())
            }
            Ask::Select { mailbox } => Answer::Snapshot(self.give(mailbox)?),
            Ask::Refresh { mailbox, version } => self.refresh(mailbox, version)?,
            Ask::Status { mailbox } => Answer::Status(status(&self.folder(mailbox)?.snapshot)),
            Ask::Read { entry, what } => self.read(entry, what)?,
            Ask::Append { mailbox, flags, internal_date_s, message } => {
                let uid_validity = self.folder(mailbox)?.snapshot.uid_validity;
                let date_s = internal_date_s.unwrap_or(1_000_000_000);
                let uid = self.add(mailbox, message.into(), flags, date_s);
                Answer::Appended { uid_validity, uid }
            }
            Ask::Store { mailbox, entries, change, flags } => {
                self.store(mailbox, &entries, change, &flags)?
            }
            Ask::Expunge { mailbox, entries } => {
                let snapshot = &mut self.folder(mailbox)?.snapshot;
                snapshot.rows.retain(|row| !entries.contains(&row.entry));
                snapshot.version += 1;
                Answer::Done
            }
            Ask::Copy { from, entries, to } => self.copy(from, &entries, to)?,
            Ask::Move { from, entries, to } => {
                let copied = self.copy(from, &entries, to)?;
                self.try_answer(Ask::Expunge { mailbox: from, entries })?;
                copied
            }
            Ask::Create { name } => Answer::Created { mailbox: self.create(&name, None) },
            Ask::Delete { mailbox } => {
                self.folder(mailbox)?;
                self.folders.remove(&mailbox);
                Answer::Done
            }
            Ask::Rename { mailbox, name } => {
                self.info(mailbox)?.name = name;
                Answer::Done
            }
            Ask::Subscribe { mailbox, subscribed } => {
                self.info(mailbox)?.subscribed = subscribed;
                Answer::Done
            }
        })
    }

    fn folder(&mut self, mailbox: u128) -> Result<&mut Folder, Failure> {
        self.folders.get_mut(&mailbox).ok_or(Failure::NoSuchMailbox)
    }

    fn info(&mut self, mailbox: u128) -> Result<&mut Mailbox, Failure> {
        self.folder(mailbox)?.info.as_mut().ok_or(Failure::NoSuchMailbox)
    }

    fn read(&self, entry: u128, what: Read) -> Result<Answer, Failure> {
        let body = self.bodies.get(&entry).ok_or(Failure::NoSuchMessage)?;
        Ok(match what {
            Read::Whole => Answer::Bytes(Arc::clone(body)),
            Read::Header => Answer::Bytes(message::split(body).0.into()),
            Read::Facts => {
                let kept = Facts::of(body).to_bytes();
                Answer::Facts(Facts::from_bytes(&kept).unwrap().into())
            }
        })
    }

    fn store(
        &mut self,
        mailbox: u128,
        entries: &[u128],
        change: Change,
        flags: &[String],
    ) -> Result<Answer, Failure> {
        let snapshot = &mut self.folder(mailbox)?.snapshot;
        for row in snapshot.rows.iter_mut().filter(|row| entries.contains(&row.entry)) {
            match change {
                Change::Replace => row.flags = flags.to_vec(),
                Change::Remove => row.flags.retain(|flag| !flags.contains(flag)),
                Change::Add => {
                    let new = flags.iter().filter(|flag| !row.flags.contains(flag));
                    let new: Vec<String> = new.cloned().collect();
                    row.flags.extend(new);
                }
            }
        }
        snapshot.version += 1;
        Ok(Answer::Done)
    }

    fn copy(&mut self, from: u128, entries: &[u128], to: u128) -> Result<Answer, Failure> {
        let uid_validity = self.folder(to)?.snapshot.uid_validity;
        let rows = self.folder(from)?.snapshot.rows.clone();
        let mut uids = Vec::new();
        for row in rows.into_iter().filter(|row| entries.contains(&row.entry)) {
            let body = Arc::clone(&self.bodies[&row.entry]);
            uids.push((row.uid, self.add(to, body, row.flags, row.internal_date_s)));
        }
        Ok(Answer::Copied(Copied { uid_validity, uids }))
    }
}

fn status(snapshot: &Snapshot) -> Status {
    let count = |wanted: &dyn Fn(&Row) -> bool| {
        u32::try_from(snapshot.rows.iter().filter(|row| wanted(row)).count()).unwrap()
    };
    let has = |row: &Row, flag: &str| row.flags.iter().any(|known| known == flag);
    Status {
        messages: count(&|_| true),
        unseen: count(&|row| !has(row, "\\Seen")),
        deleted: count(&|row| has(row, "\\Deleted")),
        uid_next: snapshot.uid_next,
        uid_validity: snapshot.uid_validity,
        highest_modseq: snapshot.highest_modseq,
        size: snapshot.rows.iter().map(|row| u64::from(row.size)).sum(),
    }
}
