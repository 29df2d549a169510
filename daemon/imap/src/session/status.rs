//! STATUS (RFC 9051 §6.3.11).

use super::{Report, Session};
use crate::ask::{Answer, Ask, Status};
use crate::parse::StatusItem;
use crate::write;

impl Session {
    pub(super) fn status(&mut self, tag: String, name: String, items: Vec<StatusItem>) {
        self.look_up(tag, name, "NONEXISTENT", move |session, tag, found| {
            session.ask(Ask::Status { mailbox: found.id }, move |session, answer| match answer {
                Answer::Status(status) => {
                    session.status_line(&found.name, &status, &items);
                    session.finish(tag, "OK STATUS done", Report::default());
                }
                other => session.failed(tag, other),
            });
        });
    }

    pub(super) fn status_line(&mut self, name: &str, status: &Status, items: &[StatusItem]) {
        let shown: Vec<String> = items.iter().map(|item| shown(*item, status)).collect();
        self.untagged(&format!("STATUS {} ({})", write::mailbox(name), shown.join(" ")));
    }
}

fn shown(item: StatusItem, status: &Status) -> String {
    match item {
        StatusItem::Messages => format!("MESSAGES {}", status.messages),
        StatusItem::Recent => "RECENT 0".to_owned(),
        StatusItem::UidNext => format!("UIDNEXT {}", status.uid_next),
        StatusItem::UidValidity => format!("UIDVALIDITY {}", status.uid_validity),
        StatusItem::Unseen => format!("UNSEEN {}", status.unseen),
        StatusItem::Deleted => format!("DELETED {}", status.deleted),
        StatusItem::Size => format!("SIZE {}", status.size),
    }
}
