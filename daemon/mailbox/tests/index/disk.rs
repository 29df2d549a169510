//! The redb file: what a kill, a damaged file and another log make of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mailbox::Index;
use record::Record;

use crate::history::{self, Random, Uids};

const LOG: u128 = 5;
/// Where the child of the kill test finds its index.
const CHILD_PATH: &str = "MAILBOX_TEST_PATH";

#[test]
fn it_opens_where_it_was_left() {
    let folder = Folder::new("reopen");
    let log = log(1);
    let index = Index::open_redb(folder.index(), LOG).unwrap();
    index.apply(&log[..40]).unwrap();
    index.apply(&log[40..80]).unwrap();
    index.checkpoint().unwrap();
    assert_eq!((index.applied(), index.durable_applied()), (80, 80));
    let digest = index.digest().unwrap();
    drop(index);
    let index = Index::open_redb(folder.index(), LOG).unwrap();
    assert_eq!((index.applied(), index.durable_applied()), (80, 80));
    assert_eq!(index.digest().unwrap(), digest);
    index.apply(&log).unwrap();
    assert_eq!(index.digest().unwrap(), in_memory(&log), "what was applied is passed over");
}

#[test]
fn only_a_checkpoint_is_durable() {
    let folder = Folder::new("durable");
    let index = Index::open_redb(folder.index(), LOG).unwrap();
    index.apply(&log(1)[..10]).unwrap();
    assert_eq!((index.applied(), index.durable_applied()), (10, 0));
    index.checkpoint().unwrap();
    assert_eq!(index.durable_applied(), 10);
}

#[test]
fn a_file_that_cannot_be_trusted_is_begun_anew() {
    type Spoil = fn(&Path);
    let spoil: &[(&str, Spoil)] = &[
        ("no file", |path| fs::remove_file(path).unwrap()),
        ("an empty file", |path| fs::write(path, b"").unwrap()),
        ("another file", |path| fs::write(path, vec![b'x'; 100_000]).unwrap()),
        ("cut short", |path| cut(path, |bytes| bytes.truncate(bytes.len() / 2))),
        ("one page left", |path| cut(path, |bytes| bytes.truncate(4096))),
        ("no header", |path| cut(path, |bytes| bytes[..4096].fill(0))),
        ("a spoilt header", |path| {
            cut(path, |bytes| bytes[..512].iter_mut().for_each(|b| *b ^= 0x55))
        }),
        ("everything but the header is gone", |path| cut(path, |bytes| bytes[4096..].fill(0))),
        ("suspect since an earlier run", |path| {
            fs::write(path.with_extension("redb.suspect"), b"").unwrap()
        }),
    ];
    let log = log(2);
    for (what, spoil) in spoil {
        let folder = Folder::new("damaged");
        let index = Index::open_redb(folder.index(), LOG).unwrap();
        index.apply(&log).unwrap();
        index.checkpoint().unwrap();
        drop(index);
        spoil(&folder.index());
        for _ in 0..2 {
            let index = Index::open_redb(folder.index(), LOG).expect(what);
            assert_eq!((index.applied(), index.durable_applied()), (0, 0), "{what}");
        }
        let index = Index::open_redb(folder.index(), LOG).expect(what);
        index.apply(&log).unwrap();
        assert_eq!(index.digest().unwrap(), in_memory(&log), "{what}");
    }
}

/// Wherever bytes rot, the index is what it was or it begins anew; it never shows something else.
#[test]
fn rotten_bytes_are_noticed() {
    let log = log(2);
    let folder = Folder::new("rotten");
    let index = Index::open_redb(folder.index(), LOG).unwrap();
    index.apply(&log).unwrap();
    index.checkpoint().unwrap();
    drop(index);
    let good = fs::read(folder.index()).unwrap();
    let mut begun_anew = 0;
    let mut random = Random(1);
    for round in 0..40 {
        let at = random.below(good.len() as u64 - 64) as usize;
        let mut bytes = good.clone();
        bytes[at..at + 64].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(folder.index(), bytes).unwrap();
        let index = Index::open_redb(folder.index(), LOG).unwrap();
        begun_anew += u32::from(index.applied() == 0);
        index.apply(&log).unwrap();
        assert_eq!(index.digest().unwrap(), in_memory(&log), "round {round}, bytes at {at}");
    }
    assert!(begun_anew > 0);
}

