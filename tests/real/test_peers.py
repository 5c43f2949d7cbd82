#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""mxhelmd delivers to a real Postfix that is found by a real name server (nsd), all on loopback.

    test_peers.py MXHELMD MXHELM WORLDD [TEST...]

Both servers live in a root that peer_root.sh makes once and keeps; where it cannot be made, this skips.
"""

import email
import email.policy
import fcntl
import glob
import os
import shutil
import smtplib
import subprocess
import sys
import unittest

from lab import BOUNCED, DELIVERED, Lab, complain_of_log, free_port, wait_for

MXHELMD, MXHELM, WORLDD = map(os.path.abspath, sys.argv[1:4])
HERE = os.path.dirname(os.path.abspath(__file__))
# Making the root loads some 100 MB; a machine that takes longer than this goes without.
MAKING_S = 240

USERS = ["anna@src.test", "bert@tls.test", "пётр@tls.test", "carl@small.test", "dora@plain.test",
         "emil@implicit.test", "fred@six.test", "gina@fallback.test", "hans@alias.test"]
DOMAINS = sorted({u.split("@")[1] for u in USERS})

ZONE = """$ORIGIN test.
$TTL 60
@ IN SOA ns.test. root.test. 1 3600 600 86400 60
@ IN NS ns.test.
ns IN A {net}.1
src IN MX 10 mx.tls
tls IN MX 10 mx.tls
mx.tls IN A {net}.2
small IN MX 10 mx.small
mx.small IN A {net}.3
plain IN MX 10 mx.plain
mx.plain IN A {net}.4
implicit IN A {net}.2
six IN MX 10 mx.six
mx.six IN AAAA ::1
fallback IN MX 10 mx.down
fallback IN MX 20 mx.tls
mx.down IN A {net}.9
alias IN CNAME tls
null IN MX 0 .
"""

NSD = """server:
  server-count: 1
  ip-address: {net}.1@{dns}
  zonesdir: "/etc/nsd"
  username: ""
  chroot: ""
  pidfile: ""
  database: ""
  verbosity: 0
remote-control:
  control-enable: no
zone:
  name: "test"
  zonefile: "test.zone"
