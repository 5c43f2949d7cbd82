# SPDX-License-Identifier: ISC
"""What the tests in this directory share: a temporary store with a configuration, the programs that run
on it, sessions that feed mail and remember what was answered 250, and the account at the end.

Everything is on 127.0.0.0/8. Each Lab takes a /24 of it for itself, so that several run side by side.

The account (Account.problems) is what promises 1 to 3 of the design come to:

- a recipient of a message that was answered 250 is in the store;
- when all is over, the store says "delivered" of exactly those that the world has taken, and of every
  bounced one a report has come back;
- the world has taken no message more often than once, but for recipients that passed through
  "unconfirmed", and these at most once more for each pass;
- copies of one message are the same octets.
"""

import collections
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time

# The numbers in the store (core/mail/msg.h).
QUEUED, ACTIVE, HELD, UNCONFIRMED, DELIVERED, BOUNCED, EXPIRED, DELETED = range(8)
NAMES = "queued active held unconfirmed delivered bounced expired deleted".split()

WORLD = """
personality takes
    offers PIPELINING "SIZE 10485760" ENHANCEDSTATUSCODES 8BITMIME DSN

dns src.test mx 10 mx.src.test
dns mx.src.test a {net}.2
host mx.src.test {net}.2 is takes

dns fast.test mx 10 mx.fast.test
dns mx.fast.test a {net}.3
host mx.fast.test {net}.3 is takes

# The reply to the end of data is what a kill finds in flight.
dns slow.test mx 10 mx.slow.test
dns mx.slow.test a {net}.4
host mx.slow.test {net}.4 is takes
    on mail delay=20ms reply 250 2.1.0 Ok
    on eod delay=150ms reply 250 2.0.0 "Ok: queued"

dns grey.test mx 10 mx.grey.test
dns mx.grey.test a {net}.5
host mx.grey.test {net}.5 is takes
    on rcpt first=1 per=argument reply 450 4.2.0 "<%a>: Recipient address rejected: Greylisted"

# Each message has a sender of its own, and the sender is the argument here.
dns later.test mx 10 mx.later.test
dns mx.later.test a {net}.6
host mx.later.test {net}.6 is takes
    on eod first=1 per=argument reply 451 4.3.0 "Error: queue file write error"

# RFC 1047: taken, and no reply.
dns lost.test mx 10 mx.lost.test
dns mx.lost.test a {net}.7
host mx.lost.test {net}.7 is takes
    on eod first=1 per=argument reset

dns gone.test mx 10 mx.gone.test
dns mx.gone.test a {net}.8
host mx.gone.test {net}.8 is takes
    on rcpt reply 550 5.1.1 "<%a>: Recipient address rejected: User unknown"
"""

CONFIG = """[identity]
hostname = mail.src.test
sender = mailer@src.test
[listen]
smtp = {net}.1:{smtp}
{listen}
[store]
path = {store}
[dns]
servers = {net}.1:{dns}
[delivery]
port = {mx}
connect-timeout = 5s
{delivery}
[retry]
{retry}
unconfirmed = {unconfirmed}
[lab]
special-use = yes
loopback-targets = yes
{more}"""

# Most mail is easy; every twentieth or so ends in each of the other ways.
MIX = (["fast"] * 9 + ["slow"] * 4 + ["grey"] * 2 + ["later", "lost", "gone"] + ["fast slow grey"] * 2)

PATIENCE_S = float(os.environ.get("MXHELM_TEST_PATIENCE", "60"))


def wait_for(what, seconds=PATIENCE_S, why=""):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:.0f} s in vain {why}")


