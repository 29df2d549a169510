//! The sled folder: what a kill, damaged files and another log make of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use record::{Op, Record, Side};
use users::{Error, Users};

use crate::writing::{create, in_memory, record, remove, set_password, setting};

const LOG: u128 = 5;
/// Where the child of the kill test finds its store.
const CHILD_PATH: &str = "USERS_TEST_PATH";

#[test]
fn it_opens_where_it_was_left() {
    let folder = Folder::new("reopen");
    let log = log();
    let users = open(&folder);
    replay(&users, &log[..100]);
    assert_eq!((users.applied(), users.durable_applied()), (100, 0));
    users.checkpoint().unwrap();
    assert_eq!((users.applied(), users.durable_applied()), (100, 100));
    drop(users);
    let users = open(&folder);
    assert_eq!((users.applied(), users.durable_applied()), (100, 100));
    assert_eq!(digest(&users), digest(&in_memory(&log[..100])));
    replay(&users, &log);
    assert_eq!(digest(&users), digest(&in_memory(&log)));
    assert!(!folder.beside("damaged").exists());
}

#[test]
fn a_position_that_changed_nothing_is_kept_by_the_checkpoint() {
    let folder = Folder::new("position");
    let users = open(&folder);
    for position in 0..50 {
        users.apply(position, &record(Side::A, position, Op::Start)).unwrap();
    }
    users.checkpoint().unwrap();
    drop(users);
    assert_eq!(open(&folder).applied(), 50);
}

