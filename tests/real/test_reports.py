#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The reports of a running mxhelmd, read with Python's own mail parser: every ending that a sender is told
of, structure and fields (RFC 3461, 3464, 6522, 6533), and what nobody is told of.

    test_reports.py MXHELMD MXHELM WORLDD [TEST...]
"""

import email
import email.policy
import email.utils
import json
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
import unittest

from lab import WORLD, Lab, wait_for

MXHELMD, MXHELM, WORLDD = map(os.path.abspath, sys.argv[1:4])

MORE_WORLD = """
dns never.test mx 10 mx.never.test
dns mx.never.test a {net}.11
host mx.never.test {net}.11 is takes
    on rcpt reply 450 4.2.2 "<%a>: mailbox is full"

# Nobody listens there.
dns down.test mx 10 mx.down.test
dns mx.down.test a {net}.12

personality without-dsn
    offers PIPELINING ENHANCEDSTATUSCODES 8BITMIME
dns plain.test mx 10 mx.plain.test
dns mx.plain.test a {net}.13
host mx.plain.test {net}.13 is without-dsn

dns null.test mx 0 .

# What a server may say to harm who reads the report.
dns evil.test mx 10 mx.evil.test
dns mx.evil.test a {net}.14
host mx.evil.test {net}.14 is takes
    on rcpt raw "550-5.1.1 \\e[2J\\xff\\xfe--=_mxhelm_0\\r\\n550-5.1.1 Content-Type: text/html\\r\\n550 5.1.1 XXXX\\r\\n"

