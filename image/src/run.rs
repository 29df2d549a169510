//! Running other programs: output is kept, and a failure says the command and what it printed.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Runs a command with no input and returns what it printed on stdout.
///
/// Fails with the command line and the last lines of its error output when it does not end well.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = finish(command)?;
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed something that is not UTF-8", spell(command)))
}

/// Runs a command for its effect.
pub fn quiet(command: &mut Command) -> Result<()> {
    finish(command).map(drop)
}

/// Runs a command whose bytes on stdout matter.
pub fn bytes(command: &mut Command) -> Result<Vec<u8>> {
    finish(command).map(|output| output.stdout)
}

/// Runs a command and hands each line that it prints on stdout to `each`, as it comes.
///
/// For commands that take long: `each` drives a progress line.
pub fn watch(command: &mut Command, mut each: impl FnMut(&str)) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", spell(command)))?;
    let mut stderr = child.stderr.take().expect("stderr is piped above");
    let errors = std::thread::spawn(move || {
        let mut text = Vec::new();
        // A broken pipe ends the text early; the exit status below still tells.
        let _ = stderr.read_to_end(&mut text);
        text
    });
    let mut said = Vec::new();
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped above"));
    for line in stdout.split(b'\n') {
        let line = line?;
        each(&String::from_utf8_lossy(&line));
        said.extend_from_slice(&line);
        said.push(b'\n');
    }
    let status = child.wait()?;
    let stderr = errors.join().unwrap_or_default();
    check(command, &Output { status, stdout: said, stderr })
}

/// Where a program is: PATH first, then the folders that a plain user's PATH leaves out.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// A command for a program wherever `find_program` finds it.
pub fn program(name: &str) -> Result<Command> {
    match find_program(name) {
        Some(path) => Ok(Command::new(path)),
        None => bail!("{name} is not installed here; `twinpost host --install` gets it"),
    }
}

/// The command as a person would type it.
pub fn spell(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// The last lines of a program's output: errors stand at the end.
pub fn tail(text: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn finish(command: &mut Command) -> Result<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", spell(command)))?;
    check(command, &output).map(|()| output)
}

fn check(command: &Command, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    bail!("`{}` ended with {}:\n{}", spell(command), output.status, tail(said, ERROR_LINES));
}

/// How much of a failed program's output an error carries.
const ERROR_LINES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo trouble >&2; exit 3"]);
        let error = quiet(&mut command).unwrap_err().to_string();
        assert!(error.contains("trouble") && error.contains("exit status: 3"), "{error}");
    }

    #[test]
    fn watching_sees_each_line_and_the_failure() {
        let mut seen = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; echo bad >&2; exit 1"]);
        let error = watch(&mut command, |line| seen.push(line.to_owned())).unwrap_err();
        assert_eq!(seen, ["one", "two"]);
        assert!(error.to_string().contains("bad"), "{error}");
    }

    #[test]
    fn tail_keeps_the_end() {
        assert_eq!(tail(b"a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail(b"a", 2), "a");
    }
}
