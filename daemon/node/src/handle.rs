//! What sessions, the link and the panel hold of a running node.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use imap::Facts;
use journal::{Damaged, Log, RealDisk};
use mailbox::Index;
use record::{AccountId, BodyRef, EntryId, MailboxId, RequestId, Side, Vector};
use replica::{Hello, Message, Mode, Wish};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use users::Users;

use crate::applier::Comparison;
use crate::body::{self, Body};
use crate::core::{Answer, Place};
use crate::end::End;
use crate::facts::FactsKeeper;
use crate::limits::{
    BODY_CACHE_BYTES, COMMIT_WAIT, DISK_FREE_BYTES_MIN, MEND_WAIT, PASSWORD_CACHE_ENTRIES,
    READ_WAIT,
};
use crate::serve;
use crate::shell::Turn;
use crate::upkeep::exchange::damaged_record;
use crate::upkeep::{Damage, Done};

/// Why a wish was not carried out. Nothing was changed.
#[derive(Debug, Error)]
pub enum Error {
    #[error("this box has not joined its pair yet; please try again in a moment")]
    NotInView,
    #[error("too many requests are waiting; please try again in a moment")]
    Busy,
    #[error("the disk is nearly full; no new mail is taken until there is room")]
    DiskFull,
    #[error("there is no such mailbox")]
    NoSuchMailbox,
    #[error("a mailbox of this name exists")]
    MailboxExists,
    #[error("the message is not there any more")]
    Gone,
    #[error("{0}")]
    Refused(String),
    #[error("a record is damaged on this box's disk: {0}")]
    Damaged(String),
    #[error("this box cannot read its index: {0}")]
    Index(#[from] mailbox::Error),
    #[error("this box cannot read its user store: {0}")]
    Users(#[from] users::Error),
    #[error("this box is stopping")]
    Stopped,
}

/// Where an APPEND goes.
#[derive(Clone, Debug)]
pub struct AppendTo {
    /// That of the mailbox.
    pub account: AccountId,
    pub mailbox: MailboxId,
    pub flags: Vec<String>,
    pub internal_date_s: i64,
}

/// A position in this box's log, in records.
pub type Position = u64;

/// How far everything is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub end: Position,
    pub synced: Position,
    pub committed: Position,
    pub applied: Position,
    /// Records of this box's log that the peer has not acknowledged as synced; none without a session.
    pub peer_lacks: Option<u64>,
    /// Records of all writers that the peer has on its disk: grows as it syncs.
    pub peer_synced: u64,
    pub wishes_waiting: usize,
    pub in_session: bool,
    /// The disk has never joined its pair.
    pub blank: bool,
    pub may_serve_alone: bool,
    /// Records that cannot be read on this box's disk.
    pub damage: Damage,
    /// The newest record format that the pair writes.
    pub format: u16,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(crate) turns: mpsc::Sender<Turn>,
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub side: Side,
    pub log: Arc<Log<RealDisk>>,
    pub index: Arc<Index>,
    pub users: Arc<Users>,
    pub mode: watch::Receiver<Mode>,
    pub serving: watch::Receiver<bool>,
    pub progress: watch::Receiver<Progress>,
    pub changes: broadcast::Sender<MailboxId>,
    pub comparison: watch::Sender<Comparison>,
    /// The last one given to a new mailbox.
    pub uid_validity: AtomicU32,
    pub end: End,
    /// The disk has no room for what the peer would send.
    pub no_room: AtomicBool,
    pub upkeep: Mutex<Done>,
    /// Positions of damaged records that the peer could not give, so far.
    pub put_off: Mutex<BTreeSet<u64>>,
    pub bodies: Mutex<BodyCache>,
    pub facts: FactsKeeper,
    /// SHA-256 over user, password and the password's hash in force: those found right.
    pub passwords: Mutex<HashSet<[u8; 32]>>,
}

impl Handle {
    #[must_use]
    pub fn side(&self) -> Side {
        self.shared.side
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        *self.shared.mode.borrow()
    }

    /// Changes of the view.
    #[must_use]
    pub fn modes(&self) -> watch::Receiver<Mode> {
        self.shared.mode.clone()
    }

