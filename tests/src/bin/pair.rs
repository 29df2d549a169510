//! Brings up a pair of real `maild` processes on loopback, and runs a command against it or waits for Ctrl-C.
//!
//! ```text
//! cargo run --package tests --bin pair                            look at it by hand
//! cargo run --package tests --bin pair -- node panel.mjs          run a test against it
//! ```
//!
//! The command gets two more arguments, the URL of box a's panel and the admin's password, and in its environment
//! `TWINPOST_PANEL_A` and `TWINPOST_PANEL_B`. This program ends as the command does.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Parser;
use tests::native::{ADMIN_PASSWORD, Account, Maild, Pair};

/// A pair of maild processes on this machine.
#[derive(Parser)]
struct Args {
    /// What to run against the pair; without it, the pair stays until Ctrl-C
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let mut pair = Pair::prepare("pair")?;
    pair.start()?;
    // The panel takes the admin's password once it has added an account.
    let account = pair.add_account("someone")?;
    let outcome = match args.command.split_first() {
        Some((program, rest)) => run(&pair, program, rest)?,
        None => {
            stay(&pair, &account)?;
            ExitCode::SUCCESS
        }
    };
    if outcome != ExitCode::SUCCESS {
        pair.keep_logs();
    }
    Ok(outcome)
}

fn run(pair: &Pair, program: &str, rest: &[String]) -> Result<ExitCode> {
    let mut command = Command::new(program);
    command.args(rest).args([&panel(&pair.a), ADMIN_PASSWORD]);
    command.env("TWINPOST_PANEL_A", panel(&pair.a)).env("TWINPOST_PANEL_B", panel(&pair.b));
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn stay(pair: &Pair, account: &Account) -> Result<()> {
    for at in [&pair.a, &pair.b] {
        println!("box {}   panel {}", at.side(), panel(at));
        println!("        SMTP {}   submission {}", at.port(25), at.port(587));
        println!("        IMAPS {}   POP3S {}", at.port(993), at.port(995));
        println!("        log {}", at.log().display());
    }
    println!("account {}   password {}", account.address, account.password);
    println!("admin password {ADMIN_PASSWORD}\nCtrl-C ends both.");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    Ok(())
}

fn panel(at: &Maild) -> String {
    format!("https://{}", at.port(443))
}
