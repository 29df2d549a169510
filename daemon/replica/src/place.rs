//! Wishes become records, at the one box that may order them.

use record::limits::LANE_BLOCK;
use record::{
    AccountId, Clock, Entry, EntryId, FlagChange, MailboxId, ModSeq, Op, RequestId, Side, Uid,
    Vector,
};

use crate::Output;
use crate::lanes::{Given, Lane, next_modseq, next_uid};
use crate::limits::{FIRST_LANE_BLOCKS, LANE_LEAD_BLOCKS, PLACEMENTS_AHEAD, WISHES_MAX};
use crate::machine::{Applied, Mode, Pending, Replica, Stage};
use crate::message::Message;
use crate::sabotage::Sabotage;
use crate::wish::{MoveWish, Wish};

impl Replica {
    pub(crate) fn submit(&mut self, request: RequestId, wish: Wish, applied: &dyn Applied) {
        debug_assert!(self.pending.len() < WISHES_MAX, "the node bounds what waits");
        self.clock = self.clock.tick(self.unix_ms);
        let pending = Pending { wish, made: self.clock, stage: Stage::Unasked };
        self.pending.insert(request, pending);
        self.ask(request, applied);
    }

    /// Is there room for one more wish?
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.pending.len() < WISHES_MAX
    }

    /// Everything that nobody has ordered yet, after the view changed.
    pub(crate) fn ask_all(&mut self, applied: &dyn Applied) {
        let unasked: Vec<RequestId> = self
            .pending
            .iter()
            .filter(|(_, p)| p.stage == Stage::Unasked)
            .map(|(request, _)| *request)
            .collect();
        for request in unasked {
            self.ask(request, applied);
        }
        if self.mode == Mode::Both {
            for (request, wish, made) in std::mem::take(&mut self.early_requests) {
                self.peer_request(request, wish, made, applied);
            }
        }
    }

    fn ask(&mut self, request: RequestId, applied: &dyn Applied) {
        if self.is_broken(Sabotage::WishAgesAnew) {
            self.clock = self.clock.tick(self.unix_ms);
        }
        let Some(pending) = self.pending.get(&request) else { return };
        let anew = self.is_broken(Sabotage::WishAgesAnew);
        let (wish, made) = (pending.wish.clone(), if anew { self.clock } else { pending.made });
        if self.is_too_late(&wish, applied) {
            return self.refused(request);
        }
        let unordered = self.mode == Mode::Both && wish.needs_no_order();
        let stage = if unordered || self.may_order(wish.account(), applied) {
            if self.is_too_far_ahead(&wish) {
                return;
            }
            Stage::Written(self.write(wish, Some(made), applied))
        } else if self.mode == Mode::Both {
            self.out.push_back(Output::Send(Message::Request { request, wish, made }));
            Stage::Asked
        } else {
            Stage::Unasked
        };
        if let Some(pending) = self.pending.get_mut(&request) {
            pending.stage = stage;
        }
    }

    /// A request of the peer's clients to this box as the home.
    pub(crate) fn peer_request(
        &mut self,
        request: RequestId,
        wish: Wish,
        made: Clock,
        applied: &dyn Applied,
    ) {
        if self.mode != Mode::Both || self.is_too_far_ahead(&wish) {
            self.early_requests.push((request, wish, made));
            return;
        }
        if self.is_too_late(&wish, applied) {
            return self.out.push_back(Output::Send(Message::Refused { request }));
        }
        // A home that this box does not know yet (the account was made a moment ago) is the peer's
        // word: it holds the record, and so does this box's log.
        // The home has moved to the peer: it orders this itself once it holds that record.
        let moved = wish.account().and_then(|account| self.moved_home(account, applied));
        if moved.is_some_and(|home| home != self.me.side)
            && !self.may_order(wish.account(), applied)
        {
            return;
        }
        let until = self.write(wish, Some(made), applied);
        self.out.push_back(Output::Send(Message::Done { request, until }));
    }

    /// The client's own box or the home has found that it is too late.
    pub(crate) fn refused(&mut self, request: RequestId) {
        if self.pending.remove(&request).is_some() {
            self.out.push_back(Output::Refused { request });
        }
    }

    /// A COPY or MOVE of a message that was expunged meanwhile: its bytes may be gone at either box, so it
    /// gets no new entry. Nor does anything in an account that was removed: that would take the removal back, and
    /// the account's other mail may be gone. A wish that was carried out already, and is asked again, is not too late.
    ///
    /// Both who asks and who orders look, since only one of them may know: see `node::upkeep::agree`.
    fn is_too_late(&self, wish: &Wish, applied: &dyn Applied) -> bool {
        if self.is_broken(Sabotage::DeadBodyCopied) {
            return false;
        }
        let removed = wish.account().is_some_and(|account| applied.is_removed(account));
        let gone = |entry: &Entry| {
            (removed || applied.is_dead(entry.body)) && !self.is_placed(entry.entry, applied)
        };
        match wish {
            Wish::Place { entries, .. } => entries.iter().any(gone),
            Wish::Move { moves, .. } => moves.iter().any(|one| gone(&one.to)),
            _ => false,
        }
    }

    /// In `both` the home gives no UIDs far beyond what the peer has on its disk: a lane of the peer, which
    /// knows no more than that, must not come to lie among them.
    fn is_too_far_ahead(&mut self, wish: &Wish) -> bool {
        let places = wish.places();
        let too_far = places > 0
            && self.mode == Mode::Both
            && !self.ahead.is_empty()
            && self.ahead.len() + places > PLACEMENTS_AHEAD;
        self.held_back |= too_far;
        too_far
    }

    /// The peer has more on its disk.
    pub(crate) fn ahead_of_peer(&mut self, applied: &dyn Applied) {
        let count = self.peer_synced.get(&self.me).copied().unwrap_or(0);
        while self.ahead.front().is_some_and(|index| *index < count) {
            self.ahead.pop_front();
        }
        if self.held_back && self.ahead.len() < PLACEMENTS_AHEAD / 2 {
            self.held_back = false;
            self.ask_all(applied);
        }
    }

    fn may_order(&self, account: Option<AccountId>, applied: &dyn Applied) -> bool {
        match self.mode {
            Mode::Alone => self.session.as_ref().is_none_or(|s| !s.stopped_placing()),
            Mode::Both => {
                let home = account.map_or(Side::A, |account| self.home(account, applied));
                let before = account.map(|account| self.first_home(account, applied));
                let goes_on =
                    self.is_broken(Sabotage::BothPlaceInMove) && before == Some(self.me.side);
                home == self.me.side || goes_on
            }
            Mode::Starting | Mode::Waiting => false,
        }
    }

    /// The home of an account in `both`: the same at both boxes as soon as they hold the same records.
    fn home(&self, account: AccountId, applied: &dyn Applied) -> Side {
        self.moved_home(account, applied).unwrap_or_else(|| self.first_home(account, applied))
    }

    fn first_home(&self, account: AccountId, applied: &dyn Applied) -> Side {
        applied
            .home(account)
            .or_else(|| self.overlay.homes.get(&account).copied())
            .unwrap_or(Side::A)
    }

    fn moved_home(&self, account: AccountId, applied: &dyn Applied) -> Option<Side> {
        let known = [applied.moved(account), self.overlay.moves.get(&account).cloned()];
        let moves = known.into_iter().flatten();
        moves.max_by_key(|(stamp, _)| (stamp.clock, stamp.writer)).map(|(_, home)| home)
    }

    /// This box has become the home of an account: what it asked the old home for, and that did not order
    /// before it wrote the move, it will not order any more.
    pub(crate) fn became_home(&mut self, account: AccountId, applied: &dyn Applied) {
        if self.mode != Mode::Both || !self.may_order(Some(account), applied) {
            return;
        }
        for pending in self.pending.values_mut() {
            if pending.stage == Stage::Asked && pending.wish.account() == Some(account) {
                pending.stage = Stage::Unasked;
            }
        }
        self.ask_all(applied);
    }

    /// What this side has given in the mailbox in the present alone episode; none in `both`.
    fn lane(&self, mailbox: MailboxId, applied: &dyn Applied) -> Option<Lane> {
        let episode = self.episode.filter(|_| self.mode == Mode::Alone)?;
        let lane = self.episodes.lane(episode, mailbox, applied.lane(mailbox, self.me.side));
        Some(lane).filter(|_| !self.is_broken(Sabotage::NoLaneJump))
    }

    /// Writes the wish's records; what must be committed for it to be done.
    fn write(&mut self, wish: Wish, made: Option<Clock>, applied: &dyn Applied) -> Vector {
        let before = self.end;
        self.write_records(wish, made, applied);
        if self.end == before {
            // A repeated wish: its records stand somewhere in the log already, so all of it will do.
            return self.held.clone();
        }
        // Whoever commits this writer's last record has committed everything it had seen.
        self.held.get(&self.me).map(|count| (self.me, *count)).into_iter().collect()
    }

    fn write_records(&mut self, wish: Wish, made: Option<Clock>, applied: &dyn Applied) {
        match wish {
            Wish::Place { account, entries } => {
                for entry in entries {
                    if self.is_placed(entry.entry, applied) {
                        continue;
                    }
                    self.place(account, entry, applied);
                }
            }
            Wish::Flags { .. } if self.is_broken(Sabotage::FlagsForgotten) => {}
            Wish::Flags { account, mailbox, changes } => {
                let modseq = self.modseq(account, mailbox, applied);
                let changes = changes
                    .into_iter()
                    .map(|c| FlagChange { entry: c.entry, modseq, set: c.set, clear: c.clear })
                    .collect();
                self.append(Op::Flags { mailbox, changes, made });
            }
            Wish::Expunge { account, mailbox, entries } => {
                let modseq = self.modseq(account, mailbox, applied);
                self.append(Op::Expunge { mailbox, entries, modseq });
            }
            Wish::Move { account, from, moves } => {
                for one in moves {
                    if self.is_placed(one.to.entry, applied) {
                        continue;
                    }
                    self.write_move(account, from, one, applied);
                }
            }
            Wish::MoveHome { account, home } => {
                // Asked again, it may have moved already.
                if self.home(account, applied) != home {
                    self.append(Op::MoveHome { account, home });
                }
            }
            other => self.write_names(other, made),
        }
    }

    fn write_move(
        &mut self,
        account: AccountId,
        from_mailbox: MailboxId,
        one: MoveWish,
        applied: &dyn Applied,
    ) {
        let MoveWish { from, to: entry } = one;
        let from_modseq = self.modseq(account, from_mailbox, applied);
        let modseq = self.modseq(account, entry.mailbox, applied);
        let uid = self.uid(account, entry.mailbox, applied);
        self.append(Op::Move { entry, uid, modseq, from, from_mailbox, from_modseq });
    }

    fn write_names(&mut self, wish: Wish, made: Option<Clock>) {
        match wish {
            Wish::CreateMailbox { account, mailbox, name, uid_validity } => {
                self.append(Op::CreateMailbox { mailbox, account, name, uid_validity });
            }
            Wish::RenameMailbox { mailbox, name, .. } => {
                self.append(Op::RenameMailbox { mailbox, name });
            }
            Wish::DeleteMailbox { mailbox, .. } => self.append(Op::DeleteMailbox { mailbox }),
            Wish::Subscribe { account, name, subscribed } => {
                self.append(Op::Subscribe { account, name, subscribed });
            }
            Wish::CreateAccount {
                account,
                address,
                home,
                password_hash,
                mailboxes,
                uid_validity,
            } => {
                // The account comes last: a power cut in between leaves none without its INBOX.
                for (number, (mailbox, name)) in (0..).zip(mailboxes) {
                    // One may be given the name of another one day; the last bit tells the sides apart.
                    let uid_validity = uid_validity.saturating_add(2 * number);
                    self.append(Op::CreateMailbox { mailbox, account, name, uid_validity });
                }
                self.append(Op::CreateAccount { account, address, home, password_hash });
            }
            Wish::SetPassword { account, password_hash } => {
                self.append(Op::SetPassword { account, password_hash, made });
            }
            Wish::RemoveAccount { account } => self.append(Op::RemoveAccount { account }),
            Wish::Setting { key, value } => self.append(Op::Setting { key, value }),
            Wish::Queue(outbound) => self.append(Op::Queue(outbound)),
            Wish::Attempt { message, attempt, side } => {
                self.append(Op::Attempt { message, attempt, side });
            }
            Wish::Outcome { message, attempt, recipients } => {
                self.append(Op::Outcome { message, attempt, recipients });
            }
            Wish::Place { .. }
            | Wish::Flags { .. }
            | Wish::Expunge { .. }
            | Wish::Move { .. }
            | Wish::MoveHome { .. } => {
                unreachable!("`write` handles what concerns entries")
            }
        }
    }

    /// The home gives a fresh UID to what some side had to hide: any time, as often as needed.
    pub(crate) fn place_again(
        &mut self,
        account: AccountId,
        entries: Vec<Entry>,
        applied: &dyn Applied,
    ) {
        if !self.may_order(Some(account), applied) || self.is_broken(Sabotage::NoPlacingAgain) {
            return;
        }
        for entry in entries {
            // A placement beyond the applied state is the answer already.
            if !self.overlay.placed.contains_key(&entry.entry) {
                self.place(account, entry, applied);
            }
        }
    }

    /// What follows from the applied state: mailboxes of one name become one, and the like.
    pub(crate) fn work(&mut self, wish: Wish, applied: &dyn Applied) {
        if !self.may_order(wish.account(), applied) {
            return;
        }
        match wish {
            // What it becomes may be there already, by another way.
            Wish::Move { account, from, moves } => {
                for one in moves {
                    self.write_move(account, from, one, applied);
                }
            }
            other => self.write_records(other, None, applied),
        }
    }

    fn place(&mut self, account: AccountId, entry: Entry, applied: &dyn Applied) {
        let modseq = self.modseq(account, entry.mailbox, applied);
        let uid = self.uid(account, entry.mailbox, applied);
        self.append(Op::Place { entry, uid, modseq });
    }

    fn is_placed(&self, entry: EntryId, applied: &dyn Applied) -> bool {
        self.overlay.placed.contains_key(&entry) || applied.placed(entry)
    }

    fn uid(&mut self, account: AccountId, mailbox: MailboxId, applied: &dyn Applied) -> Uid {
        let (top, _) = self.top(account, mailbox, applied);
        let lane = self.lane(mailbox, applied);
        let given = next_uid(top, lane.map(|lane| (self.me.side, lane.uid)));
        self.entered(given, lane.is_some_and(|lane| lane.uid == 0));
        if given.entered {
            self.pace.lane_opened();
        }
        if let Some(first) = lane.map(|lane| lane.first_uid).filter(|first| *first > 0) {
            let lead = given.number.saturating_sub(u64::from(first)) / u64::from(LANE_BLOCK);
            if given.entered && lead > u64::from(LANE_LEAD_BLOCKS - FIRST_LANE_BLOCKS) {
                tracing::error!(%mailbox, lead, "so much mail came while the peer was away that UIDs could \
                    come twice if this disk were lost now");
            }
        }
        // UIDs end at 2^32; the lanes stop jumping long before (`UID_ALARM`).
        Uid(u32::try_from(given.number).expect("UID_ALARM leaves room for every placement"))
    }

    fn modseq(&mut self, account: AccountId, mailbox: MailboxId, applied: &dyn Applied) -> ModSeq {
        let (_, top) = self.top(account, mailbox, applied);
        let lane = self.lane(mailbox, applied);
        let given = next_modseq(top, lane.map(|lane| (self.me.side, lane.modseq)));
        self.entered(given, lane.is_some_and(|lane| lane.modseq == 0));
        ModSeq(given.number)
    }

    /// When the record that is about to be written opens the first lane of an episode, the peer must have
    /// it on its disk before this box leaves its lanes. (Further ones are opened above what the peer itself
    /// gave; two boxes that stamp each other's changes again might do that without an end.)
    fn entered(&mut self, given: Given, first: bool) {
        if given.entered && first {
            let index = self.held.get(&self.me).copied().unwrap_or(0);
            self.lane_records.insert(self.me, index + 1);
        }
    }

    /// The highest numbers known in a mailbox: applied or not, floors included.
    fn top(&self, account: AccountId, mailbox: MailboxId, applied: &dyn Applied) -> (u32, u64) {
        let (a, b) = applied.top(mailbox);
        let (c, d) = self.overlay.tops.get(&mailbox).copied().unwrap_or_default();
        let (e, f) = self.overlay.floors.get(&account).copied().unwrap_or_default();
        (a.max(c).max(e), b.max(d).max(f))
    }

    /// What only the disk `lost` knew is burnt: a floor above it in every mailbox of every account.
    pub(crate) fn write_floors(&mut self, lost: u128, applied: &dyn Applied) {
        let mut tops = std::collections::BTreeMap::<AccountId, (u32, u64)>::new();
        let mut mailboxes = applied.mailboxes();
        mailboxes.extend(self.overlay.accounts.iter().map(|(m, a)| (*a, *m)));
        for (account, mailbox) in mailboxes {
            let (uid, modseq) = self.top(account, mailbox, applied);
            let row = tops.entry(account).or_default();
            *row = (row.0.max(uid), row.1.max(modseq));
        }
        let block = LANE_BLOCK;
        let up = u64::from(crate::limits::FLOOR_BLOCKS);
        for (account, (uid, modseq)) in tops {
            // A new disk that comes and goes without ever having joined gives nothing.
            if applied.burnt(account, lost) || self.overlay.burnt.contains(&(account, lost)) {
                continue;
            }
            let uid = (uid / block).saturating_add(crate::limits::FLOOR_BLOCKS);
            let uid = Uid(uid.saturating_mul(block).min(crate::limits::UID_ALARM));
            let modseq = ModSeq((modseq / u64::from(block) + up) * u64::from(block));
            self.append(Op::Floor { account, uid, modseq, lost });
        }
    }
}