    /// Has this box been in a view since its start? Before, it shows and takes nothing. While a view
    /// is lost it goes on showing what it had; what is to be changed waits.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        *self.shared.serving.borrow()
    }

    #[must_use]
    pub fn progress(&self) -> Progress {
        self.shared.progress.borrow().clone()
    }

    /// Is the disk so full that this box leaves the pair to its peer?
    #[must_use]
    pub fn has_no_room(&self) -> bool {
        self.shared.no_room.load(Relaxed)
    }

    /// Becomes the reason when this box cannot go on: its disk failed, or a store. Nothing is acknowledged or
    /// answered any more; the program is to leave its addresses to the peer and end, within
    /// [`LAST_WORDS_WAIT`](crate::end::LAST_WORDS_WAIT).
    #[must_use]
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.shared.end.subscribe()
    }

    /// What the log's upkeep has done since the start.
    #[must_use]
    pub fn upkeep(&self) -> Done {
        *self.shared.upkeep.lock().expect("no holder panics")
    }

    /// Do both boxes hold the same state, as far as they compared it?
    #[must_use]
    pub fn comparison(&self) -> Comparison {
        *self.shared.comparison.borrow()
    }

    #[must_use]
    pub fn index(&self) -> &Index {
        &self.shared.index
    }

    #[must_use]
    pub fn users(&self) -> &Users {
        &self.shared.users
    }

    #[must_use]
    pub fn log(&self) -> &Log<RealDisk> {
        &self.shared.log
    }

    /// Mailboxes that have changed since. A receiver that lags has to look at everything.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<MailboxId> {
        self.shared.changes.subscribe()
    }

    /// 128 random bits.
    #[must_use]
    pub fn new_id() -> u128 {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
        u128::from_le_bytes(bytes)
    }

    /// For a new mailbox of the account, or of an account that is still to come: one that none of its
    /// mailboxes ever had, whatever name it gets, and that the other box does not give at the same time.
    /// About the seconds since 1970; odd at side b.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn new_uid_validity(&self, account: AccountId) -> Result<u32, mailbox::Error> {
        let known = self.index().highest_uid_validity(account)?;
        let clock = u32::try_from(serve::unix_s()).unwrap_or(u32::MAX);
        let parity = u32::from(self.side() == Side::B);
        let given = &self.shared.uid_validity;
        let next = |last: u32| {
            let least = clock.max(known.saturating_add(1)).max(last.saturating_add(1));
            Some(least.saturating_add((least ^ parity) & 1))
        };
        let last = given.fetch_update(Relaxed, Relaxed, next).expect("`next` always gives one");
        Ok(next(last).expect("`next` always gives one"))
    }

    /// Whose name and password are these? Runs the slow hash on a blocking thread, once for each
    /// password that was right.
    ///
    /// # Errors
    /// [`Error::NotInView`]: a box outside of a view may know an old password.
    pub async fn authenticate(
        &self,
        user: &str,
        password: &str,
    ) -> Result<Option<AccountId>, Error> {
        if !self.is_serving() {
            return Err(Error::NotInView);
        }
        let shared = self.shared.clone();
        let (user, password) = (user.to_owned(), password.to_owned());
        let found = tokio::task::spawn_blocking(move || shared.verify(&user, &password)).await;
        Ok(found.map_err(|_| Error::Stopped)??)
    }

    /// Takes a message for the inboxes of `accounts`: returns when it is committed.
    ///
    /// # Errors
    /// Nothing was taken, whatever the error.
    pub async fn deliver(
        &self,
        accounts: &[AccountId],
        message: Vec<u8>,
        unix_s: i64,
    ) -> Result<(), Error> {
        let mut places = Vec::new();
        for account in accounts {
            let inbox = self.index().household_by_name(*account, "INBOX")?;
            let inbox = inbox.ok_or(Error::NoSuchMailbox)?;
            places.push(self.place(inbox.account, inbox.id, unix_s, Vec::new()));
        }
        self.take(places, message, Answer::AtCommit).await
    }

    /// Adds a message to one mailbox: returns when it is committed and this box's clients can see it.
    ///
    /// # Errors
    /// Nothing was taken, whatever the error.
    pub async fn append(&self, to: AppendTo, message: Vec<u8>) -> Result<EntryId, Error> {
        let place = self.place(to.account, to.mailbox, to.internal_date_s, to.flags);
        let entry = place.entry;
        self.take(vec![place], message, Answer::AtApply).await?;
        Ok(entry)
    }

    fn place(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        internal_date_s: i64,
        flags: Vec<String>,
    ) -> Place {
        Place {
            request: RequestId(Handle::new_id()),
            account,
            mailbox,
            entry: EntryId(Handle::new_id()),
            internal_date_s,
            flags,
        }
    }

    async fn take(
        &self,
        places: Vec<Place>,
        message: Vec<u8>,
        answer: Answer,
    ) -> Result<(), Error> {
        self.may_write()?;
        let body = tokio::task::spawn_blocking(move || Body::new(&message))
            .await
            .map_err(|_| Error::Stopped)?;
        let (dones, waits): (Vec<_>, Vec<_>) =
            places.iter().map(|_| oneshot::channel::<Result<(), Error>>()).unzip();
        self.turn(Turn::Deliver { body, places, answer, dones }).await?;
        for wait in waits {
            outcome(wait).await?;
        }
        Ok(())
    }

    /// Any other change: returns when it is committed and this box's clients can see it.
    ///
    /// # Errors
    /// Nothing was changed, whatever the error.
    pub async fn submit(&self, wish: Wish) -> Result<(), Error> {
        if !self.is_serving() {
            return Err(Error::NotInView);
        }
        if wish.places() > replica::limits::WISH_ENTRIES_MAX {
            return Err(Error::Refused("too many messages at once".into()));
        }
        let (done, wait) = oneshot::channel();
        let request = RequestId(Handle::new_id());
        self.turn(Turn::Submit { request, wish, done }).await?;
        outcome(wait).await
    }

    fn may_write(&self) -> Result<(), Error> {
        if !self.is_serving() {
            return Err(Error::NotInView);
        }
        match self.shared.log.free_bytes() {
            Ok(free) if free < DISK_FREE_BYTES_MIN => Err(Error::DiskFull),
            _ => Ok(()),
        }
    }

    /// Waits until this box shows everything that it holds now. What the peer has acknowledged is in this
    /// box's log by then, so a client that delivered there finds it here. Without a view, or when it
    /// takes longer than [`READ_WAIT`], what is shown is what there is.
    ///
    /// What the peer has acknowledged is on both disks, and lacks here at most the peer's word that it is. So
    /// when nothing is committed for [`COMMIT_WAIT`], the peer or a disk stands still, nothing of what is
    /// held was acknowledged, and nobody has to wait for it.
    pub async fn catch_up(&self) {
        let end = self.shared.log.end().0;
        if !matches!(self.mode(), Mode::Alone | Mode::Both) {
            return;
        }
        let mut progress = self.shared.progress.clone();
        let until = tokio::time::Instant::now() + READ_WAIT;
        loop {
            let (committed, applied) = {
                let now = progress.borrow_and_update();
                (now.committed, now.applied)
            };
            if applied >= end {
                return;
            }
            let commit = tokio::time::Instant::now() + COMMIT_WAIT;
            let until = if committed > applied { until } else { until.min(commit) };
            let moves =
                progress.wait_for(|now| (now.committed, now.applied) != (committed, applied));
            if tokio::time::timeout_at(until, moves).await.is_err() {
                return;
            }
        }
    }

    /// A message's bytes, or only its header section. What is damaged here is fetched from the peer, when
    /// it is there.
    ///
    /// # Errors
    /// [`Error::Damaged`] when this box's copy cannot be read, and was not mended within [`MEND_WAIT`].
    pub async fn read(&self, body: BodyRef, header_only: bool) -> Result<Arc<[u8]>, Error> {
        self.read_or_mend(move |shared| shared.read(body, header_only)).await
    }

    /// What clients ask of most messages, from the index; the message is read when it is not there.
    ///
    /// # Errors
    /// As [`Handle::read`].
    pub async fn facts(&self, body: BodyRef) -> Result<Arc<Facts>, Error> {
        self.read_or_mend(move |shared| shared.facts(body)).await
    }

    async fn read_or_mend<T: Send + 'static>(
        &self,
        read: impl Fn(&Shared) -> Result<T, Unread> + Copy + Send + 'static,
    ) -> Result<T, Error> {
        let until = tokio::time::Instant::now() + MEND_WAIT;
        loop {
            let shared = self.shared.clone();
            let read = tokio::task::spawn_blocking(move || read(&shared));
            let (error, found) = match read.await.map_err(|_| Error::Stopped)? {
                Ok(found) => return Ok(found),
                Err(Unread { error, found: None }) => return Err(error),
                Err(Unread { error, found: Some(found) }) => (error, found),
            };
            let mended = self.progress().damage.mended;
            self.turn(Turn::Damaged(vec![found])).await?;
            let mut progress = self.shared.progress.clone();
            let more = progress.wait_for(|now| now.damage.mended > mended);
            if tokio::time::timeout_at(until, more).await.is_err() {
                return Err(error);
            }
        }
    }

    /// Writes a copy of everything that is durable now ([`journal::backup`]), while the box serves; how many
    /// records and bytes that is. Blocks: not for an async task.
    ///
    /// # Errors
    /// From `out`; or when a record is damaged: it is being mended then, try again.
    pub fn backup(&self, out: impl std::io::Write) -> Result<(u64, u64), journal::Error> {
        let written = journal::backup::write(&self.shared.log, out);
        if let Err(journal::Error::Damaged { position: Some(position), .. }) = &written {
            let found = self.shared.log.damaged_at(*position);
            // A loop that has ended mends nothing more.
            let _ = self.turns.blocking_send(Turn::Damaged(vec![found]));
        }
        written.map(|summary| (summary.frames, summary.bytes))
    }

    /// The opening of a session, as of now.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn link_hello(&self) -> Result<Hello, Error> {
        let (reply, wait) = oneshot::channel();
        self.turn(Turn::Hello { reply }).await?;
        wait.await.map_err(|_| Error::Stopped)
    }

    /// A session begins: its number, and what is to be sent. The channel closes when it must end.
    ///
    /// # Errors
    /// [`Error::Stopped`]; [`Error::DiskFull`] when there is no room for what the peer would send.
    pub async fn link_up(
        &self,
        peer: Hello,
    ) -> Result<(u64, mpsc::UnboundedReceiver<Message>), Error> {
        if self.shared.no_room.load(Relaxed) {
            return Err(Error::DiskFull);
        }
        let (send, receive) = mpsc::unbounded_channel();
        let (reply, wait) = oneshot::channel();
        self.turn(Turn::LinkUp { peer, send, reply }).await?;
        let session = wait.await.map_err(|_| Error::Stopped)?;
        Ok((session, receive))
    }

    /// What came in a session. Waits while the loop is busy: that is the peer's back-pressure.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn link_message(&self, session: u64, message: Message) -> Result<(), Error> {
        self.turn(Turn::Link { session, message }).await
    }

    /// # Errors
    /// [`Error::Stopped`].
    pub async fn link_down(&self, session: u64) -> Result<(), Error> {
        self.turn(Turn::LinkDown { session }).await
    }

    /// `failover` says the peer is dead; `forced`: the admin says to serve whatever this disk lacks.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn go_alone(&self, forced: bool) -> Result<(), Error> {
        self.turn(Turn::GoAlone { forced }).await
    }

    /// `failover` says the session must end.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn end_session(&self) -> Result<(), Error> {
        self.turn(Turn::EndSession).await
    }

    /// The program has proved itself on this box: its record formats may be written up to this one, once
    /// the peer has blessed them, too.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn bless(&self, format: u16) -> Result<(), Error> {
        self.turn(Turn::Bless { format }).await
    }

    /// Answers when the loop has gone round once: it lives.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn tick(&self) -> Result<(), Error> {
        let (reply, wait) = oneshot::channel();
        self.turn(Turn::Tick { reply }).await?;
        wait.await.map_err(|_| Error::Stopped)
    }

    /// What this box holds of every writer, on disk and in memory.
    #[must_use]
    pub fn vector(&self) -> Vector {
        self.shared.log.vector()
    }

    async fn turn(&self, turn: Turn) -> Result<(), Error> {
        self.turns.send(turn).await.map_err(|_| Error::Stopped)
    }
}

