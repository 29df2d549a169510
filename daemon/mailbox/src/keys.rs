//! The keys of the tables: fixed widths, big-endian, so that byte order is the order of the things.

use record::{AccountId, Address, EntryId, MailboxId, QueueId, Side, Uid, Writer};

pub(crate) const APPLIED: &[u8] = b"applied";
pub(crate) const FACTS_BYTES: &[u8] = b"facts_bytes";
pub(crate) const IDENTITY: &[u8] = b"identity";

pub(crate) fn account(account: AccountId) -> [u8; 16] {
    account.0.to_be_bytes()
}

pub(crate) fn mailbox(mailbox: MailboxId) -> [u8; 16] {
    mailbox.0.to_be_bytes()
}

pub(crate) fn queued(message: QueueId) -> [u8; 16] {
    message.0.to_be_bytes()
}

pub(crate) fn entry(entry: EntryId) -> [u8; 16] {
    entry.0.to_be_bytes()
}

/// Side, incarnation.
pub(crate) fn writer(writer: Writer) -> [u8; 17] {
    let mut key = [0; 17];
    key[0] = u8::from(writer.side == Side::B);
    key[1..].copy_from_slice(&writer.incarnation.to_be_bytes());
    key
}

/// Account, mailbox.
pub(crate) fn account_box(account: AccountId, mailbox: MailboxId) -> Vec<u8> {
    [account.0.to_be_bytes(), mailbox.0.to_be_bytes()].concat()
}

/// Account, name (of any length, last).
pub(crate) fn subscription(account: AccountId, name: &str) -> Vec<u8> {
    [&account.0.to_be_bytes()[..], name.as_bytes()].concat()
}

/// Address of an account, a zero, account. The zero ends the address: none has one inside.
pub(crate) fn address(address: &str, account: AccountId) -> Vec<u8> {
    let mut key = address_prefix(address);
    key.extend_from_slice(&account.0.to_be_bytes());
    key
}

pub(crate) fn address_prefix(address: &str) -> Vec<u8> {
    let mut key: Vec<u8> = address.bytes().filter(|byte| *byte != 0).collect();
    key.push(0);
    key
}

/// Mailbox, UID.
pub(crate) fn uid(mailbox: MailboxId, uid: Uid) -> Vec<u8> {
    [&mailbox.0.to_be_bytes()[..], &uid.0.to_be_bytes()].concat()
}

/// Mailbox, UID, entry: no two entries ever share a UID, but a key that cannot be overwritten keeps a
/// broken promise visible instead of losing a message over it.
pub(crate) fn row(mailbox: MailboxId, uid: Uid, entry: EntryId) -> Vec<u8> {
    [&mailbox.0.to_be_bytes()[..], &uid.0.to_be_bytes(), &entry.0.to_be_bytes()].concat()
}

/// Mailbox, writer, index.
pub(crate) fn placement(mailbox: MailboxId, at: Address) -> Vec<u8> {
    [&mailbox.0.to_be_bytes()[..], &writer(at.writer), &at.index.to_be_bytes()].concat()
}

/// Mailbox, writer, index, entry.
pub(crate) fn touch(mailbox: MailboxId, at: Address, entry: EntryId) -> Vec<u8> {
    [&placement(mailbox, at)[..], &entry.0.to_be_bytes()].concat()
}

/// Mailbox, entry.
pub(crate) fn stale(mailbox: MailboxId, entry: EntryId) -> Vec<u8> {
    [mailbox.0.to_be_bytes(), entry.0.to_be_bytes()].concat()
}

/// Writer, index.
pub(crate) fn body(at: Address) -> Vec<u8> {
    [&writer(at.writer)[..], &at.index.to_be_bytes()].concat()
}

/// The index of a key made by [`body`].
pub(crate) fn body_index(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*key.last_chunk()?))
}

/// The first 16 bytes of a key that begins with an id.
pub(crate) fn first_id(key: &[u8]) -> Option<u128> {
    Some(u128::from_be_bytes(*key.first_chunk()?))
}

/// The mailbox and the entry of a key made by [`row`].
pub(crate) fn split_row(key: &[u8]) -> Option<(MailboxId, EntryId)> {
    let mailbox = key.first_chunk()?;
    let entry = key.get(20..)?.first_chunk()?;
    Some((MailboxId(u128::from_be_bytes(*mailbox)), EntryId(u128::from_be_bytes(*entry))))
}

/// The writer and the index of a key made by [`placement`].
pub(crate) fn split_placement(key: &[u8]) -> Option<Address> {
    let side = if *key.get(16)? == 0 { Side::A } else { Side::B };
    let incarnation = u128::from_be_bytes(*key.get(17..)?.first_chunk()?);
    let index = u64::from_be_bytes(*key.get(33..)?.first_chunk()?);
    Some(Address { writer: Writer { side, incarnation }, index })
}

pub(crate) fn split_writer(key: &[u8]) -> Option<Writer> {
    let side = if *key.first()? == 0 { Side::A } else { Side::B };
    Some(Writer { side, incarnation: u128::from_be_bytes(*key.last_chunk()?) })
}

/// The last 16 bytes of a key that ends with an id.
pub(crate) fn last_id(key: &[u8]) -> Option<u128> {
    Some(u128::from_be_bytes(*key.last_chunk()?))
}
