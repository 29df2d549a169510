//! Serves one account from memory on a loopback port, in plain text and as if TLS were active, so that
//! ordinary mail clients can be tried on the session:
//!
//! ```text
//! cargo run -p imap --example serve -- 1143 MAIL...   # user ann, password secret
//! curl --user ann:secret 'imap://127.0.0.1:1143/INBOX;UID=1'
//! ```
//!
//! Each MAIL is a file with one message. The mail lives as long as the program; all connections see it.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // the one place with sockets and threads
#![allow(clippy::unwrap_used)] // the store is shared with the tests

#[path = "../tests/transcripts/store.rs"]
#[allow(dead_code)] // the tests use more of it
mod store;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use imap::{Config, Input, Limits, Output, Session, SpecialUse};
use store::Store;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).unwrap_or(1143);
    let mut store = Store::new();
    for (name, special_use) in [
        ("Archive", SpecialUse::Archive),
        ("Drafts", SpecialUse::Drafts),
        ("Junk", SpecialUse::Junk),
        ("Sent", SpecialUse::Sent),
        ("Trash", SpecialUse::Trash),
    ] {
        store.create(name, Some(special_use));
    }
    for file in arguments {
        store.deliver("INBOX", &std::fs::read(file)?, &[]);
    }
    let store = Arc::new(Mutex::new(store));
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let (stream, store) = (stream?, Arc::clone(&store));
        std::thread::spawn(move || {
            if let Err(error) = serve(stream, &store) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

/// The session asks the store at once; five times a second it is told that its mailbox may have changed.
fn serve(mut stream: TcpStream, store: &Mutex<Store>) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let config =
        Config { hostname: "localhost".into(), tls_active: true, limits: Limits::default() };
    let mut session = Session::new(config, Instant::now());
    let mut buffer = vec![0; 16 << 10];
    loop {
        while let Some(output) = session.poll() {
            match output {
                Output::Send(bytes) => stream.write_all(&bytes)?,
                Output::Ask(ask) => {
                    let answer = store.lock().unwrap().answer(ask);
                    session.handle(Instant::now(), Input::Answer(answer));
                }
                Output::Watch { .. } | Output::Unwatch | Output::StartTls => {}
                Output::Close => return Ok(()),
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => session.handle(Instant::now(), Input::Bytes(&buffer[..length])),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                session.handle(Instant::now(), Input::Changed);
                session.handle(Instant::now(), Input::Tick);
            }
            Err(error) => return Err(error),
        }
    }
}
