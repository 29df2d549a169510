//! Answers what a POP3 session asks. The maildrop is the account's INBOX.

use std::time::Instant;

use pop3::{
    Answer, Ask, Config, DeleteAnswer, Input, Limits, LoginAnswer, MaildropAnswer, Output, Part,
    ReadAnswer, Row, Session,
};
use record::{AccountId, EntryId};
use replica::Wish;

use super::{Event, Protocol, Step, owned_entry};
use crate::{Error, Handle};

pub struct Pop3 {
    session: Session,
    handle: Handle,
    ask: Option<Ask>,
}

impl Pop3 {
    #[must_use]
    pub fn new(handle: Handle, hostname: String, tls_active: bool, now: Instant) -> Pop3 {
        let config = Config { hostname, tls_active, limits: Limits::default() };
        Pop3 { session: Session::new(config, now), handle, ask: None }
    }

    async fn find(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Login { user, password } => {
                let found = self.handle.authenticate(&user, password.as_str()).await;
                Answer::Login(match found {
                    Ok(Some(account)) => LoginAnswer::Accepted { account: account.0 },
                    Ok(None) => LoginAnswer::Denied,
                    Err(_) => LoginAnswer::Unavailable,
                })
            }
            Ask::OpenMaildrop { account } => Answer::OpenMaildrop({
                self.handle.catch_up().await;
                self.maildrop(AccountId(account))
                    .unwrap_or_else(|error| MaildropAnswer::Unavailable(error.to_string()))
            }),
            Ask::Read { account, entry, part } => Answer::Read(
                self.read(AccountId(account), EntryId(entry), part)
                    .await
                    .unwrap_or_else(|error| ReadAnswer::Unavailable(error.to_string())),
            ),
            Ask::Delete { account, entries } => {
                Answer::Delete(match self.delete(AccountId(account), entries).await {
                    Ok(()) => DeleteAnswer::Deleted,
                    Err(error) => DeleteAnswer::Unavailable(error.to_string()),
                })
            }
        }
    }

    fn maildrop(&self, account: AccountId) -> Result<MaildropAnswer, Error> {
        let index = self.handle.index();
        let inbox = index.household_by_name(account, "INBOX")?.ok_or(Error::NoSuchMailbox)?;
        let rows = index.messages(inbox.id)?;
        let rows = rows.iter().map(|row| Row { entry: row.entry.0, size_bytes: row.size_bytes });
        Ok(MaildropAnswer::Open(rows.collect()))
    }

    async fn read(
        &self,
        account: AccountId,
        entry: EntryId,
        part: Part,
    ) -> Result<ReadAnswer, Error> {
        let Some(state) = owned_entry(&self.handle, account, entry)? else {
            return Ok(ReadAnswer::Gone);
        };
        let bytes = self.handle.read(state.entry.body, part == Part::Header).await?;
        Ok(ReadAnswer::Message(bytes.to_vec()))
    }

    async fn delete(&self, account: AccountId, entries: Vec<u128>) -> Result<(), Error> {
        let inbox = self.handle.index().household_by_name(account, "INBOX")?;
        let inbox = inbox.ok_or(Error::NoSuchMailbox)?;
        let (account, mailbox) = (inbox.account, inbox.id);
        let entries = entries.into_iter().map(EntryId).collect();
        self.handle.submit(Wish::Expunge { account, mailbox, entries }).await
    }
}

impl Protocol for Pop3 {
    fn handle(&mut self, now: Instant, event: Event<'_>) {
        let input = match event {
            Event::Bytes(bytes) => Input::Bytes(bytes),
            Event::TlsStarted => Input::TlsStarted,
            Event::Closing(reason) => Input::Closing { reason: reason.to_owned() },
            Event::Tick => Input::Tick,
            // It watches nothing.
            Event::Changed => return,
        };
        self.session.handle(now, input);
    }

    fn step(&mut self) -> Option<Step> {
        Some(match self.session.poll()? {
            Output::Send(bytes) => Step::Send(bytes),
            Output::StartTls => Step::StartTls,
            Output::Close => Step::Close,
            Output::Ask(ask) => {
                self.ask = Some(ask);
                Step::Ask
            }
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.session.deadline()
    }

    fn wants_input(&self) -> bool {
        self.session.wants_input()
    }

    async fn answer(&mut self) {
        let Some(ask) = self.ask.take() else { return };
        let answer = self.find(ask).await;
        self.session.handle(Instant::now(), Input::Answer(answer));
    }
}
