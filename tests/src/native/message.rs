//! Messages that can be told apart and checked byte for byte.

/// A message with a number, whose text follows from the number: of many sizes, with dots at the beginning of lines,
/// 8-bit text and long lines. Each line ends in CRLF.
#[must_use]
pub fn sample(number: u64) -> Vec<u8> {
    let mut text = format!(
        "From: Sender {number} <sender@elsewhere.test>\r\n\
         To: someone@{}\r\n\
         Subject: message {number}\r\n\
         Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\
         Message-ID: <{number}@elsewhere.test>\r\n\
         {NUMBER}{number}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n",
        super::DOMAIN
    );
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let lines = [1, 3, 20, 200, 1500][(number % 5) as usize];
    for line in 0..lines {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(line);
        text += match state >> 61 {
            0 => ".",
            1 => "..dots",
            2 => "naïve café – ",
            3 => "",
            _ => "line ",
        };
        // Hexadecimal of something arbitrary: compresses by half, like mail does.
        text += &format!("{state:016x}").repeat((state >> 33 & 3) as usize);
        text += "\r\n";
    }
    text.into_bytes()
}

/// The number of a [`sample`], wherever it stands in the header.
#[must_use]
pub fn number_of(message: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(message);
    let line = text.split("\r\n").take_while(|line| !line.is_empty());
    line.filter_map(|line| line.strip_prefix(NUMBER)?.parse().ok()).next()
}

/// A delivered message without the trace fields that the receiving server put on top (RFC 5321 §4.4), or `None` when
/// it does not end with what was sent, or has something else on top.
#[must_use]
pub fn without_trace<'a>(delivered: &'a [u8], sent: &[u8]) -> Option<&'a [u8]> {
    let (top, rest) = delivered.split_at_checked(delivered.len().checked_sub(sent.len())?)?;
    let top = std::str::from_utf8(top).ok()?;
    let whole = top.is_empty() || top.ends_with("\r\n");
    let trace = top.split_terminator("\r\n").all(|line| {
        line.starts_with([' ', '\t'])
            || line.starts_with("Return-Path:")
            || line.starts_with("Received:")
    });
    (rest == sent && whole && trace).then_some(rest)
}

const NUMBER: &str = "X-Number: ";

#[test]
fn samples_are_mail_and_can_be_told_apart() {
    for number in 0..50 {
        let message = sample(number);
        assert_eq!(number_of(&message), Some(number));
        assert_eq!(rack::client::as_sent(&message), message, "line ends of {number}");
    }
}

#[test]
fn only_trace_fields_may_stand_on_top() {
    let sent = b"A: b\r\n\r\nc\r\n";
    let with = |top: &str| [top.as_bytes(), sent].concat();
    assert!(without_trace(&with(""), sent).is_some());
    assert!(without_trace(&with("Return-Path: <x>\r\nReceived: y\r\n\tz\r\n"), sent).is_some());
    assert!(without_trace(&with("X-Odd: y\r\n"), sent).is_none());
    assert!(without_trace(&with("Received: y"), sent).is_none());
    assert!(without_trace(b"A: b\r\n\r\nd\r\n", sent).is_none());
}
