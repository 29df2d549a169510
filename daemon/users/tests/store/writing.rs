//! Records of two writers.

use record::{AccountId, Clock, Codec, Op, Record, Side, Vector, Writer};
use users::Users;

pub fn record(side: Side, clock: u64, op: Op) -> Record {
    Record {
        writer: Writer { side, incarnation: 1 },
        index: clock,
        clock: Clock(clock),
        seen: Vector::new(),
        op,
        codec: Codec::Raw,
        payload: Vec::new(),
    }
}

pub fn create(id: u128, address: &str) -> Op {
    Op::CreateAccount {
        account: account(id),
        address: address.to_owned(),
        home: Side::A,
        password_hash: format!("hash of {id}"),
    }
}

pub fn set_password(id: u128, hash: &str) -> Op {
    Op::SetPassword { account: account(id), password_hash: hash.to_owned(), made: None }
}

pub fn move_home(id: u128, home: Side) -> Op {
    Op::MoveHome { account: account(id), home }
}

pub fn remove(id: u128) -> Op {
    Op::RemoveAccount { account: account(id) }
}

pub fn setting(key: &str, value: &str) -> Op {
    Op::Setting { key: key.to_owned(), value: value.as_bytes().to_vec() }
}

/// Small ids differ in their first 32 bits, as random ones do.
pub fn account(id: u128) -> AccountId {
    AccountId(id << 96)
}

pub fn apply(users: &Users, records: &[Record]) {
    for record in records {
        users.apply(users.applied(), record).unwrap();
    }
}

pub fn in_memory(records: &[Record]) -> Users {
    let users = Users::memory();
    apply(&users, records);
    users
}