/// What came of a wish. A box that stops before it knows never says: the peer may have carried it out, and a
/// client that heard a no would ask for the same once more.
async fn outcome(wait: oneshot::Receiver<Result<(), Error>>) -> Result<(), Error> {
    match wait.await {
        Ok(outcome) => outcome,
        Err(_) => std::future::pending().await,
    }
}

impl Shared {
    fn verify(&self, user: &str, password: &str) -> Result<Option<AccountId>, users::Error> {
        let Some((account, hash)) = self.users.credentials(user)? else {
            // Takes as long as a wrong password does.
            return self.users.verify(user, password);
        };
        // A changed password has another hash, so an old entry is never found again.
        let key = Sha256::digest([user, "\0", password, "\0", &hash].concat()).into();
        if self.passwords.lock().expect("no holder panics").contains(&key) {
            return Ok(Some(account));
        }
        if !users::verify_password(&hash, password) {
            return Ok(None);
        }
        let mut passwords = self.passwords.lock().expect("no holder panics");
        if passwords.len() >= PASSWORD_CACHE_ENTRIES {
            passwords.clear();
        }
        passwords.insert(key);
        Ok(Some(account))
    }

    fn facts(&self, body: BodyRef) -> Result<Arc<Facts>, Unread> {
        if let Some(known) = self.facts.known(&self.index, body) {
            return Ok(known);
        }
        let facts = Arc::new(Facts::of(&self.read(body, false)?));
        self.facts.keep(body, &facts);
        Ok(facts)
    }

