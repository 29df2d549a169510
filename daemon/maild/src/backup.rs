//! `maild backup` and `maild restore`: a consistent copy of everything, taken while the box serves, and a disk
//! made of such a copy.
//!
//! ```text
//! maild backup --out FILE ──ToMaild::Backup──▶ the running maild
//!                         ◀── BackupPart … BackupDone, or Failed
//! ```
//!
//! A restored disk is an old copy of the pair's: it has no identity of its own, so it joins as a blank one does.
//! The peer sends it what the copy lacks and burns the UIDs that nobody may know of any more. When no peer is
//! left, the admin has to say so (`maild serve-alone`); the box burns them itself then.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use control::limits::BACKUP_PART_BYTES;
use control::{Decoder, FromMaild, ToMaild, encode};
use node::Handle;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::identity;

/// Parts on their way from the log to the socket.
const PARTS_UNDER_WAY: usize = 8;
/// Standard input or output.
const DASH: &str = "-";

/// Writes a copy of everything that the running box holds now.
#[derive(Args)]
pub struct BackupArgs {
    /// The file; `-` is standard output.
    #[arg(long)]
    out: PathBuf,
    /// Where the running maild answers.
    #[arg(long, default_value = control::paths::MAILD_SOCKET)]
    socket: PathBuf,
}

/// Fills a blank disk with such a copy; maild is started on it afterwards.
#[derive(Args)]
pub struct RestoreArgs {
    /// The file; `-` is standard input.
    #[arg(long = "in")]
    input: PathBuf,
    /// Where identity and mail are kept. No mail may be there yet.
    #[arg(long)]
    data: PathBuf,
}

/// Tells the running box that the other, and what only its disk knew, is gone for good: it serves alone.
#[derive(Args)]
pub struct ServeAloneArgs {
    /// Where the running maild answers.
    #[arg(long, default_value = control::paths::MAILD_SOCKET)]
    socket: PathBuf,
}

impl BackupArgs {
    /// # Errors
    /// When the box cannot give all of it, or it cannot be kept; no file is left then.
    pub fn run(&self) -> Result<()> {
        if self.out == Path::new(DASH) {
            let done = self.fetch(io::stdout().lock())?;
            eprintln!("{done}");
            return Ok(());
        }
        let mut unfinished = self.out.clone().into_os_string();
        unfinished.push(".part");
        let unfinished = PathBuf::from(unfinished);
        let done = self.fetch_file(&unfinished);
        if done.is_err() {
            // Whatever it holds is no backup.
            let _ = fs::remove_file(&unfinished);
        }
        eprintln!("{}", done?);
        fs::rename(&unfinished, &self.out)?;
        let folder = self.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }

    fn fetch_file(&self, path: &Path) -> Result<String> {
        let file = File::create(path).with_context(|| format!("creating {path:?}"))?;
        let done = self.fetch(&file)?;
        file.sync_all()?;
        Ok(done)
    }

    fn fetch(&self, out: impl Write) -> Result<String> {
        let mut stream = ask(&self.socket, &ToMaild::Backup)?;
        let mut out = BufWriter::new(out);
        let (mut decoder, mut buffer) = (Decoder::new(), vec![0; BACKUP_PART_BYTES]);
        loop {
            let length = stream.read(&mut buffer)?;
            ensure!(length > 0, "maild has ended before the backup was whole");
            decoder.push(&buffer[..length]);
            while let Some(answer) = decoder.next::<FromMaild>()? {
                match answer {
                    FromMaild::BackupPart { bytes } => out.write_all(&bytes)?,
                    FromMaild::BackupDone { records, bytes } => {
                        out.flush()?;
                        return Ok(format!("{records} records, {bytes} bytes"));
                    }
                    FromMaild::Failed { reason } => bail!("no backup: {reason}"),
                    other => bail!("expected a part of a backup, got {other:?}"),
                }
            }
        }
    }
}

