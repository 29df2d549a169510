//! Answers what an SMTP session asks.

use std::time::Instant;

use record::AccountId;
use smtp::{
    Address, Answer, Ask, AuthenticateAnswer, Config, DeliverAnswer, Envelope, Input, Output,
    RecipientAnswer, SenderAnswer, Session, trace_headers,
};

use super::{Event, Protocol, Step, unix_s};
use crate::{Error, Handle};

pub struct Smtp {
    session: Session,
    handle: Handle,
    hostname: String,
    ask: Option<Ask>,
}

impl Smtp {
    #[must_use]
    pub fn new(handle: Handle, config: Config, now: Instant) -> Smtp {
        let hostname = config.hostname.clone();
        Smtp { session: Session::new(config, now), handle, hostname, ask: None }
    }

    async fn find(&self, ask: Ask) -> Answer {
        match ask {
            Ask::Authenticate { user, password } => {
                let found = self.handle.authenticate(&user, password.as_str()).await;
                Answer::Authenticate(match found {
                    Ok(Some(account)) => {
                        let known = self.handle.users().account(account).ok().flatten();
                        let address = known.map_or(user, |known| known.address);
                        AuthenticateAnswer::Accepted { account: account.0, address }
                    }
                    Ok(None) => AuthenticateAnswer::Denied,
                    Err(_) => AuthenticateAnswer::Unavailable,
                })
            }
            Ask::Sender { account, address } => Answer::Sender(self.sender(account, &address)),
            Ask::Recipient { address, .. } => Answer::Recipient(self.recipient(&address)),
            Ask::Deliver { envelope, message } => {
                Answer::Deliver(self.deliver(&envelope, &message).await)
            }
        }
    }

    fn sender(&self, account: u128, address: &Address) -> SenderAnswer {
        if !self.handle.is_serving() {
            return SenderAnswer::Unavailable(Error::NotInView.to_string());
        }
        match self.handle.users().account_by_address(&address.to_string()) {
            Ok(Some(owner)) if owner.id == AccountId(account) => SenderAnswer::Allowed,
            Ok(_) => SenderAnswer::Refused,
            Err(error) => SenderAnswer::Unavailable(error.to_string()),
        }
    }

    fn recipient(&self, address: &Address) -> RecipientAnswer {
        if !self.handle.is_serving() {
            return RecipientAnswer::Unavailable(Error::NotInView.to_string());
        }
        self.local_recipient(address)
            .unwrap_or_else(|error| RecipientAnswer::Unavailable(error.to_string()))
    }

    fn local_recipient(&self, address: &Address) -> Result<RecipientAnswer, users::Error> {
        let users = self.handle.users();
        if let Some(account) = users.account_by_address(&address.to_string())? {
            return Ok(RecipientAnswer::Accepted { account: account.id.0 });
        }
        let domain = address.domain().to_ascii_lowercase();
        let is_local = users.local_domains()?.contains(&domain) || domain == self.hostname;
        Ok(if is_local { RecipientAnswer::NoSuchUser } else { RecipientAnswer::NotLocal })
    }

    async fn deliver(&self, envelope: &Envelope, message: &[u8]) -> DeliverAnswer {
        let unix_s = unix_s();
        let queue_id = format!("{:016x}", Handle::new_id() >> 64);
        let mut bytes = trace_headers(envelope, &self.hostname, &queue_id, unix_s);
        bytes.extend_from_slice(message);
        let mut accounts: Vec<AccountId> =
            envelope.recipients.iter().map(|r| AccountId(r.account)).collect();
        accounts.sort_unstable();
        accounts.dedup();
        match self.handle.deliver(&accounts, bytes, unix_s).await {
            Ok(()) => {
                tracing::info!(%queue_id, recipients = accounts.len(), "delivered");
                DeliverAnswer::Delivered
            }
            Err(Error::DiskFull) => DeliverAnswer::StorageFull,
            Err(error) => DeliverAnswer::Unavailable(error.to_string()),
        }
    }
}

impl Protocol for Smtp {
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
