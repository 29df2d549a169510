//! Which command runs in which state, and those that are too short for a file: CAPABILITY, NOOP, CHECK,
//! LOGOUT, ID, ENABLE, NAMESPACE (RFC 9051 §6).

use super::{Report, Session, State};
use crate::parse::Command;

impl Session {
    /// Which commands belong to which state: RFC 9051 §6.
    pub(super) fn run(&mut self, tag: String, command: Command) {
        let command = match command {
            Command::Capability => return self.capability(&tag),
            Command::Noop => return self.noop(tag, "NOOP done"),
            Command::Logout => return self.logout(&tag),
            Command::Id => return self.id(&tag),
            command => command,
        };
        match self.state {
            State::NotAuthenticated => self.run_unauthenticated(tag, command),
            State::Authenticated => self.run_authenticated(tag, command),
            State::Selected(_) => self.run_selected(tag, command),
        }
    }

    fn run_unauthenticated(&mut self, tag: String, command: Command) {
        match command {
            Command::StartTls => self.starttls(&tag),
            Command::Login { user, password } => self.login(tag, user, password),
            Command::Authenticate { mechanism, initial } => {
                self.authenticate(tag, &mechanism, initial);
            }
            _ => self.bad(Some(tag), "log in first"),
        }
    }

    fn run_authenticated(&mut self, tag: String, command: Command) {
        match command {
            Command::Enable => {
                self.untagged("ENABLED");
                self.finish(tag, "OK ENABLE done", Report::default());
            }
            Command::Select { mailbox, read_only } => self.select(tag, mailbox, read_only),
            Command::List(list) => self.list(tag, list),
            Command::Lsub(list) => self.lsub(tag, list),
            Command::Subscribe { mailbox, subscribed } => self.subscribe(tag, mailbox, subscribed),
            Command::Create { mailbox } => self.create(tag, mailbox),
            Command::Delete { mailbox } => self.delete(tag, mailbox),
            Command::Rename { from, to } => self.rename(tag, from, to),
            Command::Status { mailbox, items } => self.status(tag, mailbox, items),
            Command::Namespace => {
                self.untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
                self.finish(tag, "OK NAMESPACE done", Report::default());
            }
            Command::Append(append) => self.append(tag, append),
            Command::Idle => self.start_idle(tag),
            Command::StartTls | Command::Login { .. } | Command::Authenticate { .. } => {
                self.bad(Some(tag), "you are logged in already");
            }
            _ => self.bad(Some(tag), "select a mailbox first"),
        }
    }

    fn run_selected(&mut self, tag: String, command: Command) {
        match command {
            Command::Check => self.noop(tag, "CHECK done"),
            Command::Unselect => self.unselect(&tag),
            Command::Close => self.close(tag),
            Command::Fetch { uid, set, items } => self.fetch(tag, uid, &set, items),
            Command::Store { uid, store } => self.store(tag, uid, store),
            Command::Copy { uid, set, mailbox, and_remove } => {
                self.copy(tag, uid, &set, mailbox, and_remove);
            }
            Command::Expunge { uids } => self.expunge(tag, uids),
            Command::Search { uid, search } => self.search(tag, uid, search),
            Command::SearchCharset => {
                let text = "NO [BADCHARSET (US-ASCII UTF-8)] this character set is not known";
                self.finish(tag, text, Report { hold_expunges: true, ..Report::default() });
            }
            command => self.run_authenticated(tag, command),
        }
    }

    fn capability(&mut self, tag: &str) {
        let capabilities = self.capabilities();
        self.untagged(&format!("CAPABILITY {capabilities}"));
        self.tagged(tag, "OK CAPABILITY done");
    }

    /// What this session can do now (RFC 9051 §6.1.1). The `AUTH=` ones only where passwords are safe.
    pub(super) fn capabilities(&self) -> String {
        let access = match (&self.state, self.tls) {
            (State::NotAuthenticated, true) => " AUTH=PLAIN AUTH=LOGIN",
            (State::NotAuthenticated, false) => " STARTTLS LOGINDISABLED",
            _ => "",
        };
        let limit = self.config.limits.message_bytes_max;
        format!(
            "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN \
             SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH APPENDLIMIT={limit}{access}"
        )
    }

    fn noop(&mut self, tag: String, done: &str) {
        self.finish(tag, &format!("OK {done}"), Report { look: true, ..Report::default() });
    }

    fn logout(&mut self, tag: &str) {
        self.untagged("BYE until next time");
        self.tagged(tag, "OK LOGOUT done");
        self.end();
    }

    /// `ID` (RFC 2971).
    fn id(&mut self, tag: &str) {
        self.untagged("ID (\"name\" \"twinpost\")");
        self.tagged(tag, "OK ID done");
    }
}