"""

# One smtpd for each character; the last column of master.cf is what makes it different.
SERVICES = """{net}.2:{mx} inet n - n - - smtpd -o smtpd_tls_security_level=may
[::1]:{mx} inet n - n - - smtpd -o smtpd_tls_security_level=may
{net}.3:{mx} inet n - n - - smtpd -o message_size_limit=20000
{net}.4:{mx} inet n - n - - smtpd -o smtpd_discard_ehlo_keywords=pipelining,chunking,dsn
"""


class Peers:
    """The root, with a lock on it: there is one Postfix in it."""

    def __init__(self, lab):
        self.lab = lab
        made = subprocess.run(["timeout", str(MAKING_S), HERE + "/peer_root.sh", "postfix", "postfix",
                               "nsd"], stdout=subprocess.PIPE, text=True, check=False)
        if made.returncode:
            raise unittest.SkipTest("no root with Postfix could be made")
        self.root = made.stdout.strip()
        self.lock = open(self.root + ".lock", "w", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        subprocess.run(["chroot", self.root, "postfix", "stop"], capture_output=True, check=False)

    def write(self, path, text):
        with open(self.root + path, "w", encoding="utf-8") as f:
            f.write(text.format(net=self.lab.net, dns=self.lab.dns, mx=self.lab.mx))

    def chroot(self, *args):
        done = subprocess.run(["chroot", self.root, *args], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise AssertionError(f"{args}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self):
        self.write("/etc/nsd/nsd.conf", NSD)
        self.write("/etc/nsd/test.zone", ZONE)
        self.lab.start(["chroot", self.root, "nsd", "-d", "-c", "/etc/nsd/nsd.conf"], "nsd.log")
        with open(self.root + "/usr/share/postfix/master.cf.dist", encoding="utf-8") as f:
            services = [line for line in f if not line.startswith("smtp      inet")]
        self.write("/etc/postfix/master.cf", SERVICES + "".join(services).replace("{", "{{")
                   .replace("}", "}}"))
        for name in ("main.cf", "vmailbox"):
            self.write("/etc/postfix/" + name, "")
        with open(self.root + "/etc/postfix/vmailbox", "w", encoding="utf-8") as f:
            f.writelines(f"{u} {i}/\n" for i, u in enumerate(USERS))
        shutil.rmtree(self.root + "/var/vmail", ignore_errors=True)
        os.makedirs(self.root + "/var/vmail")
        os.chown(self.root + "/var/vmail", 5000, 5000)
        open(self.root + "/var/log/postfix.log", "w", encoding="ascii").close()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                        "-subj", "/CN=mx.tls.test", "-keyout", self.root + "/etc/postfix/key.pem",
                        "-out", self.root + "/etc/postfix/cert.pem"], capture_output=True, check=True)
        self.chroot("postconf", "-e", "compatibility_level=3.6", "myhostname=peer.test",
                    "maillog_file=/var/log/postfix.log", "mydestination=", "alias_maps=",
                    "inet_protocols=all", "mynetworks=", "smtpd_peername_lookup=no",
                    "virtual_mailbox_domains=" + ",".join(DOMAINS),
                    "virtual_mailbox_maps=texthash:/etc/postfix/vmailbox",
                    "virtual_mailbox_base=/var/vmail", "virtual_uid_maps=static:5000",
                    "virtual_gid_maps=static:5000", "virtual_minimum_uid=100",
                    "smtpd_tls_cert_file=/etc/postfix/cert.pem",
                    "smtpd_tls_key_file=/etc/postfix/key.pem", "smtputf8_enable=yes",
                    "smtpd_relay_restrictions=reject_unauth_destination")
        self.chroot("postconf", "-F", "*/*/chroot=n")
        self.chroot("postfix", "start")

    def stop(self):
        subprocess.run(["chroot", self.root, "postfix", "stop"], capture_output=True, check=False)
        self.lock.close()

    def log(self):
        with open(self.root + "/var/log/postfix.log", encoding="utf-8") as f:
            return f.read()

    def mails(self, user):
        got = []
        for path in sorted(glob.glob(f"{self.root}/var/vmail/{USERS.index(user)}/new/*")):
            with open(path, "rb") as f:
                got.append(f.read())
        return got


class Delivery(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(MXHELMD, WORLDD, MXHELM)
        cls.lab.mx = free_port("0.0.0.0")
        cls.lab.write_conf()
        cls.addClassCleanup(cls.lab.end)
        cls.peers = Peers(cls.lab)
        cls.addClassCleanup(cls.peers.stop)
        cls.peers.start()
        cls.lab.start_engine()

    def send(self, to, content=b"Subject: x\r\n\r\nHello\r\n", sender="anna@src.test", options=()):
        with smtplib.SMTP(self.lab.net + ".1", self.lab.smtp, timeout=20) as s:
            s.ehlo("client.src.test")
            s.mail(sender, options) if options else s.mail(sender)
            code, said = s.rcpt(to)
            self.assertEqual(code, 250, said)
            code, said = s.data(content)
            self.assertEqual(code, 250, said)

    def wait_for_state(self, to, state):
        wait_for(lambda: self.lab.live_rows("SELECT 1 FROM recipient WHERE address=? AND state=?",
                                            to, state), 30, f"for {to}: " + str(self.lab.live_rows(
                                                "SELECT state, cause FROM recipient WHERE address=?",
                                                to)))

    def delivered(self, to, **how):
        """Sends one message, and returns it as Postfix put it into the mailbox."""
        before = len(self.peers.mails(to))
        self.send(to, **how)
        return wait_for(lambda: self.peers.mails(to)[before:], 30, "for " + to)[0]

    def log_line(self, to):
        out = subprocess.run([MXHELM, "-c", self.lab.conf, "log", f"to:{to}"], capture_output=True,
                             text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout
        lines = [line for line in out.splitlines() if "status=" in line]
        self.assertTrue(lines, out)
        return lines[0]

    def report_about(self, to, **how):
        """Sends a message that fails, and returns the report that its sender has got."""
        def reports():
            return [m for m in self.peers.mails("anna@src.test") if to.encode() in m]
        before = len(reports())
        self.send(to, **how)
        self.wait_for_state(to, BOUNCED)
        got = wait_for(lambda: reports()[before:], 30, f"for the report about {to}")[0]
        return email.message_from_bytes(got, policy=email.policy.default)

    def test_content_arrives_octet_by_octet(self):
        body = (b".\r\n..\r\n.leading dot\r\n\r\n" + b"x" * 998 + b"\r\n" + "grüße €\r\n".encode()
                + bytes(range(128, 256)) + b"\r\n\ttab and blanks at the end  \r\n.\r\n\r\n")
        got = self.delivered("bert@tls.test", content=b"Subject: exact\r\n\r\n" + body,
                             options=["BODY=8BITMIME"])
        self.assertEqual(got.split(b"\n\n", 1)[1], body.replace(b"\r\n", b"\n"))

    def test_large_content_arrives_octet_by_octet(self):
        for lines in (20000, 40000):  # by DATA; over 1 MiB, and so in chunks
            body = b"".join(b"%07d %s\r\n" % (i, b"." * (i % 70)) for i in range(lines))
            got = self.delivered("bert@tls.test", content=b"Subject: large\r\n\r\n" + body)
            self.assertEqual(got.split(b"\n\n", 1)[1], body.replace(b"\r\n", b"\n"))
        # Postfix says at the end of a session which commands there were.
        wait_for(lambda: " bdat=" in self.peers.log(), 30, "for a session with chunks")

    def test_the_received_chain_and_the_envelope(self):
        got = email.message_from_bytes(self.delivered("bert@tls.test"))
        theirs, ours = got.get_all("Received")
        self.assertIn("by peer.test (Postfix) with ESMTPS", " ".join(theirs.split()))
        self.assertIn("from mail.src.test", theirs)
        self.assertIn("by mail.src.test", ours)
        self.assertIn("client.src.test", ours)
        self.assertEqual(got["Return-Path"], "<anna@src.test>")
        self.assertTrue(got["Date"] and got["Message-ID"])

    def test_tls_is_used_where_it_is_offered_and_logged(self):
        self.delivered("bert@tls.test")
        self.wait_for_state("bert@tls.test", DELIVERED)
        line = self.log_line("bert@tls.test")
        self.assertIn(", tls=encrypted, ", line)
        self.assertIn("status=sent (250 2.0.0 Ok: queued as", line)
        self.delivered("dora@plain.test")
        self.wait_for_state("dora@plain.test", DELIVERED)
        self.assertNotIn("tls=encrypted", self.log_line("dora@plain.test"))

    def test_every_way_by_which_a_host_is_found(self):
        for to in ("emil@implicit.test", "fred@six.test", "gina@fallback.test", "hans@alias.test",
                   "dora@plain.test", "carl@small.test"):
            with self.subTest(to):
                self.assertIn(b"Hello\n", self.delivered(to))

    def test_an_address_beyond_ascii(self):
        to = "пётр@tls.test"
        with smtplib.SMTP(self.lab.net + ".1", self.lab.smtp, timeout=20) as s:
            s.ehlo("client.src.test")
            s.command_encoding = "utf-8"
            s.mail("anna@src.test", ["SMTPUTF8", "BODY=8BITMIME"])
            self.assertEqual(s.rcpt(to)[0], 250)
            self.assertEqual(s.data("Subject: Привет\r\n\r\nHello\r\n".encode())[0], 250)
        got = wait_for(lambda: self.peers.mails(to), 30, "for " + to)[0]
        self.assertIn("Subject: Привет\n".encode(), got)

    def test_the_report_about_an_unknown_user(self):
        report = self.report_about("nobody@tls.test", content=b"Subject: lost\r\nX-Mark: 17\r\n\r\nHi\r\n")
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

    def test_the_report_about_a_message_that_is_too_large(self):
        report = self.report_about("carl@small.test",
                                   content=b"Subject: x\r\n\r\n" + b"yyyy\r\n" * 5000)
        recipient = list(report.iter_parts())[1].get_payload()[1]
        self.assertEqual(recipient["Status"], "5.3.4")

    def test_the_report_about_a_domain_that_takes_no_mail(self):
        report = self.report_about("x@null.test")
        recipient = list(report.iter_parts())[1].get_payload()[1]
        self.assertEqual(recipient["Status"], "5.1.10")

    def test_the_report_about_a_domain_that_does_not_exist(self):
        report = self.report_about("x@nowhere.test")
        recipient = list(report.iter_parts())[1].get_payload()[1]
        self.assertIn(recipient["Status"], ("5.1.2", "5.4.4"))

    def test_zz_the_engine_and_postfix_have_nothing_to_complain_of(self):
        self.assertEqual(complain_of_log(self.lab), [])
        bad = [line for line in self.peers.log().splitlines()
               if "improper command pipelining" in line or "non-SMTP" in line
               or "fatal:" in line or "panic:" in line]
        self.assertEqual(bad, [])
        self.assertEqual(self.lab.terminate(), 0)


if __name__ == "__main__":
    program = unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2, exit=False)
    result = program.result
    sys.exit(1 if not result.wasSuccessful() else 77 if result.skipped else 0)
