//! Programs that want all the processor there is.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Two for each processor, a little humbler than ordinary programs. They end with it.
pub struct Hogs(Vec<Child>);

impl Hogs {
    /// # Errors
    /// When they cannot be started.
    pub fn release() -> Result<Hogs> {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let mut hogs = Hogs(Vec::new());
        for _ in 0..processors * 2 {
            let mut command = Command::new("nice");
            command.args(["-n", "5", "sh", "-c", HOG]);
            hogs.0.push(command.stdin(Stdio::null()).spawn().context("a hog")?);
        }
        Ok(hogs)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            // It may have ended by itself.
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

/// Above the failover thread, below the guard.
const BETWEEN: &str = "8";
const PROCESSOR: &str = "0";
const HOG: &str = "while :; do :; done";

/// One thread of a program that gets no processor any more, as long as this lives.
pub struct Starved {
    thread: String,
    ordinary: bool,
    hogs: Vec<Child>,
}

impl Starved {
    /// Binds the thread of that name to a processor that something more urgent keeps to itself.
    ///
    /// # Errors
    /// When there is no such thread, or this is not permitted.
    pub fn thread(process: u32, name: &str) -> Result<Starved> {
        let mut found = None;
        for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
            let thread = thread?;
            if std::fs::read_to_string(thread.path().join("comm"))?.trim() == name {
                found = Some(thread.file_name().to_string_lossy().into_owned());
            }
        }
        let thread = found.with_context(|| format!("a thread {name}"))?;
        let ordinary = !is_in_real_time(&thread)?;
        let mut starved = Starved { thread, ordinary, hogs: Vec::new() };
        starved.hogs.push(hog(&["chrt", "--fifo", BETWEEN])?);
        if ordinary {
            // The kernel keeps a twentieth of the processor for ordinary threads: another hog takes that.
            starved.hogs.push(hog(&[])?);
            run("chrt", &["--idle", "--pid", "0", &starved.thread])?;
        }
        run("taskset", &["--cpu-list", "--pid", PROCESSOR, &starved.thread])?;
        Ok(starved)
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        for hog in &mut self.hogs {
            // It may have ended by itself.
            let _ = hog.kill();
            let _ = hog.wait();
        }
        // The thread's program may be gone.
        let _ = run("taskset", &["--cpu-list", "--pid", "0-1023", &self.thread]);
        if self.ordinary {
            let _ = run("chrt", &["--other", "--pid", "0", &self.thread]);
        }
    }
}

fn hog(how: &[&str]) -> Result<Child> {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", PROCESSOR]).args(how);
    command.args(["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", HOG]);
    command.stdin(Stdio::null()).spawn().context("a hog")
}

/// By the scheduling policy in proc_pid_stat(5): 1 is FIFO.
fn is_in_real_time(thread: &str) -> Result<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{thread}/stat"))?;
    let behind_the_name = stat.rsplit_once(") ").context("a stat line")?.1;
    Ok(behind_the_name.split(' ').nth(38) == Some("1"))
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
