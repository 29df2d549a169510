//! Programs that want all the processor there is.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

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
            command.args(["-n", "5", "sh", "-c", "while :; do :; done"]);
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
