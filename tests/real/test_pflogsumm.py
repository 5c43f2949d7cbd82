#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`mxhelm log --postfix` as pflogsumm reads it: its counts are those of the store, of `mxhelm status` and
of `mxhelm log --json`, for mail that ends in every way.

    test_pflogsumm.py MXHELMD MXHELM WORLDD [TEST...]

Skips where pflogsumm is not installed.
"""

import collections
import json
import os
import re
import shutil
import smtplib
import subprocess
import sys
import unittest

from lab import BOUNCED, DELIVERED, EXPIRED, UNCONFIRMED, WORLD, Lab, complain_of_log, wait_for

MXHELMD, MXHELM, WORLDD = map(os.path.abspath, sys.argv[1:4])
PFLOGSUMM = shutil.which("pflogsumm") or "/usr/sbin/pflogsumm"

# Beside the domains of lab.py: encrypted, never ready, and without anybody who listens.
MORE_WORLD = """
personality encrypts like takes
    offers PIPELINING "SIZE 10485760" STARTTLS ENHANCEDSTATUSCODES 8BITMIME DSN

dns tls.test mx 10 mx.tls.test
dns mx.tls.test a {net}.10
host mx.tls.test {net}.10 is encrypts

dns never.test mx 10 mx.never.test
dns mx.never.test a {net}.11
host mx.never.test {net}.11 is takes
    on rcpt reply 450 4.2.2 "<%a>: mailbox (of this user) is full"