def free_port(host, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


class Lab:
    def __init__(self, mxhelmd, worldd, mxhelm=None, **conf):
        self.mxhelmd, self.worldd, self.mxhelm = mxhelmd, worldd, mxhelm
        self.dir = tempfile.mkdtemp(prefix="mxhelm-real-")
        self.store, self.conf = self.dir + "/store", self.dir + "/mxhelm.conf"
        self.net = f"127.{random.randint(16, 250)}.{random.randint(1, 250)}"
        self.smtp = free_port(self.net + ".1")
        self.dns = free_port(self.net + ".1", socket.SOCK_DGRAM)
        self.mx = free_port(self.net + ".2")
        self.engine = self.world = None
        self.programs = []
        self.write_conf(**conf)

    def write_conf(self, listen="", delivery="", more="", unconfirmed="1s", raw=None,
                   retry="first = 1s\nmax = 2s"):
        text = raw if raw is not None else CONFIG.format(
            net=self.net, smtp=self.smtp, store=self.store, dns=self.dns, mx=self.mx,
            listen=listen, delivery=delivery, more=more, retry=retry,
            unconfirmed=unconfirmed)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, args, log, **more):
        with open(f"{self.dir}/{log}", "ab") as f:
            p = subprocess.Popen(args, stdout=f, stderr=f, stdin=subprocess.DEVNULL, **more)
        self.programs.append(p)
        return p

    def text(self, log):
        if not os.path.exists(f"{self.dir}/{log}"):
            return ""
        with open(f"{self.dir}/{log}", encoding="utf-8", errors="backslashreplace") as f:
            return f.read()

    def start_world(self, text=None):
        with open(self.dir + "/lab.world", "w", encoding="utf-8") as f:
            f.write(text or WORLD.format(net=self.net))
        self.world = self.start([self.worldd, "--dns", f"{self.net}.1:{self.dns}", "--port",
                                 str(self.mx), self.dir + "/lab.world"], "world.log")
        wait_for(lambda: "ready\n" in self.text("world.log"), why="for the world")

    def start_engine(self, wait=True):
        self.engine = self.start([self.mxhelmd, "-c", self.conf], "engine.log")
        if wait:
            wait_for(self.listens, why="for the engine to listen")
        return self.engine

    def listens(self):
        """It takes mail, and does not only say that it is starting."""
        if self.engine.poll() is not None:
            raise AssertionError(f"mxhelmd ended by itself with {self.engine.returncode}:\n"
                                 + self.text("engine.log")[-3000:])
        try:
            with socket.create_connection((self.net + ".1", self.smtp), 5) as s:
                return s.recv(100)[:3] == b"220"
        except OSError:
            return False

    def kill(self):
        """SIGKILL."""
        if self.engine.poll() is not None:
            raise AssertionError(f"mxhelmd ended by itself with {self.engine.returncode}:\n"
                                 + self.text("engine.log")[-3000:])
        self.engine.kill()
        self.engine.wait()
        self.programs.remove(self.engine)

    def in_flight(self):
        """After a kill: (addresses that were claimed, those whose end of data was marked as sent)."""
        found = self.rows("SELECT address, mark FROM recipient WHERE state=?", ACTIVE)
        return [a for a, _ in found], [a for a, mark in found if mark]

    def terminate(self, seconds=60):
        """SIGTERM; returns the exit code."""
        self.engine.send_signal(signal.SIGTERM)
        code = self.engine.wait(timeout=seconds)
        self.programs.remove(self.engine)
        return code

    def rows(self, sql, *args):
        """A question to a copy of the store: a reader here would take part in its recovery."""
        with tempfile.TemporaryDirectory(prefix="mxhelm-copy-") as d:
            if not os.path.exists(self.store + "/queue.db"):
                return []
            for name in ("queue.db", "queue.db-wal"):
                if os.path.exists(f"{self.store}/{name}"):
                    shutil.copyfile(f"{self.store}/{name}", f"{d}/{name}")
            db = sqlite3.connect(d + "/queue.db")
            try:
                if not db.execute("SELECT 1 FROM sqlite_schema WHERE name='recipient'").fetchone():
                    return []
                return db.execute(sql, args).fetchall()
            finally:
                db.close()

    def live_rows(self, sql, *args):
        """A question to the store itself, as the console asks it."""
        db = sqlite3.connect(f"file:{self.store}/queue.db?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()

    def is_drained(self):
        return self.live_rows("SELECT count(*) FROM recipient WHERE finished=0")[0][0] == 0

    def end(self, keep=False):
        for p in reversed(self.programs):
            if p.poll() is None:
                p.terminate()
        for p in self.programs:
            try:
                p.wait(timeout=40)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        if keep or "MXHELM_TEST_KEEP" in os.environ:
            print("kept for a look:", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


class Feeder(threading.Thread):
    """One SMTP client after another, until told to stop. Every message has a sender of its own."""

    def __init__(self, lab, name, seed, pace_s, mix=MIX):
        super().__init__(daemon=True)
        self.lab, self.tag, self.pace_s, self.mix = lab, name, pace_s, mix
        self.random = random.Random(seed)
        self.stop = threading.Event()
        self.accepted = {}  # address: size of the content
        self.uncertain = set()  # the connection was lost between the dot and its reply
        self.failure = None
        self.n = 0

    def run(self):
        while not self.stop.is_set():
            try:
                self.session()
            except (OSError, EOFError):
                self.stop.wait(0.02)
            except Exception as e:  # a bug of the test's or of the engine's answers
                self.failure = e
                return

    def reply(self, f):
        lines = []
        while True:
            line = f.readline()
            if not line.endswith(b"\n"):
                raise EOFError
            lines.append(line)
            if line[3:4] != b"-":
                return int(line[:3]), b"".join(lines).decode("ascii", "replace")

    def ask(self, s, f, text, want):
        s.sendall(text.encode() + b"\r\n")
        code, said = self.reply(f)
        if code in (421, 451, 452):
            raise EOFError  # it is going down
        if code != want:
            raise AssertionError(f"to {text}: {said}")

    def session(self):
        with socket.create_connection((self.lab.net + ".1", self.lab.smtp), 30) as s, \
                s.makefile("rb") as f:
            code, said = self.reply(f)
            if code == 421:
                raise EOFError
            assert code == 220, said
            self.ask(s, f, "EHLO feeder.src.test", 250)
            for _ in range(self.random.randint(1, 30)):
                if self.stop.is_set():
                    break
                self.message(s, f)
                self.stop.wait(self.random.random() * 2 * self.pace_s)
            self.ask(s, f, "QUIT", 221)

    def message(self, s, f):
        self.n += 1
        local = f"{self.tag}.{self.n}"
        to = [f"{local}@{d}.test" for d in self.random.choice(self.mix).split()]
        # Some fill more than one chunk of the store (256 KiB).
        lines = 6000 if self.random.random() < 0.01 else self.random.randint(1, 60)
        body = (f"From: <{local}@src.test>\r\nSubject: {local}\r\n\r\n"
                + "".join(f"{i:06d} {'x' * (i % 70)}\r\n" for i in range(lines)))
        self.ask(s, f, f"MAIL FROM:<{local}@src.test>", 250)
        for a in to:
            self.ask(s, f, f"RCPT TO:<{a}>", 250)
        self.ask(s, f, "DATA", 354)
        try:
            s.sendall(body.encode() + b".\r\n")
            code, said = self.reply(f)
        except (OSError, EOFError):
            self.uncertain.update(to)
            raise
        if code == 250:
            for a in to:
                self.accepted[a] = len(body)
            return
        if code not in (421, 451, 452):
            raise AssertionError(f"to the content: {said}")
        raise EOFError


def feed(lab, sessions, pace_s, seed, mix=MIX):
    """Starts that many feeders; pace_s is the mean time between two messages of one."""
    feeders = [Feeder(lab, f"s{i}", f"{seed}/{i}", pace_s, mix) for i in range(sessions)]
    for f in feeders:
        f.start()
    return feeders


def stop_feeding(feeders):
    for f in feeders:
        f.stop.set()
    for f in feeders:
        f.join(60)
        if f.is_alive():
            raise AssertionError("a session of the feeder hangs")
        if f.failure:
            raise f.failure


MAIL = re.compile(r"^mail host=(\S+) client=\S+ from=<(.*?)> rcpts=(\d+) first=<([^ >]*).*?> size=(\d+)"
                  r" hash=(\w+)", re.M)


class Account:
    """What was promised against what is in the store and what the world has taken."""

    def __init__(self, lab, feeders, marked=()):
        self.accepted = {a: n for f in feeders for a, n in f.accepted.items()}
        self.uncertain = {a for f in feeders for a in f.uncertain}
        self.store = {}
        self.reported = collections.Counter()  # by address of the report's recipient
        self.passes = collections.Counter(marked)
        self.taken = collections.defaultdict(list)  # address: (size, hash) of each copy
        sql = ("SELECT r.address, r.state, m.class, r.id FROM recipient r JOIN message m"
               " ON m.id=r.message")
        self.twice_in_store = []
        for address, state, kind, _ in lab.live_rows(sql):
            if kind == 2:
                self.reported[address] += 1
            elif address in self.store:
                self.twice_in_store.append(address)
            else:
                self.store[address] = state
        for address, n in lab.live_rows(
                "SELECT r.address, count(*) FROM attempt a JOIN recipient r ON r.id=a.recipient"
                " WHERE a.state=? GROUP BY r.address", UNCONFIRMED):
            self.passes[address] += n
        world = lab.text("world.log")
        self.violations = re.findall(r"^violation .*", world, re.M)
        self.malformed = [m for m in MAIL.findall(world) if m[2] != "1"]
        for _, sender, _, address, size, digest in MAIL.findall(world):
            self.taken[address].append((int(size), digest, sender))

    def duplicates(self):
        return {a: len(t) - 1 for a, t in self.taken.items() if len(t) > 1}

    def figures(self):
        extra = self.duplicates()
        states = collections.Counter(NAMES[s] for s in self.store.values())
        return (f"{len(self.accepted)} recipients accepted, {len(self.uncertain)} more whose 250 was"
                f" never seen ({sum(a in self.store for a in self.uncertain)} of them stored); store: "
                + ", ".join(f"{n} {s}" for s, n in sorted(states.items()))
                + f"; {sum(self.reported.values())} reports; the world took"
                f" {sum(map(len, self.taken.values()))}, {sum(extra.values())} of them a second time;"
                f" {sum(self.passes.values())} passes through unconfirmed")

    def problems(self):
        bad = []

        def say(what, which):
            if which:
                bad.append(f"{what}: {len(which)}, as {', '.join(map(str, sorted(which)[:5]))}")

        store, taken = self.store, self.taken
        say("accepted and not in the store", [a for a in self.accepted if a not in store])
        say("in the store and never handed in",
            [a for a in store if a not in self.accepted and a not in self.uncertain])
        say("stored twice", self.twice_in_store)
        say("not at an end", [f"{a} ({NAMES[s]})" for a, s in store.items()
                              if s not in (DELIVERED, BOUNCED)])
        say("delivered says the store, but the world has nothing",
            [a for a, s in store.items() if s == DELIVERED and a not in taken])
        say("bounced without cause", [a for a, s in store.items()
                                      if s == BOUNCED and not a.endswith("@gone.test")])
        say("taken by the world and unknown to the store",
            [a for a in taken if a not in store and a not in self.reported])
        bounced = {a.split("@")[0] + "@src.test" for a, s in store.items() if s == BOUNCED}
        say("bounced without a report", [a for a in bounced if a not in self.reported])
        say("more than one report", [a for a, n in self.reported.items() if n > 1])
        say("a report that did not come", [a for a in self.reported if a not in taken])
        say("reported without cause", [a for a in self.reported if a not in bounced])
        say("taken more often than its passes through unconfirmed explain",
            [a for a, n in self.duplicates().items() if n > self.passes[a]])
        say("copies that differ", [a for a, t in taken.items() if len({c[1] for c in t}) > 1])
        say("shorter than it was handed in",
            [a for a, n in self.accepted.items() if any(c[0] < n for c in taken[a])])
        say("protocol violations", self.violations)
        say("several recipients at once", self.malformed)
        return bad


SANITIZER = re.compile(r"AddressSanitizer|runtime error:|LeakSanitizer|Assertion|Sanitizer:")


def complain_of_log(lab):
    text = lab.text("engine.log")
    at = SANITIZER.search(text)
    return [f"the engine's log:\n{text[max(0, at.start() - 200):at.start() + 4000]}"] if at else []
