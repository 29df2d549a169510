//! One network port of a box: waits for its QEMU, then moves frames between socket and wiring.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

use super::wiring::Wiring;
use crate::framing::{self, Decoder};
use crate::limits::SOCKET_CHUNK_BYTES;
use crate::names::Nic;

/// Serves one QEMU after the other, for as long as the rack stands.
pub async fn serve(listener: UnixListener, nic: Nic, wiring: Rc<RefCell<Wiring>>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                wiring.borrow_mut().set_attached(nic, true);
                tracing::debug!(?nic, "attached");
                let end = attached(stream, nic, &wiring).await;
                wiring.borrow_mut().set_attached(nic, false);
                tracing::debug!(?nic, ?end, "detached");
            }
            Err(error) => {
                tracing::warn!(?nic, %error, "cannot accept");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn attached(stream: UnixStream, nic: Nic, wiring: &RefCell<Wiring>) -> io::Result<()> {
    let (reader, writer) = stream.into_split();
    tokio::select! {
        end = take_frames(reader, nic, wiring) => end,
        end = give_frames(writer, nic, wiring) => end,
    }
}

async fn take_frames(
    mut reader: OwnedReadHalf,
    nic: Nic,
    wiring: &RefCell<Wiring>,
) -> io::Result<()> {
    let mut decoder = Decoder::default();
    let mut chunk = vec![0; SOCKET_CHUNK_BYTES];
    loop {
        let length = reader.read(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        decoder.push(&chunk[..length]);
        let now = Instant::now();
        while let Some(frame) = decoder.next_frame().map_err(io::Error::other)? {
            wiring.borrow_mut().sent_by_box(now, nic, frame);
        }
    }
}

async fn give_frames(
    mut writer: OwnedWriteHalf,
    nic: Nic,
    wiring: &RefCell<Wiring>,
) -> io::Result<()> {
    let filled = wiring.borrow().filled(nic);
    let mut chunk = Vec::with_capacity(SOCKET_CHUNK_BYTES);
    loop {
        filled.notified().await;
        loop {
            fill_chunk(&mut chunk, nic, &mut wiring.borrow_mut());
            if chunk.is_empty() {
                break;
            }
            writer.write_all(&chunk).await?;
        }
    }
}

fn fill_chunk(chunk: &mut Vec<u8>, nic: Nic, wiring: &mut Wiring) {
    chunk.clear();
    while chunk.len() < SOCKET_CHUNK_BYTES {
        let Some(frame) = wiring.pop(nic) else { return };
        framing::encode(&frame, chunk);
    }
}
