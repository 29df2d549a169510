//! The third host: `maild witness`, at the clients' address.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use super::room::Room;
use crate::native::program;

/// UDP port.
pub const PORT: u16 = 7403;

/// Answers for as long as it lives.
pub struct Witness(Child);

impl Witness {
    /// # Errors
    /// When it cannot be started.
    pub fn start(street: &Room, folder: &Path, token: &str) -> Result<Witness> {
        let token_file = folder.join("witness-token");
        fs::write(&token_file, token)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program::maild()).arg("witness");
        command.arg("--listen").arg(format!("[::]:{PORT}")).arg("--token-file").arg(token_file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Witness(street.run(move || command.spawn()).context("the witness")?))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
