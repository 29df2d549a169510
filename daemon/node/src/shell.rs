//! A core on its own thread, with a committer, an applier and the doors that sessions and link use.
//!
//! | thread | does |
//! |---|---|
//! | node | the loop: one turn for each input, never waits for a disk to sync or for the index |
//! | committer (`journal`) | group commit |
//! | upkeep (`upkeep::thread`) | scrub, mending, reclaim |
//! | applier (`applier`) | committed records into index and users, checkpoints, comparison with the peer |

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::mpsc as thread_mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use journal::{Committer, Config as LogConfig, Damaged, Log, Position, RealDisk};
use mailbox::Index;
use record::{Formats, RequestId, Side};
use replica::{Hello, Message, Mode, Wish};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use users::Users;

use crate::applier::{Applier, Comparison, Told as PeerDigest};
use crate::body::Body;
use crate::core::{Answer, Core, Input, Output, Place, Start};
use crate::end::End;
use crate::facts::FactsKeeper;
use crate::handle::{Error, Handle, Progress, Shared};
use crate::limits::{BEHIND_BYTES_MAX, CHANGES_QUEUE, LOOP_QUEUE, RESTORE_READ_BYTES};
use crate::upkeep::thread::Upkeep;
use crate::upkeep::{Pace, Work};

/// What a node starts from.
pub struct Config {
    pub side: Side,
    /// Holds `log/`, `index.redb` and `users/`.
    pub directory: PathBuf,
    /// The disk has never joined its pair.
    pub blank: bool,
    /// It may serve alone: it has joined, or pairing marked it as the first, or the admin forced it.
    pub may_serve_alone: bool,
    /// The record formats of the program.
    pub formats: Formats,
    pub pace: Pace,
    /// Called on the thread of the upkeep when it starts: lowers its priority.
    pub stand_back: fn(),
}

type Done = oneshot::Sender<Result<(), Error>>;

/// One input of the loop.
pub(crate) enum Turn {
    Submit {
        request: RequestId,
        wish: Wish,
        done: Done,
    },
    Deliver {
        body: Body,
        places: Vec<Place>,
        answer: Answer,
        dones: Vec<Done>,
    },
    Hello {
        reply: oneshot::Sender<Hello>,
    },
    LinkUp {
        peer: Hello,
        send: mpsc::UnboundedSender<Message>,
        reply: oneshot::Sender<u64>,
    },
    LinkDown {
        session: u64,
    },
    Link {
        session: u64,
        message: Message,
    },
    Synced {
        end: u64,
    },
    Applied {
        end: u64,
    },
    GoAlone {
        forced: bool,
    },
    EndSession,
    Bless {
        format: u16,
    },
    Tick {
        reply: oneshot::Sender<()>,
    },
    /// A word of the applier to the peer.
    Tell {
        message: Message,
    },
    Again,
    /// The disk has no room for what the peer sends.
    NoRoom,
    Damaged(Vec<Damaged>),
    Mended {
        position: u64,
        done: bool,
    },
    AskWhatIsDead,
    Stop,
}

/// A running node; dropping it without [`Running::stop`] is a crash as far as the disk is concerned.
pub struct Running {
    pub handle: Handle,
    thread: std::thread::JoinHandle<()>,
}

