//! Whatever comes in, in whatever order: no panic, no second question, nothing behind Close.

use pop3::{
    Answer, Ask, Config, DeleteAnswer, Input, Limits, LoginAnswer, MaildropAnswer, Output,
    ReadAnswer, Row, Session,
};

use crate::client::{plaintext, start, tls};

/// SplitMix64: enough for tests, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

const PIECES: &[&[u8]] = &[
    b"CAPA\r\n",
    b"STLS\r\n",
    b"USER a\r\n",
    b"PASS b\r\n",
    b"USER a\r\nPASS b\r\n",
    b"AUTH PLAIN AGEAYg==\r\n",
    b"AUTH PLAIN\r\n",
    b"AGEAYg==\r\n",
    b"*\r\n",
    b"STAT\r\n",
    b"LIST\r\n",
    b"UIDL 1\r\n",
    b"RETR 1\r\n",
    b"RETR 2\r\nRETR 2\r\n",
    b"TOP 1 1\r\n",
    b"TOP 2 0\r\n",
    b"DELE 1\r\n",
    b"DELE 0\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"AUTH ",
    b"LIST ",
];

/// Plays one seed, and says how many messages were read.
fn play(seed: u64, config: Config) -> usize {
    let mut random = Random(seed);
    let now = start();
    let mut session = Session::new(config, now);
    let mut asked: Option<Ask> = None;
    let mut closed = false;
    let mut read = 0;
    for _ in 0..300 {
        if let Some(ask) = asked.take_if(|_| random.below(3) > 0) {
            session.handle(now, Input::Answer(random_answer(&ask, &mut random)));
        }
        let bytes = match random.below(10) {
            0 => (0..random.below(40)).map(|_| random.next() as u8).collect(),
            _ => PIECES[random.below(PIECES.len())].to_vec(),
        };
        match random.below(200) {
            0 => session.handle(now, Input::Closing { reason: "b\r\nye".to_owned() }),
            1 => session.handle(now, Input::Bytes(b"\r\nQUIT\r\n")),
            2..5 => session.handle(now, Input::TlsStarted),
            _ => session.handle(now, Input::Bytes(&bytes)),
        }
        while let Some(output) = session.poll() {
            assert!(!closed, "seed {seed}: nothing follows Close");
            match output {
                Output::Send(bytes) => assert!(bytes.ends_with(b"\r\n"), "seed {seed}"),
                Output::StartTls => {}
                Output::Close => {
                    closed = true;
                    // The box drops the question with the session.
                    asked = None;
                }
                Output::Ask(ask) => {
                    assert!(asked.is_none(), "seed {seed}: a second question");
                    read += usize::from(matches!(ask, Ask::Read { .. }));
                    asked = Some(ask);
                }
            }
        }
        assert_eq!(session.deadline().is_none(), closed || asked.is_some(), "seed {seed}");
    }
    read
}

fn random_answer(ask: &Ask, random: &mut Random) -> Answer {
    let text = || "no\r\n+OK".to_owned();
    let good = random.below(3) > 0;
    match ask {
        Ask::Login { .. } if good => Answer::Login(LoginAnswer::Accepted { account: 1 }),
        Ask::Login { .. } => Answer::Login(LoginAnswer::Denied),
        Ask::OpenMaildrop { .. } if good => {
            let rows = (0..random.below(4)).map(|at| Row { entry: at as u128, size_bytes: 9 });
            Answer::OpenMaildrop(MaildropAnswer::Open(rows.collect()))
        }
        Ask::OpenMaildrop { .. } => Answer::OpenMaildrop(MaildropAnswer::InUse),
        Ask::Read { .. } if good => {
            let message = (0..random.below(50)).map(|_| b"\r\n.a"[random.below(4)]);
            Answer::Read(ReadAnswer::Message(message.collect()))
        }
        Ask::Read { .. } => Answer::Read(ReadAnswer::Unavailable(text())),
        Ask::Delete { .. } if good => Answer::Delete(DeleteAnswer::Deleted),
        Ask::Delete { .. } => Answer::Delete(DeleteAnswer::Unavailable(text())),
    }
}

#[test]
fn anything_may_come() {
    // Without these a session ends before it gets anywhere.
    let patient = |config: Config| Config {
        limits: Limits {
            bad_commands_max: u32::MAX,
            failed_logins_max: u32::MAX,
            ..Limits::default()
        },
        ..config
    };
    let mut read = 0;
    for seed in 0..1000 {
        play(seed, plaintext());
        read += play(seed, patient(plaintext()));
        read += play(seed, patient(tls()));
    }
    assert!(read > 1000, "the walk is too timid: {read} messages");
}