impl ServeAloneArgs {
    /// # Errors
    /// When the box does not do it.
    pub fn run(&self) -> Result<()> {
        wish(&self.socket, &ToMaild::ServeAlone)
    }
}

/// Hands the running maild a wish of the owner.
///
/// # Errors
/// When it does not do it.
pub fn wish(socket: &Path, wish: &ToMaild) -> Result<()> {
    let mut stream = ask(socket, wish)?;
    let (mut decoder, mut buffer) = (Decoder::new(), vec![0; 4096]);
    loop {
        let length = stream.read(&mut buffer)?;
        ensure!(length > 0, "maild has ended without an answer");
        decoder.push(&buffer[..length]);
        match decoder.next::<FromMaild>()? {
            None => {}
            Some(FromMaild::Done) => return Ok(()),
            Some(FromMaild::Failed { reason }) => bail!("the box does not do it: {reason}"),
            Some(other) => bail!("expected a word that it is done, got {other:?}"),
        }
    }
}

fn ask(socket: &Path, question: &ToMaild) -> Result<BlockingStream> {
    let mut stream = BlockingStream::connect(socket)
        .with_context(|| format!("no maild answers at {socket:?}"))?;
    stream.write_all(&encode(question)?)?;
    Ok(stream)
}

impl RestoreArgs {
    /// # Errors
    /// When mail is there already, or the copy is not whole; nothing is there afterwards.
    pub fn run(&self) -> Result<()> {
        let input: Box<dyn Read> = if self.input == Path::new(DASH) {
            Box::new(io::stdin().lock())
        } else {
            let file = File::open(&self.input);
            Box::new(file.with_context(|| format!("opening {:?}", self.input))?)
        };
        // First of all: whatever happens from here on, this disk does not pass for one that knows all.
        identity::forget_views(&self.data.join("identity"))?;
        let records = node::shell::restore(input, &self.data.join("mail"))?;
        eprintln!("{records} records are restored; start maild, and the box joins its peer");
        Ok(())
    }
}

/// Sends a backup to whoever asked on the local socket.
///
/// # Errors
/// When nobody takes it any more.
pub async fn send(stream: &mut UnixStream, node: &Handle) -> Result<()> {
    let (parts, mut ready) = mpsc::channel(PARTS_UNDER_WAY);
    let node = node.clone();
    let job = tokio::task::spawn_blocking(move || {
        node.backup(BufWriter::with_capacity(BACKUP_PART_BYTES, Parts(parts)))
    });
    while let Some(Ok(bytes)) = ready.recv().await {
        stream.write_all(&encode(&FromMaild::BackupPart { bytes })?).await?;
    }
    let last = match job.await? {
        Ok((records, bytes)) => FromMaild::BackupDone { records, bytes },
        Err(error) => FromMaild::Failed { reason: error.to_string() },
    };
    stream.write_all(&encode(&last)?).await?;
    Ok(())
}

/// A backup as the panel wants it: made while it is taken; whoever takes no more of it ends it.
pub fn parts(node: &Handle) -> mpsc::Receiver<Result<Vec<u8>, String>> {
    let (parts, ready) = mpsc::channel(PARTS_UNDER_WAY);
    let node = node.clone();
    tokio::task::spawn_blocking(move || {
        let out = BufWriter::with_capacity(BACKUP_PART_BYTES, Parts(parts.clone()));
        match node.backup(out) {
            Ok((records, bytes)) => tracing::info!(records, bytes, "a backup was downloaded"),
            Err(error) => {
                tracing::warn!(%error, "a backup is not whole");
                // Whoever took it may be gone: that may be what the error says.
                let _ = parts.blocking_send(Err(error.to_string()));
            }
        }
    });
    ready
}

/// Hands on what is written to it.
struct Parts(mpsc::Sender<Result<Vec<u8>, String>>);

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(BACKUP_PART_BYTES)];
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(Ok(part.to_vec())).map_err(gone)?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