impl Running {
    /// Flushes and ends.
    pub async fn stop(self) {
        // A loop that ended already needs no word.
        let _ = self.handle.turns.send(Turn::Stop).await;
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

/// Opens the stores and starts the threads.
///
/// # Errors
/// What could not be opened, and why.
pub fn start(config: &Config) -> anyhow::Result<Running> {
    let (log, index, users, damaged) = open(&config.directory)?;
    let start = Start {
        side: config.side,
        incarnation: Handle::new_id(),
        unix_ms: unix_ms(),
        formats: config.formats.clone(),
        blank: config.blank,
        may_serve_alone: config.may_serve_alone,
    };
    let core = Core::open(&start, log.clone(), index.clone(), users.clone())?;
    let (turns, inbox) = mpsc::channel(LOOP_QUEUE);
    let (mode_send, mode) = watch::channel(Mode::Starting);
    let (serving_send, serving) = watch::channel(false);
    let Start { blank, may_serve_alone, .. } = start;
    let begun = Progress { blank, may_serve_alone, ..Progress::default() };
    let (progress_send, progress) = watch::channel(begun);
    let (changes, _) = broadcast::channel(CHANGES_QUEUE);
    let (comparison, _) = watch::channel(Comparison::default());
    let shared = Arc::new(Shared {
        side: config.side,
        log,
        index,
        users,
        mode,
        serving,
        progress,
        changes,
        comparison,
        uid_validity: AtomicU32::new(0),
        end: End::new(),
        no_room: AtomicBool::new(false),
        upkeep: Mutex::default(),
        put_off: Mutex::default(),
        bodies: Mutex::default(),
        facts: FactsKeeper::default(),
        passwords: Mutex::default(),
    });
    let handle = Handle { turns: turns.clone(), shared: shared.clone() };
    let (work_send, work) = thread_mpsc::channel();
    let in_a_hurry = !damaged.is_empty();
    let (pace, directory) = (config.pace, &config.directory);
    let upkeep = Upkeep::new(shared.clone(), turns.clone(), pace, in_a_hurry, directory);
    let stand_back = config.stand_back;
    std::thread::Builder::new().name("upkeep".into()).spawn(move || {
        stand_back();
        upkeep.run(&work);
    })?;
    let thread = std::thread::Builder::new().name("node".into()).spawn(move || {
        // Where a panic does not end the program by itself.
        let _end = EndOnPanic;
        let told = Told { mode: mode_send, serving: serving_send, progress: progress_send };
        let mut node = Loop::new(core, turns, shared, told, work_send);
        node.turn(Turn::Damaged(damaged));
        node.run(inbox);
    })?;
    Ok(Running { handle, thread })
}

type Stores = (Arc<Log<RealDisk>>, Arc<Index>, Arc<Users>, Vec<Damaged>);

fn open(directory: &Path) -> anyhow::Result<Stores> {
    let log_directory = directory.join("log");
    std::fs::create_dir_all(&log_directory)?;
    let disk = RealDisk::open(&log_directory)?;
    let (log, recovery) = Log::open(disk, LogConfig::new(Handle::new_id()))?;
    if recovery.torn_tail_bytes > 0 {
        tracing::info!(bytes = recovery.torn_tail_bytes, "a torn tail was cut off the log");
    }
    for damaged in &recovery.damaged {
        tracing::error!(?damaged, "a record is damaged");
    }
    let index = Index::open_redb(directory.join("index.redb"), recovery.log_id)?;
    let users = Users::open_sled(directory.join("users"), recovery.log_id)?;
    let mut damaged = recovery.damaged;
    // One record for all of them: the upkeep finds the others.
    damaged.extend(recovery.lost_segments.iter().map(|first| log.damaged_at(*first)));
    Ok((log, Arc::new(index), Arc::new(users), damaged))
}

/// Makes the log of a blank disk of a backup; how many records that is. Index and user store are built of
/// it at the start. `directory` as in [`Config`].
///
/// # Errors
/// When mail is there, or the backup is not whole; nothing is there afterwards.
pub fn restore(input: impl Read, directory: &Path) -> anyhow::Result<u64> {
    let log_directory = directory.join("log");
    std::fs::create_dir_all(&log_directory)?;
    let input = BufReader::with_capacity(RESTORE_READ_BYTES, input);
    let disk = RealDisk::open(&log_directory)?;
    let recovery = journal::backup::restore(input, disk, LogConfig::new(Handle::new_id()))?;
    Ok(recovery.vector.values().sum())
}

/// Unix milliseconds.
fn unix_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// A loop that broke a rule of its own must not leave the rest of the program behind.
struct EndOnPanic;

impl Drop for EndOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// What everybody may watch.
struct Told {
    mode: watch::Sender<Mode>,
    serving: watch::Sender<bool>,
    progress: watch::Sender<Progress>,
}

struct Loop {
    core: Core<RealDisk>,
    shared: Arc<Shared>,
    turns: mpsc::Sender<Turn>,
    told: Told,
    waiting: HashMap<RequestId, Done>,
    session: u64,
    link: Option<mpsc::UnboundedSender<Message>>,
    applier: thread_mpsc::Sender<u64>,
    upkeep: thread_mpsc::Sender<Work>,
    applied: u64,
    peer_digest: Arc<Mutex<Option<PeerDigest>>>,
}

impl Loop {
    fn new(
        core: Core<RealDisk>,
        turns: mpsc::Sender<Turn>,
        shared: Arc<Shared>,
        told: Told,
        upkeep: thread_mpsc::Sender<Work>,
    ) -> Loop {
        let (applier, ends) = thread_mpsc::channel();
        let peer_digest = Arc::new(Mutex::new(None));
        let applied = shared.index.applied().min(shared.users.applied());
        let thread = Applier::new(shared.clone(), turns.clone(), peer_digest.clone());
        std::thread::Builder::new()
            .name("applier".into())
            .spawn(move || thread.run(&ends))
            .expect("a thread can be started at the start");
        Loop {
            core,
            shared,
            turns,
            told,
            waiting: HashMap::new(),
            session: 0,
            link: None,
            applier,
            upkeep,
            applied,
            peer_digest,
        }
    }

    fn run(mut self, mut inbox: mpsc::Receiver<Turn>) {
        let (back, shared) = (self.turns.clone(), self.shared.clone());
        let committer = Committer::spawn(self.core.log().clone(), move |synced| match synced {
            // The loop may have ended: then nobody waits for this.
            Ok(Position(end)) => drop(back.blocking_send(Turn::Synced { end })),
            Err(error @ journal::Error::DiskFull { .. }) => {
                tracing::error!(%error, "the disk is full; nothing is acknowledged until there is room");
            }
            Err(error) => shared.end.here(&error.to_string()),
        })
        .expect("threads can be started at the start");
        while let Some(turn) = inbox.blocking_recv() {
            match turn {
                Turn::Stop => break,
                turn => self.turn(turn),
            }
            self.outputs();
            self.report();
        }
        // Whoever waits for room in the queue hears that the loop has ended.
        drop(inbox);
        drop(committer);
    }

    fn turn(&mut self, turn: Turn) {
        let now = Instant::now();
        self.core.handle(now, Input::WallClock { unix_ms: unix_ms() });
        match turn {
            Turn::Submit { request, wish, done } => {
                if !self.core.replica_state().has_room() {
                    let _ = done.send(Err(Error::Busy));
                    return;
                }
                self.waiting.insert(request, done);
                self.core.handle(now, Input::Submit { request, wish, answer: Answer::AtApply });
            }
            Turn::Deliver { body, places, answer, dones } => {
                let behind = self.core.log().unwritten_bytes() > BEHIND_BYTES_MAX;
                if behind || !self.core.replica_state().has_room() {
                    dones.into_iter().for_each(|done| drop(done.send(Err(Error::Busy))));
                    return;
                }
                let requests = places.iter().map(|p| p.request);
                self.waiting.extend(requests.zip(dones));
                self.core.handle(now, Input::Deliver { body, places, answer });
            }
            Turn::Hello { reply } => drop(reply.send(self.core.hello())),
            Turn::LinkUp { peer, send, reply } => {
                self.session += 1;
                self.link = Some(send);
                let _ = reply.send(self.session);
                self.core.handle(now, Input::LinkUp { peer });
            }
            Turn::LinkDown { session } if session == self.session && self.link.is_some() => {
                self.link = None;
                self.core.handle(now, Input::LinkDown);
            }
            Turn::Link { session, message } if session == self.session => match message {
                Message::Digest { applied, digest, rebuilt } => {
                    let told = PeerDigest { applied, digest, rebuilt };
                    *self.peer_digest.lock().expect("no holder panics") = Some(told);
                }
                other => self.core.handle(now, Input::Link(other)),
            },
            // A session that is no more.
            Turn::LinkDown { .. } | Turn::Link { .. } => {}
            Turn::Synced { end } => self.core.handle(now, Input::Synced { end }),
            Turn::Applied { end } => {
                self.applied = end;
                self.core.handle(now, Input::Applied { end });
            }
            Turn::GoAlone { forced } => self.core.handle(now, Input::GoAlone { forced }),
            Turn::EndSession => self.core.handle(now, Input::EndSession),
            Turn::Bless { format } => self.core.handle(now, Input::Bless { format }),
            Turn::Tick { reply } => drop(reply.send(())),
            Turn::Tell { message } => {
                if let Some(link) = &self.link {
                    // The link's task may just have ended.
                    let _ = link.send(message);
                }
            }
            Turn::NoRoom if self.link.take().is_some() => self.core.handle(now, Input::LinkDown),
            Turn::NoRoom => {}
            Turn::Damaged(found) => self.core.handle(now, Input::Damaged(found)),
            Turn::Mended { position, done } => {
                self.core.handle(now, Input::Mended { position, done });
            }
            Turn::AskWhatIsDead => self.core.handle(now, Input::AskWhatIsDead),
            // The wall clock above pumped already.
            Turn::Again | Turn::Stop => {}
        }
    }

    fn outputs(&mut self) {
        while let Some(output) = self.core.poll() {
            match output {
                Output::Send(message) => {
                    if let Some(link) = &self.link {
                        // The link's task may just have ended; its LinkDown is on the way.
                        let _ = link.send(message);
                    }
                }
                Output::Apply { end } => drop(self.applier.send(end)),
                Output::Done { request } => {
                    if let Some(done) = self.waiting.remove(&request) {
                        // The client may have gone away.
                        let _ = done.send(Ok(()));
                    }
                }
                Output::Refused { request } => {
                    if let Some(done) = self.waiting.remove(&request) {
                        let _ = done.send(Err(Error::Gone));
                    }
                }
                Output::Mode(mode) => drop(self.told.mode.send(mode)),
                Output::Serving => drop(self.told.serving.send(true)),
                Output::EndSession { reason } => {
                    tracing::warn!(%reason, "the session of the link ends");
                    self.link = None;
                }
                // Without its thread nothing is kept up, and all else goes on.
                Output::Mend { damaged, frames } => {
                    drop(self.upkeep.send(Work::Mend { damaged, frames }));
                }
                Output::Agreed(agreed) => drop(self.upkeep.send(Work::Agreed(agreed))),
                // A full queue brings the loop round anyway.
                Output::Again => drop(self.turns.try_send(Turn::Again)),
                Output::Failed { reason } => self.shared.end.here(&reason),
            }
        }
    }

    fn report(&mut self) {
        let damage = self.core.damage();
        if damage != self.told.progress.borrow().damage {
            *self.shared.put_off.lock().expect("no holder panics") = self.core.put_off().collect();
        }
        let replica = self.core.replica_state();
        let held = replica.held();
        let peer_lacks = replica.in_session().then(|| {
            let peer = replica.peer_synced();
            held.iter().map(|(w, n)| n.saturating_sub(peer.get(w).copied().unwrap_or(0))).sum()
        });
        let progress = Progress {
            end: self.core.log().end().0,
            synced: self.core.log().synced().0,
            committed: replica.committed(),
            applied: self.applied,
            peer_lacks,
            peer_synced: replica.peer_synced().values().sum(),
            wishes_waiting: replica.pending(),
            in_session: replica.in_session(),
            blank: replica.blank(),
            may_serve_alone: replica.may_serve_alone(),
            damage,
            format: replica.format(),
        };
        self.told.progress.send_replace(progress);
    }
}