#[test]
fn a_store_that_cannot_be_trusted_is_begun_anew() {
    type Spoil = fn(&Path);
    let spoil: &[(&str, Spoil)] = &[
        ("no folder", |path| fs::remove_dir_all(path).unwrap()),
        ("an empty folder", |path| {
            fs::remove_dir_all(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("a file", |path| {
            fs::remove_dir_all(path).unwrap();
            fs::write(path, b"x").unwrap();
        }),
        ("no db", |path| fs::remove_file(path.join("db")).unwrap()),
        ("another db", |path| fs::write(path.join("db"), vec![b'x'; 600_000]).unwrap()),
        ("db is zeros", |path| change(&path.join("db"), |bytes| bytes.fill(0))),
        ("db has a hole", |path| {
            change(&path.join("db"), |bytes| bytes[1000..20_000].fill(0));
        }),
        ("db has one bad byte", |path| change(&path.join("db"), |bytes| bytes[5000] ^= 0x55)),
        ("db is cut", |path| change(&path.join("db"), |bytes| bytes.truncate(3000))),
        ("another conf", |path| fs::write(path.join("conf"), vec![b'x'; 64]).unwrap()),
        ("suspect since an earlier run", |path| {
            fs::write(path.with_file_name("users.suspect"), b"").unwrap();
        }),
    ];
    let log = log();
    for (what, spoil) in spoil {
        let folder = Folder::new("damaged");
        let users = open(&folder);
        replay(&users, &log);
        users.checkpoint().unwrap();
        drop(users);
        spoil(&folder.users());
        let users = Users::open_sled(folder.users(), LOG).expect(what);
        // sled may mend what was spoilt, or take an older state for the newest: both are true states.
        let applied = users.applied();
        assert_eq!(digest(&users), digest(&in_memory(&log[..applied as usize])), "{what}");
        replay(&users, &log);
        assert_eq!(digest(&users), digest(&in_memory(&log)), "{what}");
        users.checkpoint().unwrap();
        drop(users);
        assert_eq!(open(&folder).applied(), log.len() as u64, "{what}");
    }
}

/// Wherever bytes rot, the store is a state that it once was; it never shows something else.
#[test]
fn rotten_bytes_are_noticed() {
    let log = log();
    let folder = Folder::new("rotten");
    let users = open(&folder);
    replay(&users, &log);
    users.checkpoint().unwrap();
    drop(users);
    let good = fs::read(folder.users().join("db")).unwrap();
    let used = good.iter().rposition(|byte| *byte != 0).unwrap();
    for round in 0..40 {
        let at = used * round / 40;
        let mut bytes = good.clone();
        bytes[at..].iter_mut().take(64).for_each(|byte| *byte ^= 0x5a);
        fs::write(folder.users().join("db"), bytes).unwrap();
        let users = open(&folder);
        let applied = users.applied();
        assert_eq!(digest(&users), digest(&in_memory(&log[..applied as usize])), "bytes at {at}");
        replay(&users, &log);
        assert_eq!(digest(&users), digest(&in_memory(&log)), "bytes at {at}");
    }
}

#[test]
fn a_half_made_snapshot_is_no_obstacle() {
    let folder = Folder::new("snapshot");
    let users = open(&folder);
    replay(&users, &log());
    users.checkpoint().unwrap();
    drop(users);
    fs::write(folder.users().join("snap.0000000000001000.generating"), b"half").unwrap();
    let users = open(&folder);
    assert_eq!(users.applied(), log().len() as u64);
    assert!(!folder.beside("damaged").exists());
}

#[test]
fn the_store_of_another_log_is_moved_away() {
    let folder = Folder::new("other-log");
    let users = open(&folder);
    replay(&users, &log());
    users.checkpoint().unwrap();
    drop(users);
    let users = Users::open_sled(folder.users(), LOG + 1).unwrap();
    assert_eq!(users.applied(), 0);
    assert_eq!(digest(&users), digest(&Users::memory()));
    assert!(folder.beside("damaged").exists());
}

#[test]
fn an_open_store_is_not_taken_away() {
    let folder = Folder::new("open");
    let users = open(&folder);
    assert!(matches!(Users::open_sled(folder.users(), LOG), Err(Error::InUse { .. })));
    drop(users);
    open(&folder);
}

/// Kill -9 at some moment: the store opens, knows no more than it was given, and the log brings it to
/// where it would have been.
#[test]
fn killed_at_any_moment_it_catches_up() {
    for lines in [1, 5, 17, 50, 120] {
        let folder = Folder::new(&format!("kill-{lines}"));
        let (given, durable) = kill_after(&folder, lines);
        let log = log();
        let users = open(&folder);
        let applied = users.applied();
        assert!((durable..=given).contains(&applied), "{durable} {applied} {given}");
        assert_eq!(digest(&users), digest(&in_memory(&log[..applied as usize])));
        replay(&users, &log);
        assert_eq!(digest(&users), digest(&in_memory(&log)), "killed after {lines} lines");
        assert!(!folder.beside("damaged").exists());
    }
}

/// Runs the child until it has said `lines` lines; returns what it was last given, and what it last knew
/// to be durable.
fn kill_after(folder: &Folder, lines: usize) -> (u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "disk::child_applies_until_killed", "--ignored", "--nocapture"])
        .env(CHILD_PATH, folder.users())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = (0, 0);
    let mut heard = 0;
    for line in said.map_while(Result::ok) {
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
    let users = Users::open_sled(path, LOG).unwrap();
    let mut out = std::io::stdout();
    for (position, record) in (0..).zip(log()) {
        writeln!(out, "\ngiven {}", position + 1).unwrap();
        users.apply(position, &record).unwrap();
        if position % 16 == 15 {
            users.checkpoint().unwrap();
            writeln!(out, "\ndurable {}", users.durable_applied()).unwrap();
        }
    }
    // Whoever waits to kill it need not hurry; when nobody does any more, this ends.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// A hundred accounts that come, change and partly go, and some settings.
fn log() -> Vec<Record> {
    let mut ops = Vec::new();
    for id in 0..100 {
        ops.push(create(id, &format!("user{}@example.test", id % 90)));
        ops.push(set_password(id, &"x".repeat(90)));
        if id % 7 == 3 {
            ops.push(remove(id));
        }
        ops.push(setting(&format!("setting {}", id % 5), &format!("{id}")));
    }
    (0..).zip(ops).map(|(clock, op)| record(Side::A, clock, op)).collect()
}

fn replay(users: &Users, log: &[Record]) {
    for (position, record) in (0..).zip(log) {
        users.apply(position, record).unwrap();
    }
}

fn open(folder: &Folder) -> Users {
    Users::open_sled(folder.users(), LOG).unwrap()
}

fn digest(users: &Users) -> [u8; 32] {
    users.digest().unwrap()
}

fn change(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// A folder of this test's own, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("users-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn users(&self) -> PathBuf {
        self.0.join("users")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        self.0.join(format!("users.{suffix}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
