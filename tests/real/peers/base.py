# SPDX-License-Identifier: ISC
"""What the peers share: their names and addresses, a name server, certificates, mailboxes, and the case.

A peer is one mail server of Debian's with many faces: for each name in NAMES it listens on an address of
its own, and is configured there to behave as the name says. Mail to USER@NAME.test goes to mx.NAME.test.
"""

import fcntl
import glob
import os
import re
import shutil
import smtplib
import socket
import subprocess
import sys
import unittest

from lab import Lab, complain_of_log, free_port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
# Making a root loads some 100 MB; a machine that takes longer than this goes without.
MAKING_S = 240

# Refuses everything at this stage, for now or for good.
REFUSING = [stage + digit for stage in ("greeting", "ehlo", "mail", "rcpt", "data", "eod")
            for digit in "45"]
NAMES = ["src",  # where the reports go
         "clear",  # no TLS
         "tls",  # STARTTLS, with a certificate of the CA that we trust
         "encrypted",  # STARTTLS, with a certificate for other names
         "misnamed",  # the same, where we want the right one
         "old",  # no EHLO
         "plodding",  # no PIPELINING, nor anything else that is not needed
         "few",  # few recipients at once
         "small",  # small messages only
         "relay",  # port 587: a login after STARTTLS, by many mechanisms
         "smtps",  # port 465: the same with TLS at once
         "naked",  # port 587: a login, and no TLS
         "foreign",  # port 587: no mechanism that we have
         "dovecot",  # port 587: as relay, where Dovecot says who may log in
         *REFUSING]
# Domains that are reached by a relay only, each with a login of its own: see test_peers_relay.py.
RELAYED = ["auto", "plain", "login", "cram-md5", "scram-sha-256", "implicit", "oauthbearer",
           "xoauth2", "by-dovecot", "wrong", "wrong-scram", "wrong-token", "not-common", "in-clear",
           "not-encrypted", "other-name", "no-login"]
DOMAINS = [name + ".test" for name in NAMES + RELAYED]
MANY = [f"u{i}@few.test" for i in range(300)]
# Recipients that few.test takes at once.
FEW = 40
CERTIFIED = [f"mx.{name}.test" for name in NAMES if name not in ("encrypted", "misnamed")]

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

ZONE = """$ORIGIN test.
$TTL 60
@ IN SOA ns.test. root.test. 1 3600 600 86400 60
@ IN NS ns.test.
ns IN A {net}.1
"""


def isolate():
    """Goes on in namespaces of its own: no wire leads out, every port is free, and all processes end
    with this one, a daemon of a peer's too."""
    if os.environ.pop("MXHELM_TEST_ISOLATED", None):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    wrapper = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode:
        print("no namespaces can be made here")
        sys.exit(77)
    os.environ["MXHELM_TEST_ISOLATED"] = "yes"
    os.execvp(wrapper[0], [*wrapper, sys.executable, *sys.argv])


