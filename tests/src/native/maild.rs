//! One process of the pair: started, asked, killed.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use control::{Decoder, Digest, Event, FromMaild, Side, Site, Status, ToMaild, View, encode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::program;
use super::slot::Slot;
use super::until;
use crate::netns::Room;

/// For one answer on the local socket. A digest reads all of both stores.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// One box: its folder and ports stay, its process comes and goes.
pub struct Maild {
    side: Side,
    folder: PathBuf,
    place: Place,
    /// More of the command line.
    options: Vec<String>,
    child: Option<Child>,
}

/// Where a box is on the network.
enum Place {
    /// On loopback, beside its peer: nothing of the network is its own.
    Loopback { slot: Slot, peer_link: SocketAddr },
    /// On ports of its own. The address is the one that it keeps whatever the view.
    Room { room: Arc<Room>, address: IpAddr },
}

impl Maild {
    /// Writes the box's site file; it is not started yet.
    pub(super) fn prepare(
        site: &Site,
        folder: PathBuf,
        slot: Slot,
        peer_link: SocketAddr,
    ) -> Result<Maild> {
        Self::prepare_at(site, folder, Place::Loopback { slot, peer_link })
    }

    /// The same for a box with ports of its own, in a network that has them.
    pub(crate) fn prepare_in(site: &Site, folder: PathBuf, room: Arc<Room>) -> Result<Maild> {
        let own = site.lan.static_addresses().next().context("the box has a fixed address")?;
        Self::prepare_at(site, folder, Place::Room { room, address: own.address })
    }

    fn prepare_at(site: &Site, folder: PathBuf, place: Place) -> Result<Maild> {
        fs::create_dir_all(folder.join("data"))?;
        fs::write(folder.join("site.toml"), site.to_toml())?;
        Ok(Maild { side: site.side, folder, place, options: Vec::new(), child: None })
    }

    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Where the box serves what has this port number on a real box: on its own address, which does not move.
    #[must_use]
    pub fn port(&self, number: u16) -> SocketAddr {
        match &self.place {
            Place::Loopback { slot, .. } => slot.served(number),
            Place::Room { address, .. } => SocketAddr::new(*address, number),
        }
    }

