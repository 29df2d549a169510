//! What is to be sent, in order. Message bytes stay where they are until their turn comes, then go out
//! in pieces, so that one message in memory is shared and never copied whole.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::Output;
use crate::limits::SEND_BYTES;

#[derive(Default)]
pub struct Outbox {
    queue: VecDeque<Entry>,
}

enum Entry {
    Output(Output),
    Shared { bytes: Arc<[u8]>, range: Range<usize> },
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether there is enough to send before more is made.
    pub fn is_full(&self) -> bool {
        match self.queue.front() {
            Some(Entry::Output(Output::Send(bytes))) => {
                self.queue.len() > 1 || bytes.len() >= SEND_BYTES
            }
            front => front.is_some(),
        }
    }

    pub fn push(&mut self, output: Output) {
        self.queue.push_back(Entry::Output(output));
    }

    pub fn send(&mut self, bytes: &[u8]) {
        match self.queue.back_mut() {
            Some(Entry::Output(Output::Send(last))) if last.len() < SEND_BYTES => {
                last.extend_from_slice(bytes);
            }
            _ => self.push(Output::Send(bytes.to_vec())),
        }
    }

    /// Sends a piece of a message; `range` lies within it.
    pub fn send_shared(&mut self, bytes: &Arc<[u8]>, range: Range<usize>) {
        if range.len() < 1024 {
            self.send(&bytes[range]);
        } else {
            self.queue.push_back(Entry::Shared { bytes: Arc::clone(bytes), range });
        }
    }

    pub fn pop(&mut self) -> Option<Output> {
        match self.queue.pop_front()? {
            Entry::Output(output) => Some(output),
            Entry::Shared { bytes, range } => {
                let piece = range.start..range.end.min(range.start + SEND_BYTES);
                let send = bytes[piece.clone()].to_vec();
                if piece.end < range.end {
                    self.queue.push_front(Entry::Shared { bytes, range: piece.end..range.end });
                }
                Some(Output::Send(send))
            }
        }
    }
}