    fn read(&self, body: BodyRef, header_only: bool) -> Result<Arc<[u8]>, Unread> {
        let key = (body, header_only);
        if let Some(bytes) = self.bodies.lock().expect("no holder panics").get(&key) {
            return Ok(bytes);
        }
        let want = if header_only { body.header_bytes } else { body.size_bytes } as usize;
        let mut bytes = Vec::with_capacity(want);
        for part in 0..u64::from(body.parts) {
            if bytes.len() >= want && part > 0 {
                break;
            }
            let address = record::Address { writer: body.writer, index: body.index + part };
            let record = self.log.read(address).map_err(|error| self.unread(address, &error))?;
            let plain = body::plain(&record)
                .map_err(|text| Unread { error: Error::Damaged(text), found: None })?;
            bytes.extend(plain);
        }
        bytes.truncate(want);
        let bytes: Arc<[u8]> = bytes.into();
        self.bodies.lock().expect("no holder panics").put(key, bytes.clone());
        Ok(bytes)
    }
}

impl Shared {
    fn unread(&self, address: record::Address, error: &journal::Error) -> Unread {
        let found = match error {
            journal::Error::Damaged { .. } | journal::Error::Disk { .. } => {
                damaged_record(&self.log, address)
            }
            _ => None,
        };
        Unread { error: Error::Damaged(error.to_string()), found }
    }
}