def make_root(name, *packages):
    """Where the root is. It may have to be made from outside, so this goes before isolate()."""
    made = subprocess.run(["timeout", str(MAKING_S), HERE + "/../peer_root.sh", name, *packages],
                          stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode:
        print(f"no root with {name} could be made")
        sys.exit(77)
    return made.stdout.strip()


class Peer:
    """One peer in its root. A subclass says how it is configured, in start()."""

    name = packages = None
    reads_key_unprivileged = False
    offers_utf8 = True
    bad_words = "panic|fatal"
    more_domains = ()  # beside DOMAINS, with names of their own
    more_names = ""
    faces = ()  # the names as which it receives
    relays = ()  # the names as which it is a relay
    mechanisms = ()  # of its relays, the best first
    asks_for_login = True  # says 530 to who does not log in
    replies = {}  # what it says when it refuses, by name
    root = None
    USER, PASSWORD = "mailer", "a long password, with = and ,"

    def __init__(self, lab):
        self.lab = lab

    @classmethod
    def enter(cls):
        """Makes the root and goes on in namespaces. Roots are used by one test at a time."""
        cls.root = make_root(cls.name, *cls.packages)
        isolate()
        cls.lock = open(cls.root + ".lock", "w", encoding="ascii")
        fcntl.flock(cls.lock, fcntl.LOCK_EX)

    def address(self, name):
        return f"{self.lab.net}.{10 + NAMES.index(name)}"

    def write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.root + path, mode)

    def read(self, path):
        if not os.path.exists(self.root + path):
            return ""
        with open(self.root + path, encoding="utf-8", errors="backslashreplace") as f:
            return f.read()

    def chroot(self, *args, text_in=None):
        done = subprocess.run(["chroot", self.root, *args], input=text_in, capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise AssertionError(f"{args}: {done.stdout}{done.stderr}")
        return done.stdout

    def complaints(self):
        """Lines of its log that say that we broke a rule, or that it did."""
        return [line for line in self.log().splitlines() if re.search(self.bad_words, line)]

    def start_in_root(self, *args, log):
        return self.lab.start(["chroot", self.root, *args], log)

    # The name server.

    def start_names(self):
        zone = ZONE + "".join(f"{n} IN MX 10 mx.{n}\nmx.{n} IN A {self.address(n)}\n" for n in NAMES)
        places = {"net": self.lab.net, "dns": self.lab.dns, "tls": self.address("tls")}
        self.write("/etc/nsd/nsd.conf", NSD.format(**places))
        self.write("/etc/nsd/test.zone", (zone + self.more_names).format(**places))
        self.start_in_root("nsd", "-d", "-c", "/etc/nsd/nsd.conf", log="nsd.log")
        wait_for(self.names_answer, 20, "for the name server")

    def names_answer(self):
        """Is the SOA of test. told? (RFC 1035 4.1)"""
        question = b"\0\1\0\0\0\1\0\0\0\0\0\0\4test\0\0\6\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.sendto(question, (self.lab.net + ".1", self.lab.dns))
                return s.recv(512)[6:8] == b"\0\1"
            except OSError:
                return False

    def wait_until_it_listens(self, program):
        """program is None for a daemon that has gone into the background."""
        def listens():
            if program and program.poll() is not None:
                raise AssertionError(f"{self.name} ended: {self.lab.text(self.name + '.log')}")
            try:
                with socket.create_connection((self.address("src"), self.lab.mx), 5) as s:
                    return s.recv(100)[:3] == b"220"
            except OSError:
                return False
        wait_for(listens, 20, f"for {self.name}")

    # Certificates: /etc/mail/cert.pem and key.pem in the root, and ca.pem for the engine.

    def make_certificates(self):
        def openssl(*args):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                            *args], capture_output=True, check=True)
        ca, mail = self.lab.dir + "/ca", self.root + "/etc/mail"
        os.makedirs(mail, exist_ok=True)
        openssl("-subj", "/CN=the CA of a test", "-keyout", ca + ".key", "-out", ca + ".pem")
        openssl("-subj", "/CN=mx.tls.test", "-CA", ca + ".pem", "-CAkey", ca + ".key",
                "-addext", "basicConstraints=critical,CA:FALSE",
                "-addext", "subjectAltName=" + ",".join("DNS:" + n for n in CERTIFIED),
                "-keyout", mail + "/key.pem", "-out", mail + "/cert.pem")
        os.chmod(mail + "/key.pem", 0o644 if self.reads_key_unprivileged else 0o600)

    # Mailboxes: a maildir for each address that exists.

    def users(self):
        """Every address that exists. At RCPT only anna is refused."""
        return ([f"anna@{d}" for d in (*DOMAINS, *self.more_domains)]
                + [f"bert@{name}.test" for name in REFUSING]
                + MANY + (["пётр@tls.test"] if self.offers_utf8 else []))

    def empty_mailboxes(self):
        shutil.rmtree(self.root + "/var/vmail", ignore_errors=True)
        os.makedirs(self.root + "/var/vmail")
        os.chown(self.root + "/var/vmail", 5000, 5000)

    def mails(self, user):
        """Oldest first."""
        got = []
        for path in sorted(glob.glob(f"{self.root}/var/vmail/{user}/new/*"), key=os.path.getctime):
            with open(path, "rb") as f:
                got.append(f.read())
        return got


