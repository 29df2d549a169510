//! A kernel's software port (TAP): a box that is a network namespace instead of a QEMU, or a machine at
//! a port of the switch of its own. Each read and each write is one frame.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::wiring::{Outbox, Wiring};
use crate::framing::Frame;
use crate::limits::{FRAME_BYTES_MAX, FRAME_BYTES_MIN, PLUG_FRAMES_AT_ONCE};
use crate::names::Nic;

/// After an error other than "not now" the port is tried again: it may be switched off.
const RETRY: Duration = Duration::from_millis(5);

/// Where a port's frames go, and where those for it wait.
#[derive(Clone)]
enum Place {
    Box(Nic),
    Switch { port: usize, waiting: Rc<RefCell<Outbox>> },
}

/// Moves the port's frames from now on, for as long as the rack stands.
pub fn plug(tap: OwnedFd, nic: Option<Nic>, wiring: &Rc<RefCell<Wiring>>) -> io::Result<()> {
    #[allow(
        deprecated,
        reason = "sound for a `File`, which keeps its descriptor; what follows it is `unsafe`"
    )]
    let tap = Rc::new(AsyncFd::new(File::from(tap))?);
    let (place, filled) = match nic {
        Some(nic) => {
            wiring.borrow_mut().set_attached(nic, true);
            (Place::Box(nic), wiring.borrow().filled(nic))
        }
        None => {
            let (port, waiting, filled) = wiring.borrow_mut().add_host();
            (Place::Switch { port, waiting }, filled)
        }
    };
    spawn_local(take_frames(tap.clone(), place.clone(), wiring.clone()));
    spawn_local(give_frames(tap, place, filled, wiring.clone()));
    Ok(())
}

async fn take_frames(tap: Rc<AsyncFd<File>>, place: Place, wiring: Rc<RefCell<Wiring>>) {
    let mut buffer = vec![0; FRAME_BYTES_MAX];
    loop {
        let Ok(mut ready) = tap.readable().await else { return };
        // Others get their turn also while a port sends without end.
        for _ in 0..PLUG_FRAMES_AT_ONCE {
            match ready.try_io(|tap| tap.get_ref().read(&mut buffer)) {
                Ok(Ok(length)) if length < FRAME_BYTES_MIN => {}
                Ok(Ok(length)) => {
                    let (now, frame) = (Instant::now(), Frame::from(&buffer[..length]));
                    let mut wiring = wiring.borrow_mut();
                    match place {
                        Place::Box(nic) => wiring.sent_by_box(now, nic, frame),
                        Place::Switch { port, .. } => wiring.sent_by_host(now, port, frame),
                    }
                }
                Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                Ok(Err(_)) => {
                    tokio::time::sleep(RETRY).await;
                    break;
                }
                Err(_not_now) => break,
            }
        }
        tokio::task::yield_now().await;
    }
}

async fn give_frames(
    tap: Rc<AsyncFd<File>>,
    place: Place,
    filled: Rc<Notify>,
    wiring: Rc<RefCell<Wiring>>,
) {
    loop {
        filled.notified().await;
        loop {
            let frame = match &place {
                Place::Box(nic) => wiring.borrow_mut().pop(*nic),
                Place::Switch { waiting, .. } => waiting.borrow_mut().pop(),
            };
            let Some(frame) = frame else { break };
            // A port that is switched off takes nothing: as a cable, this loses the frame.
            _ = tap.get_ref().write(&frame);
        }
    }
}
