//! What this box keeps in mind over restarts, written by a thread of its own: the disk may be slow or
//! stuck at the very moment when `failover` must not wait.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use crate::identity::Identity;

/// Cheap to clone. What is marked is written soon, in order.
#[derive(Clone)]
pub struct Marks(Sender<Mark>);

enum Mark {
    View { both: bool },
    Maintenance { on: bool },
}

impl Marks {
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(identity: Arc<Identity>) -> std::io::Result<Marks> {
        let (send, marks) = channel();
        std::thread::Builder::new().name("marks".into()).spawn(move || {
            for mark in marks {
                let written = match mark {
                    Mark::View { both } => identity.mark_view(both),
                    Mark::Maintenance { on } => identity.mark_maintenance(on),
                };
                if let Err(error) = written {
                    tracing::warn!(error = %format!("{error:#}"), "keeping the view in mind");
                }
            }
        })?;
        Ok(Marks(send))
    }

    /// Which view this box has come into.
    pub fn view(&self, both: bool) {
        // The thread ends with the program only.
        let _ = self.0.send(Mark::View { both });
    }

    pub fn maintenance(&self, on: bool) {
        let _ = self.0.send(Mark::Maintenance { on });
    }
}