    /// Its folder: the site file, the log, the sockets, and `data`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its disk.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    #[must_use]
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// What the process has written, all its lives together.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("maild.log")
    }

    /// # Errors
    /// When the process cannot be started.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "box {} runs already", self.side);
        let log = File::options().create(true).append(true).open(self.log())?;
        let program = program::maild();
        let mut command = match &self.place {
            Place::Loopback { slot, peer_link } => {
                let mut command = Command::new(program);
                command.args(["--listen", "127.0.0.1", "--port-base", &slot.base.to_string()]);
                command.args(["--link", &slot.link().to_string()]);
                command.args(["--peer", &peer_link.to_string()]);
                command
            }
            // It must not outlive a program that ends without a word.
            Place::Room { .. } => {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL", "--"]).arg(program);
                command
            }
        };
        command.arg("--site").arg(self.folder.join("site.toml"));
        command.arg("--data").arg(self.folder.join("data"));
        command.arg("--socket").arg(self.socket());
        command.arg("--init-socket").arg(self.folder.join("init.sock"));
        command.args(&self.options);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = match &self.place {
            Place::Loopback { .. } => command.spawn(),
            Place::Room { room, .. } => room.run(move || command.spawn()),
        };
        self.child = Some(child.with_context(|| format!("starting {}", program.display()))?);
        Ok(())
    }

    /// More for the command line, from the next start on.
    pub fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
    }

    /// Lets the running box write a backup.
    ///
    /// # Errors
    /// What the command says.
    pub fn backup(&self, to: &Path) -> Result<()> {
        let mut command = Command::new(program::maild());
        command.arg("backup").arg("--socket").arg(self.socket()).arg("--out").arg(to);
        succeed(&mut command)
    }

    /// Fills the blank disk of a box that does not run.
    ///
    /// # Errors
    /// What the command says.
    pub fn restore(&mut self, from: &Path) -> Result<()> {
        ensure!(self.child.is_none(), "box {} runs on its disk", self.side);
        let mut command = Command::new(program::maild());
        command.arg("restore").arg("--data").arg(self.data()).arg("--in").arg(from);
        succeed(&mut command)
    }

    /// Tells the running box to serve alone, whatever its disk lacks.
    ///
    /// # Errors
    /// What the command says.
    pub fn serve_alone(&self) -> Result<()> {
        let mut command = Command::new(program::maild());
        succeed(command.arg("serve-alone").arg("--socket").arg(self.socket()))
    }

    /// The newest record format that the box has blessed; 0 before it has.
    #[must_use]
    pub fn blessed_format(&self) -> u16 {
        let text = fs::read_to_string(self.data().join("identity/format"));
        text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// Gives the box a new, blank disk. Its site file stays as it is, also that of the first of the pair: it is to join
    /// the survivor.
    ///
    /// # Errors
    /// When it runs.
    pub fn replace_disk(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "box {} runs on its disk", self.side);
        let data = self.folder.join("data");
        fs::remove_dir_all(&data)?;
        fs::create_dir(&data)?;
        Ok(())
    }

    /// A power cut, as far as a process can have one: SIGKILL.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("nothing to kill")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Its process.
    ///
    /// # Errors
    /// When it does not run.
    pub fn id(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("it does not run")?.id())
    }

    /// How the process ended, when it did so by itself.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.as_mut().map(Child::try_wait).transpose()?.flatten())
    }

    /// An orderly end: SIGTERM.
    ///
    /// # Errors
    /// When it does not run, does not stop, or says that it failed.
    pub fn stop(&mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        let child = self.child.as_mut().context("nothing to stop")?;
        let status = until("maild to stop", || Ok(child.try_wait()?))?;
        self.child = None;
        ensure!(status.success(), "box {} ended with {status}", self.side);
        Ok(())
    }

    /// The process stands still, as in a hung machine: SIGSTOP.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Likewise; when this returns none of its threads is in the kernel any more.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause_whole(&self) -> Result<()> {
        self.pause()?;
        let id = self.child.as_ref().context("nothing to pause")?.id();
        until("all threads to stand still", || {
            for thread in std::fs::read_dir(format!("/proc/{id}/task"))? {
                // "ID (NAME) STATE ...", proc_pid_stat(5).
                let stat = std::fs::read_to_string(thread?.path().join("stat"))?;
                let state = stat.rsplit_once(") ").map(|(_, rest)| rest.as_bytes().first());
                if state != Some(Some(&b'T')) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    }

    /// It goes on: SIGCONT.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> Result<Status> {
        match self.ask(&ToMaild::Status)? {
            FromMaild::Status(status) => Ok(*status),
            other => bail!("expected a status, got {other:?}"),
        }
    }

    /// Hands in a wish of the owner.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn wish(&self, wish: &ToMaild) -> Result<()> {
        match self.ask(wish)? {
            FromMaild::Done => Ok(()),
            FromMaild::Failed { reason } => bail!("{reason}"),
            other => bail!("{other:?} is no answer to {wish:?}"),
        }
    }

    /// What was decided, oldest first.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn events(&self) -> Result<Vec<Event>> {
        match self.ask(&ToMaild::Events { newest: u16::MAX })? {
            FromMaild::Events { events } => Ok(events),
            other => bail!("{other:?} is no answer"),
        }
    }

    /// OpenMetrics.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metrics(&self) -> Result<String> {
        match self.ask(&ToMaild::Metrics)? {
            FromMaild::Metrics { text } => Ok(text),
            other => bail!("{other:?} is no answer"),
        }
    }

    /// # Errors
    /// When it does not answer.
    pub fn digest(&self) -> Result<Digest> {
        match self.ask(&ToMaild::Digest)? {
            FromMaild::Digest(digest) => Ok(digest),
            other => bail!("expected a digest, got {other:?}"),
        }
    }

    /// Waits until the box's status is as wanted.
    ///
    /// # Errors
    /// When the process has ended, or the patience is over.
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Status) -> bool) -> Result<Status> {
        let what = format!("{what} at box {}", self.side);
        self.wait_running(&what, |maild| {
            let status = maild.status()?;
            if wanted(&status) {
                return Ok(Some(status));
            }
            bail!("view {}, {}, log {:?}", status.view, status.health, status.log)
        })
    }

    /// Waits until the box is in this view.
    ///
    /// # Errors
    /// See [`Maild::wait`].
    pub fn wait_view(&mut self, view: View) -> Result<Status> {
        self.wait(&format!("view {view}"), |status| status.view == view)
    }

    /// [`until`] that ends early when the process has ended.
    fn wait_running<T>(
        &mut self,
        what: &str,
        attempt: impl Fn(&Maild) -> Result<Option<T>>,
    ) -> Result<T> {
        let ended = until(what, || {
            let child = self.child.as_mut().context("it is not running")?;
            if let Some(status) = child.try_wait()? {
                return Ok(Some(Err(status)));
            }
            Ok(attempt(self)?.map(Ok))
        })?;
        ended.map_err(|status| {
            anyhow::anyhow!("box {} ended with {status} before there was {what}", self.side)
        })
    }

    fn ask(&self, question: &ToMaild) -> Result<FromMaild> {
        let mut stream = UnixStream::connect(self.socket()).context("the status socket")?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.write_all(&encode(question)?)?;
        let mut decoder = Decoder::new();
        let mut buffer = [0; 4096];
        loop {
            let length = stream.read(&mut buffer)?;
            ensure!(length > 0, "the status socket closed without an answer");
            decoder.push(&buffer[..length]);
            if let Some(answer) = decoder.next()? {
                return Ok(answer);
            }
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("maild.sock")
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().with_context(|| format!("{signal} to no process"))?;
        let pid = i32::try_from(child.id()).context("a process id")?;
        kill(Pid::from_raw(pid), signal)?;
        Ok(())
    }

    /// Leaves the log where it outlives the test, and shows its end.
    pub(crate) fn keep_log(&self, folder: &Path, name: &str) {
        let Ok(text) = fs::read_to_string(self.log()) else { return };
        let copy = folder.join(format!("{name}-{}.log", self.side));
        let kept = fs::create_dir_all(folder).and_then(|()| fs::write(&copy, &text));
        // One line for each message would hide the rest.
        let lines = text.lines().filter(|line| !line.contains(" delivered queue_id="));
        let lines: Vec<&str> = lines.collect();
        let end = lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n  ");
        let place = if kept.is_ok() { copy.display().to_string() } else { "not kept".into() };
        eprintln!("the end of box {}'s log (whole: {place}):\n  {end}", self.side);
    }
}

fn succeed(command: &mut Command) -> Result<()> {
    let done = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{command:?} ended with {}: {text}", done.status);
    Ok(())
}

const LINES_SHOWN: usize = 40;

impl Drop for Maild {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself: then there is nothing to do.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