class PeerCase(unittest.TestCase):
    """An engine, and a peer that it finds by DNS."""

    peer_class = None
    programs = None  # mxhelmd, mxhelm, worldd
    conf_more = ""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(cls.programs[0], cls.programs[2], cls.programs[1])
        cls.lab.mx = free_port("0.0.0.0")
        cls.addClassCleanup(cls.lab.end)
        cls.peer = cls.peer_class(cls.lab)
        cls.peer.make_certificates()
        cls.peer.empty_mailboxes()
        cls.peer.wait_until_it_listens(cls.peer.start())
        cls.configure()
        cls.lab.start_engine()

    @classmethod
    def configure(cls):
        # Nothing is tried twice here, so that each answer is seen once.
        cls.lab.write_conf(retry="first = 1h\nmax = 1h",
                           more=f"ca-file = {cls.lab.dir}/ca.pem\n" + cls.conf_more)

    def send(self, *to, content=b"Subject: x\r\n\r\nHello\r\n", sender="anna@src.test", options=()):
        with smtplib.SMTP(self.lab.net + ".1", self.lab.smtp, timeout=20) as s:
            s.ehlo("client.src.test")
            if "SMTPUTF8" in options:
                s.command_encoding = "utf-8"
            self.assertEqual(s.mail(sender, options)[0], 250)
            for address in to:
                code, said = s.rcpt(address)
                self.assertEqual(code, 250, said)
            code, said = s.data(content)
            self.assertEqual(code, 250, said)

    def states(self, to):
        return self.lab.live_rows("SELECT state, tries, cause FROM recipient WHERE address=?", to)

    def wait_for_state(self, to, state, tries=1):
        def reached():
            return any(s == state and n >= tries for s, n, _ in self.states(to))
        try:
            wait_for(reached, 30)
        except AssertionError as e:
            raise AssertionError(f"{to} is not in state {state} but {self.states(to)}: "
                                 f"{self.log_of(to)}") from e

    def log_of(self, to):
        """The lines about an address, as `mxhelm log` shows them."""
        out = subprocess.run([self.programs[1], "-c", self.lab.conf, "log", f"to:{to}"],
                             capture_output=True, text=True, check=False,
                             env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout
        return [line for line in out.splitlines() if "status=" in line]

    def delivered(self, to, **how):
        """Sends one message, and returns it as the peer put it into the mailbox."""
        before = len(self.peer.mails(to))
        self.send(to, **how)
        got = wait_for(lambda: self.peer.mails(to)[before:], 30, f"for mail to {to}")
        self.wait_for_state(to, 4)
        return got[0]

    def complaints(self):
        return complain_of_log(self.lab) + self.peer.complaints()

    def test_zz_the_engine_and_the_peer_have_nothing_to_complain_of(self):
        """The last one: after all that the others did."""
        self.assertEqual(self.complaints(), [])
        self.assertEqual(self.lab.terminate(), 0)


def main(peer_class, cases, chosen):
    """unittest's main in the peer's world: all tests of the cases, or those chosen. The last line is
    one that summary.py counts."""
    PeerCase.peer_class = peer_class
    PeerCase.programs = [os.path.abspath(p) for p in sys.argv[1:4]]
    peer_class.enter()
    result = unittest.main(argv=[sys.argv[0], *(chosen or [case.__name__ for case in cases])],
                           verbosity=2, exit=False).result
    # Several subtests of one test may fail.
    bad = len({getattr(t, "test_case", t) for t, _ in result.failures + result.errors})
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed,"
          f" {len(result.skipped)} skipped")
    sys.exit(1 if not result.wasSuccessful() else 77 if result.skipped else 0)
