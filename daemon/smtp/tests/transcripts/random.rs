//! Whatever comes in, in whatever order: no panic, no second question, nothing behind Close.

use smtp::{
    Answer, Ask, AuthenticateAnswer, Config, DeliverAnswer, Input, Limits, Output, RecipientAnswer,
    SenderAnswer, Session,
};

use crate::client::{mx, start, submission, submission_tls};

/// SplitMix64: enough for tests, the same on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

const PIECES: &[&[u8]] = &[
    b"EHLO a\r\n",
    b"HELO a\r\n",
    b"STARTTLS\r\n",
    b"AUTH PLAIN AGEAYg==\r\n",
    b"AUTH PLAIN\r\n",
    b"AUTH LOGIN\r\n",
    b"AGEAYg==\r\n",
    b"*\r\n",
    b"MAIL FROM:<>\r\n",
    b"MAIL FROM:<a@b.c>\r\n",
    b"RCPT TO:<a@b.c>\r\n",
    b"RCPT TO:<postmaster>\r\n",
    b"DATA\r\n",
    b"text\r\n",
    b".\r\n",
    b"..\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"<",
    b"\"",
    b"MAIL FROM:<\"\\",
    b" SIZE=",
    b"@[IPv6:",
    b"RCPT TO:<@a:",
    b"\r\n.\r\nEHLO a\r\nMAIL FROM:<>\r\n",
    b"RCPT TO:<a@b.c>\r\nDATA\r\ntext\r\n.\r\n",
    b"AUTH ",
];

/// Plays one seed, and says how many messages were to be delivered.
fn play(seed: u64, config: Config) -> usize {
    let mut random = Random::new(seed);
    let now = start();
    let mut session = Session::new(config, now);
    let mut asked: Option<Ask> = None;
    let mut closed = false;
    let mut delivered = 0;
    for _ in 0..300 {
        if let Some(ask) = asked.take_if(|_| random.below(3) > 0) {
            session.handle(now, Input::Answer(random_answer(&ask, &mut random)));
        }
        let bytes = match random.below(10) {
            0 => (0..random.below(40)).map(|_| random.next() as u8).collect(),
            _ => random.pick(PIECES).to_vec(),
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
                Output::Close => closed = true,
                Output::Ask(ask) => {
                    assert!(asked.is_none(), "seed {seed}: a second question");
                    if let Ask::Deliver { envelope, .. } = &ask {
                        assert!(!envelope.recipients.is_empty(), "seed {seed}");
                        delivered += 1;
                    }
                    asked = Some(ask);
                }
            }
        }
        assert_eq!(session.deadline().is_none(), closed || asked.is_some(), "seed {seed}");
    }
    delivered
}

fn random_answer(ask: &Ask, random: &mut Random) -> Answer {
    let text = || "no\r\n250 yes".to_owned();
    match ask {
        Ask::Authenticate { .. } => Answer::Authenticate(
            random
                .pick(&[
                    AuthenticateAnswer::Accepted { account: 1, address: text() },
                    AuthenticateAnswer::Denied,
                    AuthenticateAnswer::Unavailable,
                ])
                .clone(),
        ),
        Ask::Sender { .. } => Answer::Sender(
            random
                .pick(&[
                    SenderAnswer::Allowed,
                    SenderAnswer::Refused,
                    SenderAnswer::Unavailable(text()),
                ])
                .clone(),
        ),
        Ask::Recipient { .. } => Answer::Recipient(
            random
                .pick(&[
                    RecipientAnswer::Accepted { account: 1 },
                    RecipientAnswer::Accepted { account: 2 },
                    RecipientAnswer::NoSuchUser,
                    RecipientAnswer::Refused(text()),
                ])
                .clone(),
        ),
        Ask::Deliver { .. } => Answer::Deliver(
            random.pick(&[DeliverAnswer::Delivered, DeliverAnswer::Rejected(text())]).clone(),
        ),
    }
}

#[test]
fn anything_may_come() {
    // Without these a session ends before it gets anywhere.
    let patient = |config: Config| Config {
        limits: Limits {
            bad_commands_max: u32::MAX,
            failed_authentications_max: u32::MAX,
            ..Limits::default()
        },
        ..config
    };
    let mut delivered = 0;
    for seed in 0..500 {
        play(seed, submission());
        play(seed, patient(submission()));
        delivered += play(seed, patient(mx()));
        delivered += play(seed, patient(submission_tls()));
    }
    assert!(delivered > 100, "the walk is too timid: {delivered} messages");
}