/// Why a body could not be read, and the record that can be mended.
struct Unread {
    error: Error,
    found: Option<Damaged>,
}

/// A body, or only its header section.
type BodyKey = (BodyRef, bool);

/// The last bodies read, for clients that fetch one message in pieces.
#[derive(Default)]
pub(crate) struct BodyCache {
    /// With the moment of the last use.
    rows: HashMap<BodyKey, (u64, Arc<[u8]>)>,
    bytes: usize,
    clock: u64,
}

impl BodyCache {
    fn get(&mut self, key: &BodyKey) -> Option<Arc<[u8]>> {
        self.clock += 1;
        let row = self.rows.get_mut(key)?;
        row.0 = self.clock;
        Some(row.1.clone())
    }

    fn put(&mut self, key: BodyKey, bytes: Arc<[u8]>) {
        self.clock += 1;
        self.bytes += bytes.len();
        if let Some((_, old)) = self.rows.insert(key, (self.clock, bytes)) {
            self.bytes -= old.len();
        }
        while self.bytes > BODY_CACHE_BYTES {
            let Some(oldest) = self.rows.iter().min_by_key(|(_, row)| row.0).map(|(k, _)| *k)
            else {
                return;
            };
            if let Some((_, old)) = self.rows.remove(&oldest) {
                self.bytes -= old.len();
            }
        }
    }
}
