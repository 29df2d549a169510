//! Clients that are not ours: Python's standard library, and curl. What is not installed is not run; `tests/run`
//! installs both.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tests::native::{Account, Maild, sample, until, without_trace};

use crate::{deliver, with_pair};

#[test]
#[ignore = "two processes: tests/run native"]
fn pythons_standard_library() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/stdlib.py");
    if !is_installed("python3") {
        return;
    }
    with_pair("python", &["ann", "bob"], |pair, accounts| {
        for (at, account) in [&pair.a, &pair.b].into_iter().zip(accounts) {
            let mut command = Command::new("python3");
            command.arg(&script).args([&account.address, &account.password]);
            for port in [25, 587, 465, 143, 993, 110, 995] {
                command.arg(at.port(port).port().to_string());
            }
            let output = command.output()?;
            ensure!(
                output.status.success(),
                "at box {}: {}{}",
                at.side(),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    });
}

#[test]
#[ignore = "two processes: tests/run native"]
fn curl() {
    if !is_installed("curl") {
        return;
    }
    with_pair("curl", &["ann"], |pair, accounts| {
        let ann = &accounts[0];
        deliver(&pair.a, ann, &sample(2))?;
        // The second one comes in by curl itself, at the other box.
        submit(&pair.b, ann, &sample(3))?;
        for at in [&pair.a, &pair.b] {
            for (index, sent) in [sample(2), sample(3)].iter().enumerate() {
                let number = index + 1;
                let imap = format!("imaps://{}/INBOX;MAILINDEX={number}", at.port(993));
                let pop3 = format!("pop3s://{}/{number}", at.port(995));
                for url in [imap, pop3] {
                    until(&url, || {
                        let body = run(&mut as_account(&url, ann))?;
                        without_trace(&body, sent).context("another message")?;
                        Ok(Some(()))
                    })?;
                }
            }
            let url = format!("imaps://{}/", at.port(993));
            let list = String::from_utf8(run(&mut as_account(&url, ann))?)?;
            ensure!(list.contains("INBOX"), "LIST by curl: {list}");
        }
        Ok(())
    });
}

/// Sends a message to oneself through port 465.
fn submit(at: &Maild, account: &Account, message: &[u8]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("message");
    std::fs::write(&file, message)?;
    let mut command = as_account(&format!("smtps://{}", at.port(465)), account);
    command.args(["--mail-from", &account.address, "--mail-rcpt", &account.address]);
    command.arg("--upload-file").arg(&file);
    run(&mut command).map(drop)
}

/// `--insecure`: the boxes sign their own certificate.
fn as_account(url: &str, account: &Account) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--insecure", "--max-time", "120"]);
    command.args(["--user", &format!("{}:{}", account.address, account.password), url]);
    command
}

fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {complaint}");
    Ok(output.stdout)
}

fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    let installed = command.status().is_ok_and(|status| status.success());
    if !installed {
        eprintln!("{program} is not installed: not tried");
    }
    installed
}
