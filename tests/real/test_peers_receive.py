#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Debian's Postfix, Exim or OpenSMTPD receives from mxhelmd, and refuses at every stage.

    test_peers_receive.py MXHELMD MXHELM WORLDD PEER [TEST...]
"""

import email
import email.policy
import re
import sys

from lab import BOUNCED, DELIVERED, HELD, QUEUED, wait_for
from peers.base import FEW, MANY, REFUSING, PeerCase, main
from peers.exim import Exim
from peers.opensmtpd import Opensmtpd, OpensmtpdOfDebian12
from peers.postfix import Postfix

# Lines that an implementation may trip over: dots, the longest that is allowed, blanks at the end.
SEVEN_BIT = (b".\r\n..\r\n.leading dot\r\n\r\n" + b"x" * 998 + b"\r\n\ttab and blanks  \r\n.\r\n")
EIGHT_BIT = SEVEN_BIT + "grüße €\r\n".encode() + bytes(range(128, 256)) + b"\r\n"
# By DATA; and over 1 MiB, so that it goes in chunks where these are offered (RFC 3030).
LARGE = [b"".join(b"%07d %s\r\n" % (i, b"." * (i % 70)) for i in range(n)) for n in (20000, 40000)]

# How a refusal ends. At the greeting and at EHLO it is about the host, not the mail, and never final.
ENDS = {name: QUEUED if name[-1] == "4" or name[:-1] in ("greeting", "ehlo") else BOUNCED
        for name in REFUSING}
STATUS = {QUEUED: "status=deferred", HELD: "status=deferred", BOUNCED: "status=bounced"}


class Receiving(PeerCase):
    conf_more = """[destination "tls.test"]
tls = verified
[destination "misnamed.test"]
tls = verified
[destination "clear.test"]
tls = required
"""

    def arrives_exactly(self, name, body, options=("BODY=8BITMIME",)):
        got = self.delivered(f"anna@{name}.test", content=b"Subject: exact\r\n\r\n" + body,
                             options=options)
        self.assertEqual(got.split(b"\n\n", 1)[1], body.replace(b"\r\n", b"\n"))

    def waits(self, to, words):
        """One try, and the mail is still here."""
        self.send(to)
        self.wait_for_state(to, QUEUED)
        self.assertRegex(self.log_of(to)[0], words)
        self.assertEqual(self.peer.mails(to), [])

    def test_content_arrives_octet_by_octet(self):
        self.arrives_exactly("src", SEVEN_BIT, options=())
        for name in ("src", "tls"):
            with self.subTest(name):
                self.arrives_exactly(name, EIGHT_BIT)

    def test_large_content_arrives_octet_by_octet(self):
        for name, body in (("src", LARGE[0]), ("src", LARGE[1]), ("tls", LARGE[1])):
            with self.subTest(name, size=len(body)):
                self.arrives_exactly(name, body, options=())

    def test_tls_by_level(self):
        for name, facts in (("src", ""), ("encrypted", "tls=encrypted, "), ("tls", "tls=verified, ")):
            with self.subTest(name):
                to = f"anna@{name}.test"
                self.delivered(to)
                line = self.log_of(to)[-1]
                self.assertIn(facts + "dsn=2.0.0, status=sent (250 ", line)
                self.assertEqual("tls=" in line, facts != "")

    def test_what_is_not_safe_enough_waits(self):
        self.waits("anna@clear.test", "dsn=4.7.4, status=deferred .TLS is required, but was not offered")
        self.waits("anna@misnamed.test", "tls=failed, dsn=4.7.5, status=deferred .*another name")

    def test_refusals_at_each_stage(self):
        for name in ENDS:
            self.send(f"anna@{name}.test", f"bert@{name}.test")
        for name, end in ENDS.items():
            with self.subTest(name):
                to = f"anna@{name}.test"
                # What is about our sender address is ours to mend: it is held.
                if end == BOUNCED and "Sender address rejected" in self.peer.replies[name]:
                    end = HELD
                self.wait_for_state(to, end)
                line = self.log_of(to)[0]
                self.assertRegex(line, self.peer.replies[name])
                self.assertIn(STATUS[end], line)
                # The other is refused with her, but where it was about her.
                self.wait_for_state(f"bert@{name}.test", DELIVERED if name[:-1] == "rcpt" else end)
        self.assertEqual([name for name in ENDS if self.peer.mails(f"anna@{name}.test")], [])

    def test_an_unknown_user(self):
        report = self.report_about("nobody@src.test")
        reply = self.peer.replies["nobody"]
        self.assertRegex(self.log_of("nobody@src.test")[0], reply)
        self.assertRegex(report["Diagnostic-Code"], "smtp; " + reply)
        self.assertEqual(report["Status"][0], "5")

    def report_about(self, to, **how):
        """Sends what will fail, and returns the report's fields about this recipient."""
        before = len(self.peer.mails("anna@src.test"))
        self.send(to, **how)
        self.wait_for_state(to, BOUNCED)

        def reports():
            return [m for m in self.peer.mails("anna@src.test")[before:]
                    if b"multipart/report" in m and to.encode() in m]
        got = wait_for(reports, 30, f"for the report about {to}")[0]
        # Python does not look into message/global-delivery-status (RFC 6533).
        unfolded = re.sub(r"\r?\n[ \t]+", " ", got.decode())
        return dict(re.findall("^(Status|Diagnostic-Code): (.*)$", unfolded, re.M))

    def test_several_hundred_recipients_where_few_are_taken_at_once(self):
        self.send(*MANY, sender="many@src.test")
        wait_for(lambda: all(self.peer.mails(to) for to in MANY), 40, "for all of them")
        wait_for(lambda: self.lab.live_rows(
            "SELECT count(*) FROM recipient WHERE domain='few.test' AND state=? AND tries=1",
            DELIVERED)[0][0] == len(MANY), 20, "until all are delivered at the first try")
        self.assertEqual([to for to in MANY if len(self.peer.mails(to)) != 1], [])
        counts = wait_for(lambda: self.peer.recipients_per_message("many@src.test"))
        self.assertEqual(sum(counts), len(MANY))
        self.assertEqual(max(counts), FEW)

    def test_addresses_and_header_fields_beyond_ascii(self):
        how = {"content": "Subject: Привет\r\n\r\nHello\r\n".encode(),
               "options": ["SMTPUTF8", "BODY=8BITMIME"]}
        if self.peer.offers_utf8:
            self.assertIn("Subject: Привет\n".encode(), self.delivered("пётр@tls.test", **how))
        else:
            self.assertEqual(self.report_about("пётр@tls.test", **how)["Status"], "5.6.7")


