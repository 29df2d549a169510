//! A QEMU process that cannot outlive this one.
//!
//! A killed or crashed program runs no destructors, so the kernel is asked to kill QEMU when its
//! parent goes (PR_SET_PDEATHSIG, set by `setpriv` between fork and exec). "Parent" is the thread
//! that forked: all are therefore started by one thread that lives as long as this process.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Instant;

use super::qemu::find_program;

/// A running child, killed on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a program; what it prints goes to `log`.
    pub fn start(program: &Path, arguments: Vec<OsString>, log: &Path) -> io::Result<Process> {
        let output = File::options().create(true).append(true).open(log)?;
        let mut command = match find_program("setpriv") {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Ctrl-C is for the program that owns the rack, which ends its boxes itself.
            .process_group(0);
        Ok(Process { child: spawn(command)? })
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// SIGKILL. Gives the moment of the signal, and returns when the process has gone.
    pub fn kill(mut self) -> io::Result<Instant> {
        let moment = Instant::now();
        self.child.kill()?;
        self.child.wait()?;
        Ok(moment)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have gone by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

type Job = (Command, mpsc::Sender<io::Result<Child>>);

fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("starter".into())
            .spawn(move || {
                for (mut command, answer) in jobs {
                    // Whoever asked is waiting.
                    _ = answer.send(command.spawn());
                }
            })
            .expect("a program can start a thread");
        sender
    });
    let (answer, started) = mpsc::channel();
    starter.send((command, answer)).map_err(|_| io::Error::other("the starter has ended"))?;
    started.recv().map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Folder;

    fn alive(pid: u32) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Nobody may have reaped it yet.
        !stat.is_empty() && !stat.contains(") Z ")
    }

    fn sleeper(folder: &Folder) -> Process {
        let log = folder.path().join("log");
        Process::start(Path::new("/bin/sleep"), vec!["1000".into()], &log).unwrap()
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let folder = Folder::create(&std::env::temp_dir()).unwrap();
        let process = sleeper(&folder);
        let pid = process.pid();
        assert!(alive(pid));
        drop(process);
        assert!(!alive(pid));
    }

    #[test]
    fn a_process_outlives_the_thread_that_asked_for_it() {
        let folder = Folder::create(&std::env::temp_dir()).unwrap();
        let mut process =
            std::thread::scope(|scope| scope.spawn(|| sleeper(&folder)).join().unwrap());
        assert!(process.ended().unwrap().is_none());
        process.kill().unwrap();
    }
}
