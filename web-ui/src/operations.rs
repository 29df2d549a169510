//! What the panel asks of the box.

use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

use crate::status::{Side, Status};

/// An answer that may take a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The box behind the panel. Errors are sentences for the owner: what happened, and what to do.
pub trait Operations: Send + Sync + 'static {
    /// Whether this is the admin's password. Slow on purpose; the panel limits how often it asks.
    fn check_admin(&self, password: String) -> Answer<'_, bool>;

    fn status(&self) -> Answer<'_, Status>;

    /// All accounts, in the order in which they are shown.
    fn accounts(&self) -> Answer<'_, Vec<Account>>;

    /// Answers once the account is committed.
    fn add_account(&self, address: String, password: String) -> Answer<'_, Result<(), String>>;

    /// `id` as in [`Account::id`].
    fn remove_account(&self, id: String) -> Answer<'_, Result<(), String>>;

    fn set_password(&self, id: String, password: String) -> Answer<'_, Result<(), String>>;

    /// A digest of everything the box holds, for comparing it with the other box. Reads all of it.
    fn digest(&self) -> Answer<'_, Result<Digest, String>>;

    /// Answers once the box has taken the wish; that it is fulfilled shows in the status.
    fn wish(&self, wish: Wish) -> Answer<'_, Result<(), String>>;

    /// What was decided about views and addresses at the box that serves the page: the newest events,
    /// oldest first.
    fn events(&self) -> Answer<'_, Vec<Event>>;

    /// Everything that is counted or measured, as OpenMetrics text.
    fn metrics(&self) -> Answer<'_, String>;

    /// A copy of everything that the box holds now, while it serves.
    fn backup(&self) -> Answer<'_, BackupParts>;
}

/// The bytes of a backup, in order. An error is the last of them, and then it is no backup.
pub type BackupParts = tokio::sync::mpsc::Receiver<Result<Vec<u8>, String>>;

/// What the owner may want of the addresses of the pair. Handover and maintenance are of the box that
/// serves the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// The other box is to answer at this box's address.
    Handover,
    /// Each box takes its own address back.
    GiveBack,
    /// This box keeps a copy of everything and answers at no address.
    BeginMaintenance,
    EndMaintenance,
}

impl Wish {
    pub const ALL: [Wish; 4] =
        [Wish::Handover, Wish::GiveBack, Wish::BeginMaintenance, Wish::EndMaintenance];

    /// As it stands in the address of its form.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Wish::Handover => "handover",
            Wish::GiveBack => "give-back",
            Wish::BeginMaintenance => "begin-maintenance",
            Wish::EndMaintenance => "end-maintenance",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Wish> {
        Wish::ALL.into_iter().find(|wish| wish.name() == name)
    }
}

/// Something that was decided, or that led to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Unix time, s.
    pub at: u64,
    /// One word.
    pub kind: String,
    pub what: String,
    /// May be empty.
    pub why: String,
}

/// Two boxes that have applied the same records have the same digest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Digest {
    /// Hexadecimal.
    pub digest: String,
    /// How many records it stands for.
    pub records: u64,
}

/// One account as the panel shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Hexadecimal, at most 32 digits.
    pub id: String,
    pub address: String,
    pub messages: u64,
    /// The box that orders this account's writes while both are in service.
    pub home: Side,
}