class Extensions(PeerCase):
    """Exim tells of each message by a letter whether it came pipelined (L) or in chunks (K)."""

    def test_they_are_used_where_they_are_offered(self):
        for name, lines, letters in (("src", 1, "L[.]? "), ("src", 300000, "L[.]? K "),
                                     ("plodding", 1, ""), ("plodding", 300000, "")):
            with self.subTest(name, lines=lines):
                sender = f"{name}.{lines}@src.test"
                self.delivered(f"anna@{name}.test", sender=sender,
                               content=b"Subject: x\r\n\r\n" + b"yyyy\r\n" * lines)
                self.assertRegex(self.peer.log(), f"<= {sender} .* P=esmtp {letters}S=")


class Plain(PeerCase):
    """A peer that refuses what is pipelined without having been offered. OpenSMTPD always does."""

    def test_it_is_not_used_where_it_is_not_offered(self):
        name = "plodding" if "plodding" in self.peer.faces else "src"
        for _ in range(3):
            self.delivered(f"anna@{name}.test")


class Chunks(PeerCase):
    """Postfix says at the end of a session which commands there were."""

    def test_they_are_used_for_what_is_large(self):
        self.delivered("anna@src.test", content=b"Subject: x\r\n\r\n" + LARGE[1])
        wait_for(lambda: re.search(" mail=1 rcpt=1 bdat=[0-9]+ ", self.peer.log()), 30,
                 "for a session with chunks")


class SevenBit(PeerCase):
    """A host without 8BITMIME gets the same text in seven bits (RFC 6152 3)."""

    def test_text_is_converted_and_reads_the_same(self):
        text = "Größe: 5 µm\r\n.dot\r\n" + "ä" * 600 + "\r\n"
        got = self.delivered("anna@plodding.test", options=("BODY=8BITMIME",), content=(
            "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n\r\n" + text).encode())
        self.assertTrue(got.isascii())
        self.assertLess(max(map(len, got.split(b"\n"))), 77)
        mail = email.message_from_bytes(got, policy=email.policy.default)
        self.assertEqual(mail["Content-Transfer-Encoding"], "quoted-printable")
        self.assertEqual(mail.get_content(), text.replace("\r\n", "\n"))


class Small(PeerCase):
    def test_what_is_larger_than_the_host_says_is_not_sent(self):
        self.delivered("anna@small.test", content=b"Subject: x\r\n\r\n" + b"yyyy\r\n" * 2000)
        self.send("anna@small.test", content=b"Subject: x\r\n\r\n" + b"yyyy\r\n" * 5000)
        self.wait_for_state("anna@small.test", BOUNCED)
        self.assertIn("dsn=5.3.4, status=bounced", self.log_of("anna@small.test")[-1])


class Old(PeerCase):
    """EHLO is refused, HELO is not (RFC 5321 3.2)."""

    def test_helo_when_ehlo_is_refused(self):
        self.delivered("anna@old.test")
        self.assertIn('command="EHLO mail.src.test" result="502', self.peer.log())
        self.assertIn("proto=SMTP\n", self.peer.log())


class BrokenTls(PeerCase):
    """STARTTLS is offered and answered, and each handshake breaks."""

    conf_more = """[destination "misnamed.test"]
tls = required
"""

    def test_mail_goes_in_clear_where_that_is_allowed(self):
        self.delivered("anna@encrypted.test")
        self.assertNotIn("tls=encrypted", self.log_of("anna@encrypted.test")[0])
        self.assertIn("SSL routines", self.peer.log())

    def test_mail_waits_where_it_is_not(self):
        self.send("anna@misnamed.test")
        self.wait_for_state("anna@misnamed.test", QUEUED)
        self.assertIn("status=deferred (TLS handshake with", self.log_of("anna@misnamed.test")[0])
        self.assertEqual(self.peer.mails("anna@misnamed.test"), [])


PEERS = {
    "postfix": (Postfix, Receiving, Plain, Chunks, SevenBit, Small),
    "exim": (Exim, Receiving, Extensions, Small),
    "opensmtpd": (Opensmtpd, Receiving, Plain, Old),
    "opensmtpd-6.8": (OpensmtpdOfDebian12, BrokenTls),
}

if __name__ == "__main__":
    peer, *its_cases = PEERS[sys.argv[4]]
    main(peer, its_cases, sys.argv[5:])
