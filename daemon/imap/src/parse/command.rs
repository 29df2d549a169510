//! The commands and what each takes.

use super::append::{Append, append};
use super::cursor::Cursor;
use super::fetch::{Item, items};
use super::list::{List, list, lsub};
use super::search::{Problem, Search, search};
use super::store::{Store, store};
use super::{Error, Result, SequenceSet, tag};
use crate::ask::Password;
use crate::reader::Piece;

/// A command with a right syntax. `uid` says that it came with the prefix UID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Capability,
    Noop,
    Check,
    Logout,
    Id,
    StartTls,
    Login {
        user: String,
        password: Password,
    },
    Authenticate {
        mechanism: String,
        initial: Option<String>,
    },
    Enable,
    Select {
        mailbox: String,
        read_only: bool,
    },
    Unselect,
    Close,
    List(List),
    Lsub(List),
    Subscribe {
        mailbox: String,
        subscribed: bool,
    },
    Create {
        mailbox: String,
    },
    Delete {
        mailbox: String,
    },
    Rename {
        from: String,
        to: String,
    },
    Status {
        mailbox: String,
        items: Vec<StatusItem>,
    },
    Namespace,
    Append(Append),
    Idle,
    Fetch {
        uid: bool,
        set: SequenceSet,
        items: Vec<Item>,
    },
    Store {
        uid: bool,
        store: Store,
    },
    Copy {
        uid: bool,
        set: SequenceSet,
        mailbox: String,
        and_remove: bool,
    },
    /// With the UIDs it is limited to (RFC 4315).
    Expunge {
        uids: Option<SequenceSet>,
    },
    Search {
        uid: bool,
        search: Search,
    },
    /// A SEARCH in a character set that nobody here knows.
    SearchCharset,
}

/// One number of a STATUS (RFC 9051 §6.3.11; DELETED and SIZE from there).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    Size,
}

/// Reads a command. The tag is given also where the rest is wrong, so that the client can be told
/// which command it was.
pub fn command(
    pieces: Vec<Piece>,
) -> std::result::Result<(String, Command), (Option<String>, Error)> {
    let mut cursor = Cursor::new(pieces);
    let tag =
        tag(cursor.take_while(|byte| byte != b' ')).ok_or((None, Error("the tag is wrong")))?;
    match tagged(&mut cursor) {
        Ok(command) => Ok((tag, command)),
        Err(error) => Err((Some(tag), error)),
    }
}

fn tagged(cursor: &mut Cursor) -> Result<Command> {
    cursor.space().map_err(|_| Error("a command is missing"))?;
    let mut verb = cursor.word();
    let uid = verb == "UID";
    if uid {
        cursor.space()?;
        verb = cursor.word();
    }
    let command = match without_arguments(&verb) {
        Some(command) if !uid => command,
        _ => {
            if cursor.peek() == Some(b' ') {
                cursor.space()?;
            }
            match uid {
                true => with_uid(&verb, cursor)?,
                false => with_arguments(&verb, cursor)?,
            }
        }
    };
    if command != Command::Id {
        cursor.end()?;
    }
    Ok(command)
}

fn without_arguments(verb: &str) -> Option<Command> {
    Some(match verb {
        "CAPABILITY" => Command::Capability,
        "NOOP" => Command::Noop,
        "CHECK" => Command::Check,
        "LOGOUT" => Command::Logout,
        "ID" => Command::Id, // what clients say about themselves is not used
        "STARTTLS" => Command::StartTls,
        "UNSELECT" => Command::Unselect,
        "CLOSE" => Command::Close,
        "NAMESPACE" => Command::Namespace,
        "IDLE" => Command::Idle,
        "EXPUNGE" => Command::Expunge { uids: None },
        _ => return None,
    })
}

