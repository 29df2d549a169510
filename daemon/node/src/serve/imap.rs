//! Answers what an IMAP session asks.

use std::collections::HashSet;
use std::time::Instant;

use imap::ask::{Change, Copied, Delta, Mailbox, Read, Row, Snapshot, SpecialUse, Status};
use imap::{Answer, Ask, Config, Failure, Input, Limits, Output, Session};
use record::{AccountId, Entry, EntryId, MailboxId};
use replica::{FlagWish, MoveWish, Wish};
use tokio::sync::broadcast;

use super::{Event, Protocol, Step, owned_entry, unix_s};
use crate::limits::{MAILBOX_NAME_BYTES_MAX, MAILBOXES_MAX};
use crate::{AppendTo, Error, Handle};

pub struct Imap {
    session: Session,
    handle: Handle,
    account: Option<AccountId>,
    ask: Option<Ask>,
    watched: Option<MailboxId>,
    changes: broadcast::Receiver<MailboxId>,
}

impl Imap {
    #[must_use]
    pub fn new(handle: Handle, hostname: String, tls_active: bool, now: Instant) -> Imap {
        let config = Config { hostname, tls_active, limits: Limits::default() };
        let changes = handle.changes();
        let session = Session::new(config, now);
        Imap { session, handle, account: None, ask: None, watched: None, changes }
    }

    async fn find(&mut self, ask: Ask) -> Result<Answer, Failure> {
        if let Ask::Login { user, password } = ask {
            let account = self.handle.authenticate(&user, password.as_str()).await;
            self.account = Some(account.map_err(failure)?.ok_or(Failure::BadCredentials)?);
            return Ok(Answer::Done);
        }
        let account = self.account.ok_or(Failure::BadCredentials)?;
        if !self.handle.is_serving() {
            return Err(failure(Error::NotInView));
        }
        if matches!(ask, Ask::Select { .. } | Ask::Refresh { .. } | Ask::Status { .. }) {
            self.handle.catch_up().await;
        }
        match ask {
            Ask::Login { .. } => unreachable!("answered above"),
            Ask::ListMailboxes => self.list(account),
            Ask::Select { mailbox } => self.snapshot(account, MailboxId(mailbox)),
            Ask::Refresh { mailbox, version } => self.refresh(account, MailboxId(mailbox), version),
            Ask::Status { mailbox } => self.status(account, MailboxId(mailbox)),
            Ask::Read { entry, what } => self.read(account, EntryId(entry), what).await,
            Ask::Append { mailbox, flags, internal_date_s, message } => {
                self.append(account, MailboxId(mailbox), flags, internal_date_s, message).await
            }
            Ask::Store { mailbox, entries, change, flags } => {
                self.store(account, MailboxId(mailbox), &entries, change, &flags).await
            }
            Ask::Expunge { mailbox, entries } => {
                let mailbox::Mailbox { account, id: mailbox, .. } =
                    self.mailbox(account, MailboxId(mailbox))?;
                let entries = entries.into_iter().map(EntryId).collect();
                self.submit(Wish::Expunge { account, mailbox, entries }).await
            }
            Ask::Copy { from, entries, to } => {
                self.copy(account, MailboxId(from), &entries, MailboxId(to), false).await
            }
            Ask::Move { from, entries, to } => {
                self.copy(account, MailboxId(from), &entries, MailboxId(to), true).await
            }
            Ask::Create { name } => self.create(account, name).await,
            Ask::Delete { mailbox } => {
                let mailbox::Mailbox { account, id: mailbox, .. } =
                    self.mailbox(account, MailboxId(mailbox))?;
                self.submit(Wish::DeleteMailbox { account, mailbox }).await
            }
            Ask::Rename { mailbox, name } => {
                self.free_name(account, &name)?;
                let mailbox::Mailbox { account, id: mailbox, .. } =
                    self.mailbox(account, MailboxId(mailbox))?;
                self.submit(Wish::RenameMailbox { account, mailbox, name }).await
            }
            Ask::Subscribe { mailbox, subscribed } => {
                let name = self.mailbox(account, MailboxId(mailbox))?.name;
                self.submit(Wish::Subscribe { account, name, subscribed }).await
            }
        }
    }

    /// A mailbox of this account's household, and of no other. A wish about it names its own account.
    fn mailbox(&self, account: AccountId, id: MailboxId) -> Result<mailbox::Mailbox, Failure> {
        let index = self.handle.index();
        let owner = index.household_owner(account).map_err(stored)?;
        let found = index.mailbox(id).map_err(stored)?;
        found.filter(|m| Some(m.owner) == owner).ok_or(Failure::NoSuchMailbox)
    }

    fn list(&self, account: AccountId) -> Result<Answer, Failure> {
        let mailboxes = self.handle.index().household(account).map_err(stored)?;
        let rows = mailboxes.into_iter().map(|m| Mailbox {
            id: m.id.0,
            special_use: special_use(&m.name),
            name: m.name,
            subscribed: m.subscribed,
        });
        Ok(Answer::Mailboxes(rows.collect()))
    }

