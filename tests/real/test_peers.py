#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""mxhelmd finds a real Postfix by a real name server (nsd), and what the sender hears of it.

    test_peers.py MXHELMD MXHELM WORLDD [TEST...]
"""

import email
import email.policy
import sys

from lab import BOUNCED, wait_for
from peers.base import PeerCase, main
from peers.postfix import Postfix


class Found(Postfix):
    """Domains whose hosts are found in other ways than by an MX with an address."""

    more_domains = ("bare.test", "six.test", "fallback.test", "alias.test")
    more_names = """bare IN A {tls}
six IN MX 10 mx.six
mx.six IN AAAA ::1
fallback IN MX 10 mx.down
fallback IN MX 20 mx.tls
mx.down IN A {net}.9
alias IN CNAME tls
null IN MX 0 .
"""


class Delivery(PeerCase):
    def report_about(self, to, **how):
        """Sends a message that fails, and returns the report that its sender has got."""
        def reports():
            return [m for m in self.peer.mails("anna@src.test") if to.encode() in m]
        before = len(reports())
        self.send(to, **how)
        self.wait_for_state(to, BOUNCED)
        got = wait_for(lambda: reports()[before:], 30, f"for the report about {to}")[0]
        return email.message_from_bytes(got, policy=email.policy.default)

    def test_the_received_chain_and_the_envelope(self):
        got = email.message_from_bytes(self.delivered("anna@tls.test"))
        theirs, ours = got.get_all("Received")
        self.assertIn("by peer.test (Postfix) with ESMTPS", " ".join(theirs.split()))
        self.assertIn("from mail.src.test", theirs)
        self.assertIn("by mail.src.test", ours)
        self.assertIn("client.src.test", ours)
        self.assertEqual(got["Return-Path"], "<anna@src.test>")
        self.assertTrue(got["Date"] and got["Message-ID"])

    def test_every_way_by_which_a_host_is_found(self):
        for domain in Found.more_domains:
            with self.subTest(domain):
                self.assertIn(b"Hello\n", self.delivered(f"anna@{domain}"))

    def test_the_report_about_an_unknown_user(self):
        report = self.report_about("nobody@tls.test",
                                   content=b"Subject: lost\r\nX-Mark: 17\r\n\r\nHi\r\n")
        self.assertEqual(report["Return-Path"], "<>")
        self.assertEqual(report.get_content_type(), "multipart/report")
        self.assertEqual(report.get_param("report-type"), "delivery-status")
        self.assertEqual(report["Auto-Submitted"], "auto-replied")
        self.assertIn("anna@src.test", report["To"])
        self.assertIn("Mailer-Daemon", str(report["From"]).title())
        words, status, original = report.iter_parts()
        self.assertEqual(words.get_content_type(), "text/plain")
        self.assertIn("nobody@tls.test", words.get_content())
        self.assertEqual(status.get_content_type(), "message/delivery-status")
        message, recipient = status.get_payload()
        self.assertEqual(message["Reporting-MTA"], "dns; mail.src.test")
        self.assertTrue(email.utils.parsedate_to_datetime(message["Arrival-Date"]))
        self.assertEqual(recipient["Final-Recipient"].replace(" ", ""), "rfc822;nobody@tls.test")
        self.assertEqual(recipient["Action"], "failed")
        self.assertEqual(recipient["Status"], "5.1.1")
        self.assertTrue(recipient["Remote-MTA"].startswith("dns; mx.tls.test"))
        self.assertTrue(recipient["Diagnostic-Code"].startswith("smtp; 550 5.1.1 <nobody@tls.test>"))
        self.assertIn(original.get_content_type(), ("text/rfc822-headers", "message/rfc822"))
        self.assertIn("X-Mark: 17", original.as_string())
        self.assertEqual(report.defects, [])

    def test_the_status_in_a_report(self):
        for to, content, codes in (
                ("anna@small.test", b"Subject: x\r\n\r\n" + b"yyyy\r\n" * 5000, ("5.3.4",)),
                ("x@null.test", b"Subject: takes no mail\r\n\r\n", ("5.1.10",)),
                ("x@nowhere.test", b"Subject: no such domain\r\n\r\n", ("5.1.2", "5.4.4"))):
            with self.subTest(to):
                report = self.report_about(to, content=content)
                self.assertIn(list(report.iter_parts())[1].get_payload()[1]["Status"], codes)


if __name__ == "__main__":
    main(Found, [Delivery], sys.argv[4:])
