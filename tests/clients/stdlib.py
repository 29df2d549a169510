"""Python's smtplib, imaplib and poplib against one box, as programs use them.

Arguments: address, password, and the ports for SMTP, submission, submissions, IMAP, IMAPS, POP3, POP3S.
Ends with 0 when everything was as a mail program needs it; an assertion says what was not.
"""

import email
import email.policy
import imaplib
import poplib
import smtplib
import ssl
import sys
import time
from email.message import EmailMessage

HOST = "127.0.0.1"
PATIENCE_S = 240


def main():
    address, password = sys.argv[1:3]
    smtp, submission, submissions, imap, imaps, pop3, pop3s = map(int, sys.argv[3:])
    # The boxes sign their own certificate.
    tls = ssl.create_default_context()
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE

    try_smtp(smtp, submission, submissions, address, password, tls)
    try_imap(imap, imaps, address, password, tls)
    try_pop3(pop3, pop3s, address, password, tls)
    print("all is well")


def try_smtp(smtp, submission, submissions, address, password, tls):
    with smtplib.SMTP(HOST, submission, timeout=PATIENCE_S) as client:
        client.ehlo()
        assert not client.has_extn("auth"), "AUTH is offered without TLS"
        client.starttls(context=tls)
        client.ehlo()
        for extension in ("auth", "size", "8bitmime", "pipelining"):
            assert client.has_extn(extension), f"{extension} is not offered: {client.esmtp_features}"
        client.login(address, password)
        client.send_message(message(address, "by submission"))
        assert client.noop()[0] == 250

    with smtplib.SMTP_SSL(HOST, submissions, timeout=PATIENCE_S, context=tls) as client:
        client.login(address, password)
        client.send_message(message(address, "by submissions"))

    with smtplib.SMTP_SSL(HOST, submissions, timeout=PATIENCE_S, context=tls) as client:
        try:
            client.login(address, password + "x")
            raise AssertionError("a wrong password was taken")
        except smtplib.SMTPAuthenticationError as error:
            assert error.smtp_code == 535, error

    with smtplib.SMTP(HOST, smtp, timeout=PATIENCE_S) as client:
        client.starttls(context=tls)
        text = b"Subject: by SMTP\r\n\r\n.a dot\r\n..two\r\n.\r\nlast line"
        assert client.sendmail("sender@elsewhere.test", [address], text) == {}
        try:
            client.sendmail("sender@elsewhere.test", ["someone@elsewhere.test"], text)
            raise AssertionError("an open relay")
        except smtplib.SMTPRecipientsRefused as error:
            code, _ = error.recipients["someone@elsewhere.test"]
            assert 500 <= code < 600, error


def try_imap(imap, imaps, address, password, tls):
    client = imaplib.IMAP4(HOST, imap, timeout=PATIENCE_S)
    assert "LOGINDISABLED" in client.capabilities, client.capabilities
    client.starttls(ssl_context=tls)
    assert "LOGINDISABLED" not in client.capabilities, client.capabilities
    ok(client.login(address, password))
    ok(client.logout(), "BYE")

    client = imaplib.IMAP4_SSL(HOST, imaps, timeout=PATIENCE_S, ssl_context=tls)
    ok(client.login(address, password))
    names = ok(client.list())
    assert any(b"INBOX" in name for name in names), names
    wait_for_mail(client, 3)

    found = ok(client.search(None, "SUBJECT", '"by submission"'))[0].split()
    assert len(found) == 2, found  # also "by submissions"
    number = ok(client.search(None, "SUBJECT", '"by submissions"'))[0].split()[0]
    (_, raw), *_ = ok(client.fetch(number, "(RFC822)"))
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    # smtplib sends it with these line ends.
    sent = message(address, "by submissions").as_bytes(policy=email.policy.SMTP)
    sent = email.message_from_bytes(sent, policy=email.policy.default)
    assert parsed["Subject"] == "by submissions", parsed["Subject"]
    assert parsed.get_body().get_content() == sent.get_body().get_content()
    attachment = next(parsed.iter_attachments())
    assert attachment.get_content() == bytes(range(256)), "the attachment is altered"

    assert b"\\Seen" in b" ".join(ok(client.fetch(number, "(FLAGS)"))), "RFC822 did not set \\Seen"
    ok(client.store(number, "+FLAGS", "\\Flagged"))
    assert ok(client.search(None, "FLAGGED"))[0].split() == [number]
    structure = b" ".join(ok(client.fetch(number, "(BODYSTRUCTURE ENVELOPE)")))
    assert b"application" in structure.lower(), structure

    ok(client.create("Projects"))
    ok(client.copy(number, "Projects"))
    ok(client.append("Projects", "\\Draft", imaplib.Time2Internaldate(time.time()), b"Subject: appended\r\n\r\nx\r\n"))
    status = ok(client.status("Projects", "(MESSAGES UIDNEXT)"))[0]
    assert b"MESSAGES 2" in status, status
    assert int(ok(client.select("Projects"))[0]) == 2
    ok(client.store("1:*", "+FLAGS", "\\Deleted"))
    assert len(ok(client.expunge())) == 2
    assert int(ok(client.select("INBOX"))[0]) == 3
    ok(client.logout(), "BYE")


def try_pop3(pop3, pop3s, address, password, tls):
    client = poplib.POP3(HOST, pop3, timeout=PATIENCE_S)
    client.stls(context=tls)
    client.user(address)
    client.pass_(password)
    assert client.stat()[0] == 3, client.stat()
    client.quit()

    client = poplib.POP3_SSL(HOST, pop3s, timeout=PATIENCE_S, context=tls)
    client.user(address)
    client.pass_(password)
    _, sizes, _ = client.list()
    _, ids, _ = client.uidl()
    assert len(sizes) == len(ids) == 3, (sizes, ids)
    for line in sizes:
        number, size = map(int, line.split())
        _, lines, _ = client.retr(number)
        octets = sum(len(text) + 2 for text in lines)
        assert octets == size, f"message {number}: LIST says {size}, RETR gives {octets}"
    last = [client.retr(number)[1] for number in (1, 2, 3)]
    dotted = next(lines for lines in last if b"Subject: by SMTP" in lines)
    assert dotted[-4:] == [b".a dot", b"..two", b".", b"last line"], dotted
    _, top, _ = client.top(1, 0)
    assert any(line.startswith(b"Subject:") for line in top), top
    client.dele(1)
    client.rset()
    client.dele(2)
    client.quit()

    client = poplib.POP3_SSL(HOST, pop3s, timeout=PATIENCE_S, context=tls)
    client.user(address)
    client.pass_(password)
    _, left, _ = client.uidl()
    assert [line.split()[1] for line in left] == [line.split()[1] for line in (ids[0], ids[2])], left
    client.quit()


def message(address, subject):
    mail = EmailMessage()
    mail["From"] = mail["To"] = address
    mail["Subject"] = subject
    mail.set_content("naïve café\n.a line that begins with a dot\n" * 50)
    mail.add_attachment(bytes(range(256)), maintype="application", subtype="octet-stream")
    return mail


def wait_for_mail(client, count):
    """Mail is acknowledged before it is in the index: it shows a moment later."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := int(ok(client.select("INBOX"))[0])) != count:
        assert time.monotonic() < deadline, f"{found} messages instead of {count}"
        time.sleep(0.05)


def ok(answer, expected="OK"):
    kind, data = answer
    assert kind == expected, answer
    return data


if __name__ == "__main__":
    main()