    fn snapshot(&self, account: AccountId, id: MailboxId) -> Result<Answer, Failure> {
        let index = self.handle.index();
        // The version is read first: rows that are newer than it are only looked at once more.
        let version = index.version(id).map_err(stored)?;
        let mailbox = self.mailbox(account, id)?;
        let rows = index.messages(id).map_err(stored)?.into_iter().map(shown_row);
        Ok(Answer::Snapshot(Snapshot {
            uid_validity: mailbox.uid_validity,
            uid_next: mailbox.uid_next.0,
            highest_modseq: mailbox.highest_modseq.0,
            version,
            rows: rows.collect(),
        }))
    }

    /// Only what changed, as long as the index remembers it.
    fn refresh(&self, account: AccountId, id: MailboxId, version: u64) -> Result<Answer, Failure> {
        self.mailbox(account, id)?;
        match self.handle.index().delta(id, version).map_err(stored)? {
            Some(delta) if delta.version == version => Ok(Answer::Unchanged),
            Some(delta) => Ok(Answer::Delta(Delta {
                version: delta.version,
                rows: delta.rows.into_iter().map(shown_row).collect(),
                gone: delta.gone.into_iter().map(|uid| uid.0).collect(),
            })),
            None => self.snapshot(account, id),
        }
    }

    fn status(&self, account: AccountId, id: MailboxId) -> Result<Answer, Failure> {
        let mailbox = self.mailbox(account, id)?;
        Ok(Answer::Status(Status {
            messages: mailbox.messages as u32,
            unseen: mailbox.unseen as u32,
            deleted: mailbox.deleted as u32,
            uid_next: mailbox.uid_next.0,
            uid_validity: mailbox.uid_validity,
            highest_modseq: mailbox.highest_modseq.0,
            size: mailbox.size_bytes,
        }))
    }

    /// An entry that is there and belongs to this account.
    fn entry(&self, account: AccountId, entry: EntryId) -> Result<mailbox::EntryState, Failure> {
        owned_entry(&self.handle, account, entry).map_err(stored)?.ok_or(Failure::NoSuchMessage)
    }

    async fn read(
        &self,
        account: AccountId,
        entry: EntryId,
        what: Read,
    ) -> Result<Answer, Failure> {
        let body = self.entry(account, entry)?.entry.body;
        if what == Read::Facts {
            let facts = self.handle.facts(body).await.map_err(failure)?;
            return Ok(Answer::Facts(facts));
        }
        let bytes = self.handle.read(body, what == Read::Header).await.map_err(failure)?;
        Ok(Answer::Bytes(bytes))
    }

    async fn append(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        flags: Vec<String>,
        internal_date_s: Option<i64>,
        message: Vec<u8>,
    ) -> Result<Answer, Failure> {
        let target = self.mailbox(account, mailbox)?;
        let uid_validity = target.uid_validity;
        let internal_date_s = internal_date_s.unwrap_or_else(unix_s);
        let to = AppendTo { account: target.account, mailbox, flags, internal_date_s };
        let entry = self.handle.append(to, message).await.map_err(failure)?;
        let uid = self.entry(account, entry)?.uid.0;
        Ok(Answer::Appended { uid_validity, uid })
    }

    async fn store(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        entries: &[u128],
        change: Change,
        flags: &[String],
    ) -> Result<Answer, Failure> {
        let orderer = self.mailbox(account, mailbox)?.account;
        let mut changes = Vec::new();
        for entry in entries {
            let state = match self.entry(account, EntryId(*entry)) {
                Ok(state) => state,
                Err(Failure::NoSuchMessage) => continue,
                Err(other) => return Err(other),
            };
            let gone = |old: &String| !flags.iter().any(|new| new.eq_ignore_ascii_case(old));
            let (set, clear) = match change {
                Change::Add => (flags.to_vec(), Vec::new()),
                Change::Remove => (Vec::new(), flags.to_vec()),
                Change::Replace => {
                    (flags.to_vec(), state.flags.iter().filter(|f| gone(f)).cloned().collect())
                }
            };
            changes.push(FlagWish { entry: EntryId(*entry), set, clear });
        }
        if changes.is_empty() {
            return Ok(Answer::Done);
        }
        self.submit(Wish::Flags { account: orderer, mailbox, changes }).await
    }