# Where the reports go: this test itself.
dns reader.test mx 10 mx.reader.test
dns mx.reader.test a {net}.20
""".replace("\\e", "\\x1b").replace("XXXX", "x" * 1500)

CONFIG_MORE = """
[report]
postmaster = boss@reader.test
"""

FIELDS = {"original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code",
          "last-attempt-date", "will-retry-until"}


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it is given."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address):
        self.mails = []  # (reverse-path and parameters, recipients, content)
        super().__init__(address, Mailbox.Session)

    class Session(socketserver.StreamRequestHandler):
        def say(self, text):
            self.wfile.write(text.encode() + b"\r\n")

        def content(self):
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                if not line:
                    raise EOFError
                lines.append(line[1:] if line.startswith(b".") else line)
            return b"".join(lines)

        def handle(self):
            self.say("220 mx.reader.test ESMTP")
            sender, to = "", []
            while line := self.rfile.readline():
                verb, _, rest = line.decode("utf-8").strip().partition(" ")
                verb = verb.upper()
                if verb == "EHLO":
                    self.say("250-mx.reader.test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 SIZE 0")
                elif verb == "MAIL":
                    sender, to = rest, []
                    self.say("250 2.1.0 Ok")
                elif verb == "RCPT":
                    is_ghost = "ghost" in rest
                    to += [] if is_ghost else [rest]
                    self.say("550 5.1.1 No such user" if is_ghost else "250 2.1.5 Ok")
                elif verb == "DATA":
                    self.say("354 Go on")
                    self.server.mails.append((sender, to, self.content()))
                    self.say("250 2.0.0 Ok")
                elif verb == "QUIT":
                    self.say("221 2.0.0 Bye")
                    return
                else:
                    self.say("250 2.0.0 Ok" if verb in ("RSET", "NOOP") else "502 5.5.2 No")


class Report:
    """One report, taken apart. What holds for each of them is asserted here."""

    def __init__(self, test, mail):
        self.sender, self.to, self.raw = mail
        self.test = test
        self.check_octets()
        self.mail = email.message_from_bytes(self.raw, policy=email.policy.default)
        self.check_header()
        self.parts = list(self.mail.iter_parts())
        self.check_structure()
        self.words = self.parts[0].get_content()
        self.message, self.recipients = self.read_status()

    def check_octets(self):
        t = self.test
        t.assertEqual(self.raw.count(b"\n"), self.raw.count(b"\r\n"))
        t.assertEqual(self.raw.count(b"\r"), self.raw.count(b"\r\n"))
        t.assertLessEqual(max(map(len, self.raw.split(b"\r\n"))), 998)
        t.assertNotRegex(self.raw, rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

    def check_header(self):
        t, m = self.test, self.mail
        t.assertTrue(self.sender.startswith("FROM:<>"), self.sender)
        t.assertEqual(m.defects, [])
        for name in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version",
                     "Content-Type"):
            t.assertEqual(len(m.get_all(name, [])), 1, name)
        t.assertEqual(m["Auto-Submitted"], "auto-replied")
        t.assertRegex(m["Message-ID"], r"^<[^<>@\s]+@mail\.src\.test>$")
        t.assertIsNotNone(m["Date"].datetime.tzinfo)
        header, body = self.raw.split(b"\r\n\r\n", 1)
        t.assertLessEqual(max(map(len, header.split(b"\r\n"))), 78)
        if "SMTPUTF8" not in self.sender:
            t.assertTrue(header.isascii())
        if not self.raw.isascii():
            t.assertIn("BODY=8BITMIME", self.sender)
        t.assertEqual(m["Content-Transfer-Encoding"], None if body.isascii() else "8bit")

    def check_structure(self):
        t, m = self.test, self.mail
        self.is_global = m.get_param("report-type") == "global-delivery-status"
        t.assertEqual(m.get_content_type(), "multipart/report")
        t.assertIn(m.get_param("report-type"), ("delivery-status", "global-delivery-status"))
        t.assertEqual(len(self.parts), 3)
        for part in self.parts:
            t.assertEqual(part.defects, [])
        t.assertEqual(self.parts[0].get_content_type(), "text/plain")
        t.assertEqual(self.parts[1].get_content_type(), "message/" + m.get_param("report-type"))
        self.returned = self.parts[2].get_content_type()
        t.assertIn(self.returned, ("message/global", "message/global-headers") if self.is_global
                   else ("message/rfc822", "text/rfc822-headers"))
        # no 8 bits but where they are declared
        bodies = self.raw.split(b"\r\n--" + m.get_boundary().encode())[1:4]
        for body, part in zip(bodies, self.parts):
            if not body.isascii():
                t.assertEqual(part["Content-Transfer-Encoding"], "8bit", body)

    def read_status(self):
        """(fields of the message, {address: fields}); Python knows the blocks of the one type only."""
        t = self.test
        raw = self.raw.replace(b"message/global-delivery-status", b"message/delivery-status")
        part = list(email.message_from_bytes(raw, policy=email.policy.default).iter_parts())[1]
        blocks = part.get_payload()
        for block in blocks:
            names = [n.lower() for n in block.keys()]
            t.assertEqual(len(names), len(set(names)), names)
        message, recipients = blocks[0], {}
        t.assertEqual(message["Reporting-MTA"], "dns; mail.src.test")
        self.time(message["Arrival-Date"])
        for block in blocks[1:]:
            t.assertLessEqual(set(n.lower() for n in block.keys()), FIELDS)
            kind, address = re.fullmatch(r"(rfc822|utf-8); (\S+)", block["Final-Recipient"]).groups()
            t.assertEqual(kind == "rfc822", address.isascii())
            classes = {"failed": "5", "delayed": "4", "relayed": "2"}
            t.assertRegex(block["Status"], r"^%s\.\d{1,3}\.\d{1,3}$" % classes[block["Action"]])
            t.assertEqual("Will-Retry-Until" in block, block["Action"] == "delayed")
            for name in ("Last-Attempt-Date", "Will-Retry-Until"):
                if name in block:
                    self.time(block[name])
            t.assertNotIn(address, recipients)
            recipients[address] = block
            self.check_words(address, block)
        return message, recipients

    def check_words(self, address, block):
        t = self.test
        joined = re.sub(r"\s+", " ", self.words)
        t.assertIn(address, self.words)
        t.assertTrue(all(len(line) <= 78 for line in self.words.splitlines()))
        for phrase in ("What happened: ", "What to do: "):
            t.assertIn(phrase, joined)
        if block["Action"] == "failed":
            t.assertNotIn("has accepted", joined)
            t.assertRegex(joined, "could not (be )?deliver")

    def time(self, text):
        when = email.utils.parsedate_to_datetime(text)
        self.test.assertIsNotNone(when.tzinfo)
        self.test.assertLess(abs(when.timestamp() - time.time()), 7 * 86400)
        return when

    def original(self):
        """The message that came back, or its header."""
        if self.returned.startswith("text/"):
            return email.message_from_string(self.parts[2].get_content(), policy=email.policy.default)
        if self.returned == "message/global-headers":
            return self.parts[2].get_payload()
        return self.parts[2].get_payload()[0]


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = lab = Lab(MXHELMD, WORLDD, MXHELM, more=CONFIG_MORE,
                            retry="first = 1s\nmax = 2s\nlifetime = 15s\ndelay-notice = 4s")
        lab.start_world((WORLD + MORE_WORLD).format(net=lab.net))
        cls.box = Mailbox((lab.net + ".20", lab.mx))
        threading.Thread(target=cls.box.serve_forever, daemon=True).start()
        lab.start_engine()

    @classmethod
    def tearDownClass(cls):
        cls.box.shutdown()
        cls.box.server_close()
        cls.lab.end()

    # --- what tests need ---

    def send(self, sender, to, mail="", rcpt="", text=b"the body\r\n", header=b""):
        """Hand a message over as it stands; its queue id. rcpt: parameters of each recipient."""
        with socket.create_connection((self.lab.net + ".1", self.lab.smtp), 20) as s, s.makefile("rb") as f:
            def ask(line, want):
                if line is not None:
                    s.sendall(line if isinstance(line, bytes) else line.encode() + b"\r\n")
                while (reply := f.readline())[3:4] == b"-":
                    pass
                self.assertEqual(reply[:3], want, (line, reply))
                return reply.decode()
            ask(None, b"220")
            ask("EHLO client.src.test", b"250")
            ask(f"MAIL FROM:<{sender}>{mail}", b"250")
            for a in to:
                ask(f"RCPT TO:<{a}>{rcpt}", b"250")
            ask("DATA", b"354")
            reply = ask(b"From: <someone@reader.test>\r\nSubject: Invoice\r\n" + header + b"\r\n" + text + b".\r\n",
                        b"250")
            ask("QUIT", b"221")
        return re.search(r"queued as (\w+)", reply)[1]

    def arrived(self, address):
        return [m for m in self.box.mails if any(f"<{address}>" in t for t in m[1])]

    def reports(self, address, n=1, seconds=60):
        """The first n reports to that address, and a while later no more than these."""
        wait_for(lambda: len(self.arrived(address)) >= n, seconds, f"for {n} reports to {address}")
        return [Report(self, m) for m in self.arrived(address)]

    def run_mxhelm(self, *args, want=0):
        done = subprocess.run([MXHELM, "-c", self.lab.conf, *args], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, want, done.stdout + done.stderr)
        return done.stdout

    def log(self, text):
        return [json.loads(line)["line"] for line in self.run_mxhelm("log", "--json").splitlines()
                if text in line]

    # --- the endings ---

    def test_an_unknown_user(self):
        qid = self.send("a1@reader.test", ["bob@gone.test"], text=b"the whole body\r\n")
        [r] = self.reports("a1@reader.test")
        self.assertEqual(r.mail["From"].addresses[0].addr_spec, "MAILER-DAEMON@mail.src.test")
        self.assertEqual(r.mail["To"].addresses[0].addr_spec, "a1@reader.test")
        self.assertEqual(r.mail["Subject"], "Undelivered mail: Invoice")
        self.assertEqual(list(r.recipients), ["bob@gone.test"])
        block = r.recipients["bob@gone.test"]
        self.assertEqual((block["Action"], block["Status"]), ("failed", "5.1.1"))
        self.assertEqual(block["Remote-MTA"], "dns; mx.gone.test")
        self.assertRegex(block["Diagnostic-Code"], "^smtp; 550 5.1.1 <bob@gone.test>: Recipient address rejected")
        self.assertIn("Last-Attempt-Date", block)
        self.assertNotIn("Original-Recipient", block)
        self.assertNotIn("Original-Envelope-Id", r.message)
        self.assertIn("Last tried: ", r.words)
        self.assertIn("Check the address for slips", re.sub(r"\s+", " ", r.words))
        self.assertEqual(r.returned, "message/rfc822")
        self.assertEqual(r.original().get_content(), "the whole body\r\n")
        self.assertEqual(r.mail["In-Reply-To"], r.original()["Message-ID"])
        # the log leads from one to the other
        [line] = self.log(f"{qid}: sender non-delivery notification: ")
        report = line.split()[-1]
        shown = json.loads(self.run_mxhelm("show", report, "--json").splitlines()[0])
        self.assertEqual((shown["class"], shown["from"]), ("report", ""))

    def test_what_was_asked_comes_back(self):
        self.send("b1@reader.test", ["bob@gone.test"], mail=" RET=HDRS ENVID=id+20of+3Dmine",
                  rcpt=" NOTIFY=FAILURE ORCPT=rfc822;Bob+2Bold@alias.test", text=b"secret words\r\n")
        self.send("b2@reader.test", ["bob@gone.test"], mail=" RET=FULL", text=b"long words\r\n" * 20000)
        [r] = self.reports("b1@reader.test")
        self.assertEqual(r.message["Original-Envelope-Id"], "id of=mine")
        self.assertEqual(r.recipients["bob@gone.test"]["Original-Recipient"], "rfc822; Bob+old@alias.test")
        self.assertEqual(r.returned, "text/rfc822-headers")
        self.assertEqual(r.original()["Subject"], "Invoice")
        self.assertNotIn(b"secret words", r.raw)
        [r] = self.reports("b2@reader.test")
        self.assertEqual(r.returned, "message/rfc822")
        self.assertEqual(r.original().get_content().count("long words"), 20000)

    def test_there_is_no_such_domain(self):
        self.send("c1@reader.test", ["bob@nowhere.test", "bob@null.test"])
        [r] = self.reports("c1@reader.test")
        block = r.recipients["bob@nowhere.test"]
        self.assertEqual(block["Status"], "5.1.2")
        self.assertRegex(block["Diagnostic-Code"], "^X-mxhelm; ")
        self.assertNotIn("Remote-MTA", block)
        self.assertEqual(r.recipients["bob@null.test"]["Status"], "5.1.10")

    def test_several_domains_are_one_report(self):
        to = ["bob@gone.test", "eve@gone.test", "bob@nowhere.test", "ann@fast.test"]
        self.send("d1@reader.test", to)
        [r] = self.reports("d1@reader.test")
        self.assertEqual(set(r.recipients), set(to[:3]))
        self.assertIn("these 3 recipients", re.sub(r"\s+", " ", r.words))
        self.assertNotIn("ann@fast.test", r.words)

    def test_late_and_then_expired(self):
        qid = self.send("e1@reader.test", ["bob@never.test", "bob@down.test"], mail=" RET=FULL")
        late, over = self.reports("e1@reader.test", 2, 90)
        self.assertEqual(late.mail["Subject"], "Delayed mail: Invoice")
        self.assertEqual(set(late.recipients), {"bob@never.test", "bob@down.test"})
        self.assertEqual(late.returned, "text/rfc822-headers")
        block = late.recipients["bob@never.test"]
        self.assertEqual((block["Action"], block["Status"]), ("delayed", "4.2.2"))
        self.assertRegex(block["Diagnostic-Code"], "^smtp; 450 4.2.2 ")
        self.assertEqual(late.recipients["bob@down.test"]["Status"], "4.4.1")
        arrival = late.time(late.message["Arrival-Date"])
        self.assertEqual((late.time(block["Will-Retry-Until"]) - arrival).total_seconds(), 15)
        self.assertIn("do not send it again", re.sub(r"\s+", " ", late.words))
        self.assertEqual(set(over.recipients), set(late.recipients))
        for block in over.recipients.values():
            self.assertEqual((block["Action"], block["Status"]), ("failed", "5.4.7"))
        self.assertRegex(over.recipients["bob@never.test"]["Diagnostic-Code"], "^smtp; 450 4.2.2 ")
        self.assertRegex(over.recipients["bob@down.test"]["Diagnostic-Code"], "Connection refused")
        self.assertRegex(over.words, r"Last tried: .*, \d+ tries in all")
        self.assertEqual(over.returned, "message/rfc822")
        self.assertEqual(len(self.log(f"{qid}: sender delay notification: ")), 1)

    def test_success_is_told_only_where_the_next_server_cannot(self):
        qid = self.send("f1@reader.test", ["bob@plain.test"], rcpt=" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@a.test")
        self.send("f2@reader.test", ["bob@fast.test"], rcpt=" NOTIFY=SUCCESS")
        self.send("f3@reader.test", ["bob@plain.test"])
        [r] = self.reports("f1@reader.test")
        block = r.recipients["bob@plain.test"]
        self.assertEqual((block["Action"], block["Status"]), ("relayed", "2.0.0"))
        self.assertEqual(block["Original-Recipient"], "rfc822; b@a.test")
        self.assertEqual(block["Remote-MTA"], "dns; mx.plain.test")
        self.assertEqual(r.returned, "text/rfc822-headers")
        self.assertEqual(len(self.log(f"{qid}: sender delivery status notification: ")), 1)
        self.assertEqual(self.arrived("f2@reader.test") + self.arrived("f3@reader.test"), [])

    def test_utf8_mail(self):
        self.send("g1@reader.test", ["m\u00fcller@gone.test"], mail=" SMTPUTF8",
                  header="X-Note: gr\u00fc\u00df\r\n".encode())
        self.send("j\u00f6rg@reader.test", ["bob@gone.test"], mail=" SMTPUTF8 RET=HDRS",
                  rcpt=" ORCPT=utf-8;b\\x{F6}b@gone.test")
        [r] = self.reports("g1@reader.test")
        self.assertTrue(r.is_global)
        block = r.recipients["m\u00fcller@gone.test"]
        self.assertEqual(block["Final-Recipient"], "utf-8; m\u00fcller@gone.test")
        self.assertEqual(block["Status"], "5.6.7")
        self.assertEqual(r.returned, "message/global")
        self.assertNotIn("SMTPUTF8", r.sender)
        [r] = self.reports("j\u00f6rg@reader.test")
        self.assertIn("SMTPUTF8", r.sender)
        self.assertEqual(r.returned, "message/global-headers")
        self.assertIn("To: <j\u00f6rg@reader.test>".encode(), r.raw)

    def test_8_bit_mail_is_declared(self):
        self.send("h1@reader.test", ["bob@gone.test"], mail=" BODY=8BITMIME",
                  header=b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                         b"Content-Transfer-Encoding: 8bit\r\n", text="Gr\u00fc\u00dfe\r\n".encode())
        [r] = self.reports("h1@reader.test")
        self.assertEqual(r.parts[2]["Content-Transfer-Encoding"], "8bit")
        self.assertEqual(r.original().get_content(), "Gr\u00fc\u00dfe\r\n")

    def test_a_hostile_answer_stays_text(self):
        self.send("i1@reader.test", ["bob@evil.test"])
        [r] = self.reports("i1@reader.test")
        block = r.recipients["bob@evil.test"]
        self.assertRegex(block["Diagnostic-Code"], "^smtp; 550 5.1.1 ")
        self.assertEqual(block["Status"], "5.1.1")

    def test_an_operator_returns_it(self):
        first = self.send("k1@reader.test", ["bob@never.test", "bob@down.test"])
        second = self.send("k2@reader.test", ["bob@never.test"])
        self.run_mxhelm("bounce", first, want=2)  # nobody there to ask
        said = self.run_mxhelm("bounce", first, second, "--text", "That system is gone.", "--yes")
        job = re.search(r"mxhelm undo (\w+)", said)[1]
        held = [json.loads(line) for line in self.run_mxhelm("queue", first, "--json").splitlines()]
        self.assertEqual({r["state"] for r in held}, {"held"})
        self.assertEqual(self.arrived("k1@reader.test"), [])
        third = self.send("k3@reader.test", ["bob@never.test"])
        said = self.run_mxhelm("bounce", third, "--yes")
        undone = re.search(r"mxhelm undo (\w+)", said)[1]
        self.run_mxhelm("undo", undone)
        self.run_mxhelm("undo", undone, want=1)
        began = time.monotonic()
        [r] = [r for r in self.reports("k1@reader.test", seconds=90) if "bob@down.test" in r.recipients][:1]
        self.assertGreater(time.monotonic() - began, 15)
        for block in r.recipients.values():
            self.assertEqual((block["Action"], block["Status"]), ("failed", "5.3.0"))
            self.assertEqual(block["Diagnostic-Code"], "X-mxhelm; returned by the operator: That system is gone.")
        self.assertEqual(len(r.recipients), 2)
        self.assertIn("Why: That system is gone.", r.words)
        self.assertEqual(self.reports("k2@reader.test")[0].recipients["bob@never.test"]["Status"], "5.3.0")
        self.run_mxhelm("undo", job, want=1)
        # what was undone went its way: expired, and not by an operator
        over = self.reports("k3@reader.test", 2, 60)[-1]
        self.assertEqual(over.recipients["bob@never.test"]["Status"], "5.4.7")

    def test_a_report_that_fails_goes_to_the_postmaster_once(self):
        self.send("ghost@reader.test", ["bob@gone.test"])
        [r] = self.reports("boss@reader.test")
        self.assertEqual(list(r.recipients), ["ghost@reader.test"])
        self.assertTrue(r.mail["Subject"].startswith("Undelivered report: "))
        inner = r.original()
        self.assertEqual(inner.get_content_type(), "multipart/report")
        self.assertEqual(len(self.log("postmaster non-delivery notification: ")), 1)

    def test_nobody_is_told(self):
        self.send("l1@reader.test", ["bob@gone.test"], rcpt=" NOTIFY=NEVER")
        self.send("l2@reader.test", ["bob@gone.test"], rcpt=" NOTIFY=SUCCESS")
        qid = self.send("", ["bob@gone.test"])
        wait_for(lambda: self.log(f"{qid}: removed"), why="for the end of the mail without a sender")
        time.sleep(2)
        self.assertEqual(self.arrived("l1@reader.test") + self.arrived("l2@reader.test"), [])
        self.assertEqual(self.log(f"{qid}: sender "), [])


class Templates(unittest.TestCase):
    """An administrator's own words, checked at `mxhelmd check`, at the start and at a reload."""

    def setUp(self):
        self.lab = Lab(MXHELMD, WORLDD, MXHELM)
        self.template = self.lab.dir + "/failed.txt"
        self.lab.write_conf(more=f"[report]\nfailed = {self.template}\n")

    def tearDown(self):
        self.lab.end()

    def write(self, text):
        with open(self.template, "w", encoding="utf-8") as f:
            f.write(text)

    def check(self):
        return subprocess.run([MXHELMD, "check", "--no-dns", "-c", self.lab.conf], capture_output=True, text=True,
                              check=False)

    def test_each_mistake_is_named_with_file_and_line(self):
        mistakes = [
            (None, "mxhelm.conf:", "cannot read"),
            ("", "failed.txt:1: ", "nothing behind"),
            ("Subject: x\nBcc: y@z.test\n\ntext\n", "failed.txt:2: ", "From and Subject only"),
            ("From: not an address\n\ntext\n", "failed.txt:1: ", "From is not one address"),
            ("\nHello {name}\n", "failed.txt:2: ", "{name} is no name"),
            ("\nHello\n{recipient}\n", "failed.txt:3: ", "between {each} and {end}"),
            ("\n{each}\n{recipient}\n", "failed.txt:3: ", "{each} without {end}"),
            ("\nHello {title\n", "failed.txt:2: ", "closing brace"),
        ]
        for text, where, what in mistakes:
            if text is not None:
                self.write(text)
            done = self.check()
            self.assertEqual(done.returncode, 78, text)
            self.assertIn(where, done.stderr)
            self.assertIn(what, done.stderr)
        self.write("\nIt is {{braced}: {title}\n")
        self.assertEqual(self.check().returncode, 0)

    def test_a_start_refuses_and_a_reload_keeps_the_words_before(self):
        self.write("\n{nonsense}\n")
        done = subprocess.run([MXHELMD, "-c", self.lab.conf], capture_output=True, text=True, check=False,
                              timeout=30)
        self.assertEqual(done.returncode, 78)
        self.assertIn("failed.txt:2: report.failed: {nonsense} is no name", done.stderr)
        self.write("\nLeider nicht: {subject}\n")
        self.lab.start_world()
        self.lab.start_engine()
        self.write("\n{nonsense}\n")
        subprocess.run(["kill", "-HUP", str(self.lab.engine.pid)], check=True)
        wait_for(lambda: "failed.txt:2: report.failed: {nonsense} is no name" in self.lab.text("engine.log"),
                 why="for the reload to be refused")
        self.assertIn("the old configuration stays in force", self.lab.text("engine.log"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
