//! The messages of a check: from a folder, or the nasty ones of Python's test suite.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::mbox;
use crate::deb::Deb;
use crate::progress::Step;
use crate::{host, plan, run};

/// What was found.
#[derive(Debug, Default)]
pub struct Corpus {
    /// The messages as they are sent: each line ends in CRLF.
    pub messages: Vec<Message>,
    /// Files, or parts of mailbox files, without a single character to send.
    pub not_mail: Vec<String>,
    /// How many files were looked at.
    pub files: usize,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it came from, for a person who looks for it.
    pub name: String,
    /// What goes over the wire, before dots are stuffed.
    pub bytes: Vec<u8>,
}

impl Corpus {
    /// How many bytes all messages have.
    pub fn bytes(&self) -> u64 {
        self.messages.iter().map(|message| message.bytes.len() as u64).sum()
    }

    fn add(&mut self, name: String, file: &[u8]) {
        if file.trim_ascii().is_empty() {
            self.not_mail.push(name);
        } else {
            self.messages.push(Message { name, bytes: rack::client::as_sent(file) });
        }
    }

    fn add_file(&mut self, name: &str, file: &[u8]) {
        self.files += 1;
        if !mbox::is_mbox(file) {
            return self.add(name.to_owned(), file);
        }
        for (n, message) in mbox::messages(file).into_iter().enumerate() {
            self.add(format!("{name}#{}", n + 1), message);
        }
    }
}

/// Every file below a folder.
pub fn read(folder: &Path) -> Result<Corpus> {
    let step = Step::spinner("messages");
    let mut files = Vec::new();
    walk(folder, &mut files)?;
    let corpus = of_files(folder, files)?;
    step.done(describe(&corpus));
    Ok(corpus)
}

/// The messages of Debian's package of Python's test suite, installed or not.
pub fn of_python() -> Result<Corpus> {
    let folder = match installed_suite() {
        Some(folder) => folder,
        None => fetched_suite()?,
    };
    let mut files = Vec::new();
    walk(&folder, &mut files)?;
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("msg_") && name.ends_with(".txt")
    });
    let step = Step::spinner("messages");
    let corpus = of_files(&folder, files)?;
    step.done(describe(&corpus));
    Ok(corpus)
}

fn describe(corpus: &Corpus) -> String {
    let (messages, bytes) = (corpus.messages.len(), crate::progress::human(corpus.bytes()));
    format!("{messages} messages, {bytes}, from {} files", corpus.files)
}

fn of_files(folder: &Path, mut files: Vec<PathBuf>) -> Result<Corpus> {
    files.sort();
    let mut corpus = Corpus::default();
    for path in files {
        let file =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        corpus.add_file(&name, &file);
    }
    ensure!(!corpus.messages.is_empty(), "there is no message in {}", folder.display());
    Ok(corpus)
}

/// Regular files, also behind symbolic links; folders behind links are left out, for they may lead
/// in circles.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), files)?;
        } else if entry.path().is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn installed_suite() -> Option<PathBuf> {
    suite_below(Path::new("/"))
}

/// Where the messages are below the root of a system or of an unpacked package.
fn suite_below(root: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(root.join("usr/lib")).ok()?;
    let mut folders: Vec<PathBuf> = versions
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"))
        .map(|entry| entry.path().join("test/test_email/data"))
        .filter(|folder| folder.join("msg_01.txt").is_file())
        .collect();
    folders.sort();
    folders.pop()
}

fn fetched_suite() -> Result<PathBuf> {
    let cache = plan::cache(&plan::find_tree()?);
    std::fs::create_dir_all(&cache)?;
    let deb = Deb::fetch(&suite_package()?, &cache)?;
    let root = deb.unpack(&cache)?;
    suite_below(&root)
        .with_context(|| format!("{} holds no messages where they were expected", deb.package))
}

/// Its name has Python's version in it.
fn suite_package() -> Result<String> {
    let search = || -> Result<Option<String>> {
        let mut command = run::program("apt-cache")?;
        command.args(["search", "--names-only", r"^libpython3\.[0-9]+-testsuite$"]);
        let found = run::capture(&mut command)?;
        Ok(found.lines().filter_map(|line| line.split(' ').next()).max().map(str::to_owned))
    };
    if let Some(package) = search()? {
        return Ok(package);
    }
    host::refresh_lists(&Step::spinner("package"))?;
    search()?.context("Debian has no package libpython3.*-testsuite here; use --mail DIR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_files_and_mailboxes() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        std::fs::create_dir(&below).unwrap();
        for (name, text) in [
            ("a.eml", "A: 1\n\nx\n"),
            ("below/b", "From a\nB: 1\n\n\nFrom b\n\nFrom c\nB: 2\r\n"),
            ("below/empty", ""),
            ("blank", " \r\n\n"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let corpus = read(folder.path()).unwrap();
        let messages: Vec<_> = corpus
            .messages
            .iter()
            .map(|message| (message.name.as_str(), String::from_utf8_lossy(&message.bytes)))
            .collect();
        assert_eq!(
            messages,
            [
                ("a.eml", "A: 1\r\n\r\nx\r\n".into()),
                ("below/b#1", "B: 1\r\n\r\n".into()),
                ("below/b#3", "B: 2\r\n".into()),
            ]
        );
        assert_eq!(corpus.not_mail, ["below/b#2", "below/empty", "blank"]);
        assert_eq!(corpus.files, 4);
    }

    #[test]
    fn a_folder_without_messages_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
    }
}