    async fn copy(
        &self,
        account: AccountId,
        from: MailboxId,
        entries: &[u128],
        to: MailboxId,
        and_expunge: bool,
    ) -> Result<Answer, Failure> {
        self.mailbox(account, from)?;
        let target = self.mailbox(account, to)?;
        let (account, uid_validity) = (target.account, target.uid_validity);
        let wanted: HashSet<u128> = entries.iter().copied().collect();
        let rows = self.handle.index().messages(from).map_err(stored)?;
        let moves: Vec<MoveWish> = rows
            .iter()
            .filter(|row| wanted.contains(&row.entry.0))
            .map(|row| MoveWish {
                from: row.entry,
                to: Entry {
                    entry: EntryId(Handle::new_id()),
                    mailbox: to,
                    body: row.body,
                    internal_date_s: row.internal_date_s,
                    flags: row.flags.clone(),
                },
            })
            .collect();
        let olds: Vec<_> =
            rows.iter().filter(|row| wanted.contains(&row.entry.0)).map(|row| row.uid.0).collect();
        let news: Vec<EntryId> = moves.iter().map(|m| m.to.entry).collect();
        for moves in moves.chunks(replica::limits::WISH_ENTRIES_MAX) {
            let moves = moves.to_vec();
            let wish = if and_expunge {
                Wish::Move { account, from, moves }
            } else {
                let entries = moves.into_iter().map(|m| m.to).collect();
                Wish::Place { account, entries }
            };
            self.submit(wish).await?;
        }
        let mut uids = Vec::with_capacity(news.len());
        for (old, new) in olds.into_iter().zip(news) {
            if let Some(state) = self.handle.index().entry(new).map_err(stored)? {
                uids.push((old, state.uid.0));
            }
        }
        Ok(Answer::Copied(Copied { uid_validity, uids }))
    }

    async fn create(&self, account: AccountId, name: String) -> Result<Answer, Failure> {
        self.free_name(account, &name)?;
        let count = self.handle.index().household(account).map_err(stored)?.len();
        if count >= MAILBOXES_MAX {
            return Err(Failure::Refused(format!(
                "an account has at most {MAILBOXES_MAX} mailboxes"
            )));
        }
        let mailbox = MailboxId(Handle::new_id());
        let uid_validity = self.handle.new_uid_validity(account).map_err(stored)?;
        self.submit(Wish::CreateMailbox { account, mailbox, name, uid_validity }).await?;
        Ok(Answer::Created { mailbox: mailbox.0 })
    }

    fn free_name(&self, account: AccountId, name: &str) -> Result<(), Failure> {
        if name.len() > MAILBOX_NAME_BYTES_MAX {
            return Err(Failure::Refused(format!(
                "a mailbox name has at most {MAILBOX_NAME_BYTES_MAX} bytes"
            )));
        }
        match self.handle.index().household_by_name(account, name).map_err(stored)? {
            Some(_) => Err(Failure::AlreadyExists),
            None => Ok(()),
        }
    }

    async fn submit(&self, wish: Wish) -> Result<Answer, Failure> {
        self.handle.submit(wish).await.map_err(failure)?;
        Ok(Answer::Done)
    }
}

fn shown_row(row: mailbox::Row) -> Row {
    Row {
        uid: row.uid.0,
        entry: row.entry.0,
        flags: row.flags,
        modseq: row.modseq.0,
        size: row.size_bytes,
        internal_date_s: row.internal_date_s,
    }
}

/// What a mailbox of this name is for (RFC 6154).
fn special_use(name: &str) -> Option<SpecialUse> {
    Some(match name {
        "Archive" => SpecialUse::Archive,
        "Drafts" => SpecialUse::Drafts,
        "Junk" => SpecialUse::Junk,
        "Sent" => SpecialUse::Sent,
        "Trash" => SpecialUse::Trash,
        _ => return None,
    })
}

fn failure(error: Error) -> Failure {
    match error {
        Error::DiskFull => Failure::OverQuota,
        Error::NoSuchMailbox => Failure::NoSuchMailbox,
        Error::MailboxExists => Failure::AlreadyExists,
        Error::Gone => Failure::NoSuchMessage,
        Error::Refused(text) => Failure::Refused(text),
        other => Failure::Unavailable(other.to_string()),
    }
}

fn stored(error: mailbox::Error) -> Failure {
    tracing::error!(%error, "reading the index");
    Failure::Unavailable("this box cannot read its index at the moment".into())
}

impl Protocol for Imap {
    fn handle(&mut self, now: Instant, event: Event<'_>) {
        let input = match event {
            Event::Bytes(bytes) => Input::Bytes(bytes),
            Event::TlsStarted => Input::TlsStarted,
            Event::Closing(reason) => Input::Closing { reason: reason.to_owned() },
            Event::Tick => Input::Tick,
            Event::Changed => Input::Changed,
        };
        self.session.handle(now, input);
    }

    fn step(&mut self) -> Option<Step> {
        loop {
            return Some(match self.session.poll()? {
                Output::Send(bytes) => Step::Send(bytes),
                Output::StartTls => Step::StartTls,
                Output::Close => Step::Close,
                Output::Ask(ask) => {
                    self.ask = Some(ask);
                    Step::Ask
                }
                Output::Watch { mailbox } => {
                    self.watched = Some(MailboxId(mailbox));
                    continue;
                }
                Output::Unwatch => {
                    self.watched = None;
                    continue;
                }
            });
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.session.deadline()
    }

    fn wants_input(&self) -> bool {
        self.session.wants_input()
    }

    async fn answer(&mut self) {
        let Some(ask) = self.ask.take() else { return };
        let answer = self.find(ask).await.unwrap_or_else(Answer::Failed);
        self.session.handle(Instant::now(), Input::Answer(answer));
    }

    async fn changed(&mut self) {
        loop {
            match self.changes.recv().await {
                Ok(mailbox) if self.watched == Some(mailbox) => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) if self.watched.is_some() => return,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