dns down.test mx 10 mx.down.test
dns mx.down.test a {net}.12
"""

# In the lab's last line of [retry]. Expiry within seconds, and a notice before it.
UNCONFIRMED_AND_MORE = "1s\nlifetime = 12s\ndelay-notice = 4s"

MESSAGES = [
    # sender, recipients, octets of the body
    ("one@src.test", ["anna@fast.test", "bert@fast.test"], 100),
    ("one@src.test", ["carl@tls.test"], 2000),
    ("two@Src.test", ["dora@grey.test", "anna@fast.test"], 50),
    ("two@src.test", ["emil@later.test"], 300),
    ("three@src.test", ["fred@lost.test"], 10),
    ("four@src.test", ["gina@gone.test", "hans@fast.test"], 1000),
    ("five@src.test", ["ines@never.test"], 70),
    ("six@other.test", ["jens@down.test", "kira@gone.test"], 20),
    ("", ["lena@fast.test", "mara@gone.test"], 5),
] + [("many@src.test", [f"user{i}@fast.test"], i) for i in range(20)]

GRAND = re.compile(r"^ +(\d+) +(received|delivered|deferred|bounced|rejected|held|discarded|bytes received|"
                   r"bytes delivered|senders|sending hosts/domains|recipients|recipient hosts/domains)\b"
                   r"(?: +\((\d+) +deferrals\))?", re.M)


def folded(address):
    """As pflogsumm counts them: the domain in lower case."""
    local, at, domain = address.rpartition("@")
    return local + at + domain.lower()


class Summary:
    """What pflogsumm says."""

    def __init__(self, log):
        done = subprocess.run([PFLOGSUMM], input=log, capture_output=True, text=True, check=False,
                              env={**os.environ, "LC_ALL": "C", "TZ": "UTC"})
        self.text, self.complaints, self.code = done.stdout, done.stderr, done.returncode
        self.totals = {}
        for n, what, deferrals in GRAND.findall(self.text):
            self.totals.setdefault(what, int(n))
            if deferrals:
                self.totals["deferrals"] = int(deferrals)

    def section(self, title):
        """The rows "N  NAME" below a title."""
        found = re.search(rf"^{re.escape(title)}\n-+\n((?: .*\n)+)", self.text, re.M)
        rows = re.findall(r"^ +(\d+) +(\S+)$", found.group(1) if found else "", re.M)
        return {name: int(n) for n, name in rows}


class Pflogsumm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(PFLOGSUMM):
            raise unittest.SkipTest("pflogsumm is not installed")
        cls.lab = Lab(MXHELMD, WORLDD, MXHELM, unconfirmed=UNCONFIRMED_AND_MORE)
        cls.addClassCleanup(cls.lab.end)
        cls.lab.start_world((WORLD + MORE_WORLD).format(net=cls.lab.net))
        cls.lab.start_engine()
        cls.refused = 0
        cls.feed()
        wait_for(cls.lab.is_drained, 120, "for all mail to come to its end")
        cls.read()

    @classmethod
    def tearDownClass(cls):
        cls.lab.terminate()
        assert not complain_of_log(cls.lab), complain_of_log(cls.lab)

    @classmethod
    def feed(cls):
        with smtplib.SMTP(cls.lab.net + ".1", cls.lab.smtp, timeout=20) as s:
            s.ehlo("client.src.test")
            for sender, to, octets in MESSAGES:
                cls.one(s, sender, to, f"Subject: x\r\n\r\n{'y' * octets}\r\n".encode())
            s.mail("seven@src.test")
            s.rcpt("olga@fast.test", ["ORCPT=rfc822;olaf@elsewhere.test"])
            assert s.data(b"Subject: alias\r\n\r\nHello\r\n")[0] == 250
            for command in ("MAIL FROM:<seven@src.test> SIZE=999999999", "MAIL FROM:<a@@b>",
                            "RCPT TO:<nobody>"):
                if command.startswith("RCPT"):
                    code, said = s.mail("seven@src.test")
                    assert code == 250, said
                code, said = s.docmd(command)
                assert code >= 500, said
                cls.refused += 1
                s.rset()
        done = cls.run_mxhelm("send", "-f", "local@src.test", "petra@fast.test", stdin="Subject: x\n\nHello\n")
        assert done.returncode == 0, done.stderr

    @staticmethod
    def one(s, sender, to, content):
        assert s.mail(sender)[0] == 250
        for a in to:
            code, said = s.rcpt(a)
            assert code == 250, said
        code, said = s.data(content)
        assert code == 250, said

    @classmethod
    def run_mxhelm(cls, *args, stdin=""):
        return subprocess.run([MXHELM, "-c", cls.lab.conf, *args], input=stdin, capture_output=True,
                              text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})

    @classmethod
    def read(cls):
        cls.text = cls.run_mxhelm("log", "--postfix", "-n", "100000").stdout
        cls.lines = [json.loads(line) for line in
                     cls.run_mxhelm("log", "--json", "-n", "100000").stdout.splitlines()]
        cls.status = json.loads(cls.run_mxhelm("status", "--json").stdout)
        cls.messages = cls.lab.live_rows("SELECT id, class, sender, size FROM message")
        cls.rcpts = cls.lab.live_rows("SELECT r.address, r.state, m.size FROM recipient r JOIN message m"
                                      " ON m.id=r.message")
        cls.attempts = cls.lab.live_rows("SELECT state, count(*) FROM attempt GROUP BY state")
        cls.summary = Summary(cls.text)

    def of_status(self, *which):
        return [line for line in self.lines if line["status"] in which]

    def test_every_ending_is_in_it(self):
        states = {state for _, state, _ in self.rcpts}
        self.assertEqual(states, {DELIVERED, BOUNCED, EXPIRED})
        self.assertIn(UNCONFIRMED, dict(self.attempts))
        for word in ("conn_use=", "orig_to=<olaf@elsewhere.test>", "relay=none", "client=client.src.test[127.",
                     f"uid={os.getuid()} from=<local@src.test>", "status=expired, returned to sender",
                     "sender delay notification", "NOQUEUE: reject: RCPT from", ": removed\n"):
            self.assertIn(word, self.text)
        self.assertTrue(any(", tls=encrypted" in line["line"] for line in self.lines))

    def test_it_understands_every_line(self):
        self.assertEqual((self.summary.code, self.summary.complaints), (0, ""))
        self.assertEqual(self.text.count("tls="), 0)
        self.assertEqual(self.text.count("unconfirmed"), 0)
        shape = re.compile(r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d mail\.src\.test "
                           r"postfix/(smtpd|pickup|cleanup|qmgr|smtp|error|bounce)\[1\]: (\w+): ")
        for line in self.text.splitlines():
            self.assertRegex(line, shape)

    def test_messages(self):
        own = [m for m in self.messages if m[1] != 2]
        totals = self.summary.totals
        self.assertEqual(totals["received"], len(own))
        self.assertEqual(totals["received"], self.status["accepted"]["total"])
        self.assertEqual(totals["received"], len(MESSAGES) + 2)
        self.assertEqual(totals["bytes received"], sum(m[3] for m in own))
        senders = {folded(m[2]) for m in own}
        self.assertEqual(totals["senders"], len(senders))
        counted = collections.Counter(folded(m[2]) or "from=<>" for m in own)
        self.assertEqual(self.summary.section("Senders by message count"), counted)

    def test_recipients(self):
        totals = self.summary.totals
        done = [(folded(a), size) for a, state, size in self.rcpts if state == DELIVERED]
        self.assertEqual(totals["delivered"], len(done))
        self.assertEqual(totals["delivered"], len(self.of_status("sent")))
        self.assertEqual(totals["delivered"], self.status["delivered"]["total"])
        self.assertEqual(totals["bytes delivered"], sum(size for _, size in done))
        counted = collections.Counter(a for a, _ in done)
        self.assertEqual(totals["recipients"], len(counted))
        self.assertEqual(totals["recipient hosts/domains"], len({a.split("@")[1] for a in counted}))
        self.assertEqual(self.summary.section("Recipients by message count"), counted)

    def test_failures(self):
        totals = self.summary.totals
        deferred = self.of_status("deferred", "unconfirmed", "expired")
        self.assertEqual(totals["deferrals"], len(deferred))
        self.assertEqual(totals["deferrals"], sum(n for state, n in self.attempts
                                                  if state not in (DELIVERED, BOUNCED)))
        self.assertEqual(totals["deferred"], len({line["id"] for line in deferred}))
        bounced = sum(state == BOUNCED for _, state, _ in self.rcpts)
        expired = sum(state == EXPIRED for _, state, _ in self.rcpts)
        self.assertEqual(totals["bounced"], bounced)
        self.assertEqual(totals["bounced"], len(self.of_status("bounced")))
        self.assertEqual(self.status["bounced"]["total"], bounced + expired)
        self.assertEqual(self.text.count("status=expired, returned to sender"), expired)
        self.assertIn("from=<five@src.test>, status=expired, returned to sender", self.text)

    def test_rejections(self):
        self.assertEqual(self.refused, 3)
        self.assertEqual(self.summary.totals["rejected"], self.refused)
        self.assertEqual(self.summary.totals["rejected"], len(self.of_status("rejected")))
        self.assertEqual(self.summary.totals["rejected"], self.status["rejected"]["total"])

    def test_originals_lead_to_their_reports(self):
        links = re.findall(r"postfix/bounce\[1\]: (\w+): (sender|postmaster) (non-delivery|delay)"
                           r" notification: (\w+)", self.text)
        reports = {line["id"] for line in self.lines if "from=<>, size=" in line["line"]
                   and "client=" not in line["line"]}
        self.assertEqual(sorted(report for _, _, _, report in links), sorted(reports))
        failed = {line["id"] for line in self.of_status("bounced", "expired")}
        null = {line["id"] for line in self.lines if "from=<>, size=" in line["line"]}
        self.assertEqual({original for original, to, kind, _ in links
                          if to == "sender" and kind == "non-delivery"}, failed - null)
        self.assertLessEqual({original for original, to, _, _ in links if to == "postmaster"}, null)
        for report in reports:
            self.assertRegex(self.text, rf"postfix/cleanup\[1\]: {report}: message-id=<\S+@mail\.src\.test>")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