fn with_arguments(verb: &str, cursor: &mut Cursor) -> Result<Command> {
    Ok(match verb {
        "LOGIN" => login(cursor)?,
        "AUTHENTICATE" => authenticate(cursor)?,
        "ENABLE" => enable(cursor)?,
        "SELECT" => Command::Select { mailbox: cursor.mailbox()?, read_only: false },
        "EXAMINE" => Command::Select { mailbox: cursor.mailbox()?, read_only: true },
        "LIST" => Command::List(list(cursor)?),
        "LSUB" => Command::Lsub(lsub(cursor)?),
        "SUBSCRIBE" => Command::Subscribe { mailbox: cursor.mailbox()?, subscribed: true },
        "UNSUBSCRIBE" => Command::Subscribe { mailbox: cursor.mailbox()?, subscribed: false },
        "CREATE" => Command::Create { mailbox: cursor.mailbox()? },
        "DELETE" => Command::Delete { mailbox: cursor.mailbox()? },
        "RENAME" => rename(cursor)?,
        "STATUS" => status(cursor)?,
        "APPEND" => Command::Append(append(cursor)?),
        _ => return with_messages(verb, false, cursor),
    })
}

/// `uid = "UID" SP (copy / move / fetch / search / store / uid-expunge)`
fn with_uid(verb: &str, cursor: &mut Cursor) -> Result<Command> {
    match verb {
        "EXPUNGE" => Ok(Command::Expunge { uids: Some(SequenceSet::parse(cursor)?) }),
        _ => with_messages(verb, true, cursor),
    }
}

fn with_messages(verb: &str, uid: bool, cursor: &mut Cursor) -> Result<Command> {
    Ok(match verb {
        "FETCH" => {
            let set = SequenceSet::parse(cursor)?;
            cursor.space()?;
            Command::Fetch { uid, set, items: items(cursor)? }
        }
        "STORE" => Command::Store { uid, store: store(cursor)? },
        "COPY" | "MOVE" => {
            let set = SequenceSet::parse(cursor)?;
            cursor.space()?;
            let mailbox = cursor.mailbox()?;
            Command::Copy { uid, set, mailbox, and_remove: verb == "MOVE" }
        }
        "SEARCH" => match search(cursor) {
            Ok(search) => Command::Search { uid, search },
            Err(Problem::Syntax(error)) => return Err(error),
            Err(Problem::Charset) => {
                cursor.take_while(|_| true);
                while cursor.literal().is_some() {
                    cursor.take_while(|_| true);
                }
                Command::SearchCharset
            }
        },
        _ => return Err(Error("there is no such command")),
    })
}

/// `login = "LOGIN" SP userid SP password`, both `astring`
fn login(cursor: &mut Cursor) -> Result<Command> {
    let user = cursor.text()?;
    cursor.space()?;
    let password = Password::new(cursor.text()?);
    Ok(Command::Login { user, password })
}

/// `authenticate = "AUTHENTICATE" SP auth-type [SP ("=" / base64)]` (RFC 4959)
fn authenticate(cursor: &mut Cursor) -> Result<Command> {
    let mechanism = cursor.word();
    let mut initial = None;
    cursor.spaces();
    if cursor.peek().is_some() {
        let response = cursor.take_while(|byte| byte != b' ');
        initial = Some(String::from_utf8_lossy(response).into_owned());
    }
    Ok(Command::Authenticate { mechanism, initial })
}

/// `enable = "ENABLE" 1*(SP capability)` (RFC 5161). There is nothing to enable here yet.
fn enable(cursor: &mut Cursor) -> Result<Command> {
    cursor.atom()?;
    while cursor.skip(b' ') {
        cursor.spaces();
        if cursor.peek().is_some() {
            cursor.atom()?;
        }
    }
    Ok(Command::Enable)
}

/// `rename = "RENAME" SP mailbox SP mailbox`
fn rename(cursor: &mut Cursor) -> Result<Command> {
    let from = cursor.mailbox()?;
    cursor.space()?;
    Ok(Command::Rename { from, to: cursor.mailbox()? })
}

/// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
fn status(cursor: &mut Cursor) -> Result<Command> {
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    Ok(Command::Status { mailbox, items: status_items(cursor)? })
}

pub fn status_items(cursor: &mut Cursor) -> Result<Vec<StatusItem>> {
    cursor.list(16, |cursor| {
        Ok(match cursor.word().as_str() {
            "MESSAGES" => StatusItem::Messages,
            "RECENT" => StatusItem::Recent,
            "UIDNEXT" => StatusItem::UidNext,
            "UIDVALIDITY" => StatusItem::UidValidity,
            "UNSEEN" => StatusItem::Unseen,
            "DELETED" => StatusItem::Deleted,
            "SIZE" => StatusItem::Size,
            _ => return Err(Error("there is no such status item")),
        })
    })
}