#[test]
fn the_index_of_another_log_is_begun_anew() {
    let folder = Folder::new("other-log");
    let index = Index::open_redb(folder.index(), LOG).unwrap();
    index.apply(&log(3)).unwrap();
    index.checkpoint().unwrap();
    drop(index);
    let index = Index::open_redb(folder.index(), LOG + 1).unwrap();
    assert_eq!(index.applied(), 0);
    assert_eq!(index.digest().unwrap(), Index::memory().digest().unwrap());
}

#[test]
fn an_open_index_is_not_taken_away() {
    let folder = Folder::new("open");
    let index = Index::open_redb(folder.index(), LOG).unwrap();
    index.apply(&log(3)).unwrap();
    assert!(Index::open_redb(folder.index(), LOG).is_err());
    drop(index);
    assert_eq!(Index::open_redb(folder.index(), LOG).unwrap().applied(), log(3).len() as u64);
}

#[test]
fn readers_see_whole_batches() {
    let folder = Folder::new("readers");
    let index = Index::open_redb(folder.index(), LOG).unwrap();
    let log = log(4);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while index.applied() < log.len() as u64 {
                for mailbox in index.mailboxes_all().unwrap() {
                    index.messages(mailbox.id).unwrap();
                }
                std::thread::yield_now();
            }
        });
        for batch in log.chunks(3) {
            index.apply(batch).unwrap();
        }
        index.checkpoint().unwrap();
        reader.join().unwrap();
    });
    assert_eq!(index.digest().unwrap(), in_memory(&log));
}

/// Kill -9 at some moment: the index opens, knows no more than it was given, and the log brings it to
/// where it would have been.
#[test]
fn killed_at_any_moment_it_catches_up() {
    for (round, lines) in [1, 4, 9, 23, 40].into_iter().enumerate() {
        let folder = Folder::new(&format!("kill-{round}"));
        let (given, durable) = kill_after(&folder, lines);
        let log = log(6);
        let index = Index::open_redb(folder.index(), LOG).unwrap();
        let applied = index.applied();
        assert!((durable..=given).contains(&applied), "{durable} {applied} {given}");
        index.apply(&log).unwrap();
        assert_eq!(index.digest().unwrap(), in_memory(&log), "killed after {lines} lines");
    }
}

/// Runs the child until it has said `lines` lines; returns what it was last given, and what it last knew
/// to be durable.
fn kill_after(folder: &Folder, lines: usize) -> (u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "disk::child_applies_until_killed", "--ignored", "--nocapture"])
        .env(CHILD_PATH, folder.index())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = (0, 0);
    let mut heard = 0;
    while let Some(Ok(line)) = said.next() {
        match line.split_once(' ') {
            Some(("given", n)) => last.0 = n.parse().unwrap(),
            Some(("durable", n)) => last.1 = n.parse().unwrap(),
            _ => continue,
        }
        heard += 1;
        if heard == lines {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(heard >= lines, "the child said {heard} lines");
    last
}

#[test]
#[ignore = "the child of killed_at_any_moment_it_catches_up"]
fn child_applies_until_killed() {
    let Some(path) = std::env::var_os(CHILD_PATH) else { return };
    let index = Index::open_redb(path, LOG).unwrap();
    let mut out = std::io::stdout();
    for (n, batch) in log(6).chunks(3).enumerate() {
        writeln!(out, "\ngiven {}", batch.last().unwrap().0 + 1).unwrap();
        index.apply(batch).unwrap();
        if n % 4 == 3 {
            index.checkpoint().unwrap();
            writeln!(out, "\ndurable {}", index.durable_applied()).unwrap();
        }
    }
    // Whoever waits to kill it need not hurry; when nobody does any more, this ends.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn log(seed: u64) -> Vec<(u64, Record)> {
    let history = history::random(seed, 150, Uids::Lanes);
    (0..).zip(history.into_iter().map(|written| written.record)).collect()
}

fn in_memory(log: &[(u64, Record)]) -> [u8; 32] {
    let index = Index::memory();
    index.apply(log).unwrap();
    index.digest().unwrap()
}

fn cut(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// A folder of this test's own, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("mailbox-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn index(&self) -> PathBuf {
        self.0.join("index.redb")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
