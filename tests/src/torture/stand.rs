//! A pair with a crowd of clients.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use control::Side;
use control::site::Timing;

use super::books::{Books, Place, Sight};
use super::clients::{Crowd, Door, MAILBOXES, Scene};
use super::disk::Disk;
use super::look::look;
use crate::native::{Account, Imap, Pair, until};

/// Short, so that a round is: the machine's own delays come close to it now and then, and then there is one fault more.
pub const SHORT: Timing = Timing { dead_after_ms: 400, cold_start_wait_ms: 600 };

/// How many clients there are.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub accounts: usize,
    pub senders: usize,
    pub readers: usize,
}

pub struct Stand {
    // Dropped before the pair: its clients end when their servers do.
    crowd: Option<Crowd>,
    pub pair: Pair,
    /// Of a and b, when they have some of their own.
    pub disks: Option<[Disk; 2]>,
    size: Size,
    accounts_made: usize,
}

impl Stand {
    /// With both boxes running, and nobody there yet.
    pub fn new(pair: Pair, disks: Option<[Disk; 2]>, size: Size) -> Stand {
        Stand { crowd: None, pair, disks, size, accounts_made: 0 }
    }

    /// Sends the clients home, if there are any, and lets others come, with new accounts.
    pub fn renew(&mut self, seed: u64) -> Result<()> {
        self.crowd = None;
        let mut accounts = Vec::new();
        for _ in 0..self.size.accounts {
            self.accounts_made += 1;
            accounts.push(self.pair.add_account(&format!("user{}", self.accounts_made))?);
        }
        let scene = Scene::new(doors(&self.pair), accounts);
        self.crowd = Some(Crowd::start(scene, self.size.senders, self.size.readers, seed));
        Ok(())
    }

    pub fn books(&self) -> &Books {
        &self.scene().books
    }

    fn scene(&self) -> &Scene {
        &self.crowd.as_ref().expect("renewed at first").scene
    }

    /// Waits for the view `both` and for equal boxes while no client moves, then reads everything at both.
    pub fn look(&mut self) -> Result<()> {
        self.pair.wait_both()?;
        let scene = self.crowd.as_ref().context("nobody is there")?.scene.clone();
        let _quiet = scene.gate.write().expect("nobody panics at the gate");
        self.pair.wait_both()?;
        self.pair.wait_equal()?;
        thread::scope(|threads| {
            let readers = scene.doors.map(|door| {
                threads.spawn({
                    let scene = &scene;
                    move || look_at(scene, door)
                })
            });
            for reader in readers {
                reader.join().map_err(|_| anyhow::anyhow!("a reader panicked"))??;
            }
            Ok(())
        })
    }

    /// An error when a box has ended by itself.
    pub fn check_alive(&mut self) -> Result<()> {
        for side in [Side::A, Side::B] {
            if let Some(status) = self.pair.get_mut(side).ended()? {
                bail!("box {side} ended by itself with {status}");
            }
        }
        Ok(())
    }

    /// Copies the folders of both boxes, to be looked at by a person.
    pub fn keep(&self, name: &str) -> Result<PathBuf> {
        let to = Path::new("build/torture").join(name);
        std::fs::create_dir_all(&to)?;
        for side in [Side::A, Side::B] {
            let from = self.pair.get(side).folder();
            let status = Command::new("cp").arg("-a").args([from, &to]).status()?;
            ensure!(status.success(), "cp -a {} failed", from.display());
        }
        Ok(to)
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        for side in [Side::A, Side::B] {
            // It may be down already.
            let _ = self.pair.get_mut(side).kill();
        }
        // The clients end now; then the disks go, and the pair's folder last.
        self.crowd = None;
        self.disks = None;
    }
}

pub fn doors(pair: &Pair) -> [Door; 2] {
    [Side::A, Side::B].map(|side| {
        let at = pair.get(side);
        Door { side, smtp: at.port(25), imaps: at.port(993) }
    })
}

/// Reads all mailboxes of all accounts at a box, and judges.
pub fn look_at(scene: &Scene, door: Door) -> Result<()> {
    let mut found: Vec<(Place, Vec<Sight>)> = Vec::new();
    for (index, account) in scene.accounts.iter().enumerate() {
        // A false alarm of a busy machine may take a box out of the view for a moment.
        let mut imap = until("a login", || Imap::login_at(door.imaps, account).map(Some))?;
        found.extend(look_all(&scene.books, &mut imap, door.side, index, account)?);
    }
    scene.books.judge(door.side, &found);
    Ok(())
}

fn look_all(
    books: &Books,
    imap: &mut Imap,
    side: Side,
    index: usize,
    account: &Account,
) -> Result<Vec<(Place, Vec<Sight>)>> {
    let look = |mailbox| {
        let place = (index, mailbox);
        let sights = look(books, imap, side, place)
            .with_context(|| format!("{mailbox} of {} at box {side}", account.address))?;
        Ok((place, sights))
    };
    MAILBOXES.into_iter().map(look).collect()
}
