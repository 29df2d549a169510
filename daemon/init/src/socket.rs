//! Init's socket: ticks and notices from maild, requests from the console and the panel.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhow::{Context, Result};
use control::{Decoder, FromInit, Program, ToInit};

use crate::limits::{CONNECTIONS_MAX, READS_A_TURN_MAX};

/// The listening socket and its connections. Nothing here waits.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    connections: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    decoder: Decoder,
    program: Option<Program>,
    ended: bool,
}

/// A message, and the place to answer it to while its connection lasts.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    pub from: usize,
    pub program: Option<Program>,
    pub message: ToInit,
}

impl Socket {
    /// Listens at `path`, which only root and `group` can reach.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn listen(path: &Path, group: Option<u32>) -> Result<Socket> {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).with_context(|| path.display().to_string())?;
        listener.set_nonblocking(true)?;
        if group.is_some() {
            chown(path, None, group)?;
        }
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o660))?;
        Ok(Socket { listener, connections: Vec::new() })
    }

    /// What to wait for.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let connections = self.connections.iter().map(|connection| connection.stream.as_fd());
        std::iter::once(self.listener.as_fd()).chain(connections)
    }

    /// Takes in whatever has come. Connections that broke the rules or ended are closed.
    pub fn read(&mut self) -> Vec<Received> {
        self.accept();
        let mut received = Vec::new();
        for (from, connection) in self.connections.iter_mut().enumerate() {
            let alive = connection.read(|program, message| {
                received.push(Received { from, program, message });
            });
            connection.ended |= !alive;
        }
        received
    }

    /// Answers. Whoever does not read its answers loses its connection.
    pub fn send(&mut self, to: usize, message: &FromInit) {
        if let Some(connection) = self.connections.get_mut(to) {
            connection.send(message);
        }
    }

    /// Sends to maild, if it is connected. True when it was.
    pub fn send_to_maild(&mut self, message: &FromInit) -> bool {
        let maild = |connection: &&mut Connection| {
            connection.program == Some(Program::Maild) && !connection.ended
        };
        let Some(connection) = self.connections.iter_mut().rfind(maild) else { return false };
        connection.send(message)
    }

    /// Forgets connections that have ended. Not inside [`Socket::read`]: numbers given out there
    /// stay good until this is called.
    pub fn sweep(&mut self) {
        self.connections.retain(|connection| !connection.ended);
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.connections.len() < CONNECTIONS_MAX && stream.set_nonblocking(true).is_ok() {
                let decoder = Decoder::new();
                self.connections.push(Connection { stream, decoder, program: None, ended: false });
            }
        }
    }
}

impl Connection {
    /// False when the connection is over.
    fn read(&mut self, mut take: impl FnMut(Option<Program>, ToInit)) -> bool {
        let mut bytes = [0; 4096];
        for _ in 0..READS_A_TURN_MAX {
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(length) => self.decoder.push(&bytes[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return false,
            }
            loop {
                match self.decoder.next() {
                    Ok(Some(ToInit::Hello { program, .. })) => self.program = Some(program),
                    Ok(Some(message)) => take(self.program, message),
                    Ok(None) => break,
                    Err(_) => return false,
                }
            }
        }
        true
    }

    fn send(&mut self, message: &FromInit) -> bool {
        let Ok(bytes) = control::encode(message) else { return false };
        let sent = self.stream.write_all(&bytes).is_ok();
        self.ended |= !sent;
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use control::encode;

    struct Place(std::path::PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let file = format!("twinpost-{}-{name}.sock", std::process::id());
            Place(std::env::temp_dir().join(file))
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn say(stream: &mut UnixStream, message: &ToInit) {
        stream.write_all(&encode(message).unwrap()).unwrap();
    }

    fn hello(program: Program) -> ToInit {
        ToInit::Hello { program, version: "1".into() }
    }

    /// What a client hears next; `None` at the end of its connection.
    fn hear(stream: &mut UnixStream) -> Option<FromInit> {
        let mut decoder = Decoder::new();
        let mut byte = [0];
        loop {
            if let Some(message) = decoder.next().unwrap() {
                return Some(message);
            }
            match stream.read(&mut byte) {
                Ok(1) => decoder.push(&byte),
                _ => return None,
            }
        }
    }

    #[test]
    fn messages_carry_who_sent_them_and_answers_go_back() {
        let place = Place::new("who");
        let mut socket = Socket::listen(&place.0, None).unwrap();
        let mut maild = UnixStream::connect(&place.0).unwrap();
        let mut console = UnixStream::connect(&place.0).unwrap();
        assert_eq!(socket.read(), []);
        assert!(!socket.send_to_maild(&FromInit::Accepted), "nobody has said so yet");
        say(&mut maild, &hello(Program::Maild));
        say(&mut maild, &ToInit::Tick { sequence: 1 });
        say(&mut console, &hello(Program::Console));
        say(&mut console, &ToInit::Reboot);
        let tick = Received {
            from: 0,
            program: Some(Program::Maild),
            message: ToInit::Tick { sequence: 1 },
        };
        let reboot = Received { from: 1, program: Some(Program::Console), message: ToInit::Reboot };
        assert_eq!(socket.read(), [tick, reboot]);
        socket.send(1, &FromInit::Accepted);
        assert!(socket.send_to_maild(&FromInit::Shutdown { reason: "reboot".into() }));
        assert_eq!(hear(&mut console), Some(FromInit::Accepted));
        assert_eq!(hear(&mut maild), Some(FromInit::Shutdown { reason: "reboot".into() }));
        drop(maild);
        assert_eq!(socket.read(), []);
        assert!(!socket.send_to_maild(&FromInit::Accepted));
        socket.sweep();
        assert_eq!(socket.descriptors().count(), 2, "the listener and the console");
    }

    #[test]
    fn rubbish_ends_a_connection() {
        let place = Place::new("rubbish");
        let mut socket = Socket::listen(&place.0, None).unwrap();
        let mut bad = UnixStream::connect(&place.0).unwrap();
        bad.write_all(&[0xff; 64]).unwrap();
        assert_eq!(socket.read(), []);
        socket.sweep();
        assert_eq!(hear(&mut bad), None);
        assert_eq!(socket.descriptors().count(), 1);
    }

    #[test]
    fn connections_are_bounded() {
        let place = Place::new("many");
        let mut socket = Socket::listen(&place.0, None).unwrap();
        let clients: Vec<_> =
            (0..CONNECTIONS_MAX + 3).map(|_| UnixStream::connect(&place.0).unwrap()).collect();
        assert_eq!(socket.read(), []);
        assert_eq!(socket.descriptors().count(), 1 + CONNECTIONS_MAX);
        drop(clients);
        assert_eq!(socket.read(), []);
        socket.sweep();
        assert_eq!(socket.descriptors().count(), 1);
    }
}
