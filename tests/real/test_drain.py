#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""SIGTERM and SIGHUP under load: a drain loses nothing, doubles nothing and leaves nothing half done; a
reload takes a good configuration and keeps the old one when the new one is broken.

    test_drain.py MXHELMD WORLDD [TEST...]
"""

import os
import re
import socket
import sys
import time
import unittest

from lab import ACTIVE, DELIVERED, MIX, UNCONFIRMED, Account, Lab, complain_of_log, feed, \
    stop_feeding, wait_for

MXHELMD, WORLDD = map(os.path.abspath, sys.argv[1:3])
# Without the host that takes mail and says nothing: then a duplicate has no excuse.
STRICT = [d for d in MIX if d != "lost"]


class Case(unittest.TestCase):
    def setUp(self):
        self.lab = Lab(MXHELMD, WORLDD)
        self.addCleanup(self.lab.end)
        self.feeders = []

    def feed(self, **how):
        self.feeders = feed(self.lab, sessions=8, pace_s=0.03, seed=self.id(), mix=STRICT, **how)
        self.addCleanup(lambda: [f.stop.set() for f in self.feeders])

    def expect_a_true_account(self):
        """Lets everything drain, and ends the engine."""
        stop_feeding(self.feeders)
        wait_for(self.lab.is_drained, why="for the queue to drain")
        account = Account(self.lab, self.feeders)
        self.assertEqual(self.lab.terminate(), 0)
        self.assertEqual(account.problems() + complain_of_log(self.lab), [])
        self.assertEqual(account.duplicates(), {}, "nobody was unconfirmed")
        print(f"{self.id()}: {account.figures()}")

    def greeting_size(self):
        """What a new session is told about SIZE."""
        with socket.create_connection((self.lab.net + ".1", self.lab.smtp), 10) as s, \
                s.makefile("rb") as f:
            f.readline()
            s.sendall(b"EHLO probe.src.test\r\n")
            for line in f:
                found = re.match(rb"250[ -]SIZE (\d+)", line)
                if found:
                    return int(found[1])
        return None

    def wait_for_log(self, text, log_from=0):
        wait_for(lambda: text in self.lab.text("engine.log")[log_from:], 20,
                 f"for {text!r} in the log")


class Drain(Case):
    def test_a_drain_leaves_nothing_half_done(self):
        self.lab.start_world()
        self.feed()
        for i in range(8):
            self.lab.start_engine()
            time.sleep(0.3 + 0.1 * i)
            begin = time.monotonic()
            self.assertEqual(self.lab.terminate(), 0)
            self.assertLess(time.monotonic() - begin, 29, "nothing was stuck, so no grace is needed")
            states = dict(self.lab.rows("SELECT state, count(*) FROM recipient GROUP BY state"))
            self.assertNotIn(ACTIVE, states)
            self.assertNotIn(UNCONFIRMED, states)
        self.lab.start_engine()
        self.expect_a_true_account()
        self.assertNotIn("ended without a drain", self.lab.text("engine.log"))

    def test_sigint_and_a_second_sigterm_drain_too(self):
        self.lab.start_world()
        self.feed()
        engine = self.lab.start_engine()
        time.sleep(0.5)
        engine.send_signal(2)
        engine.send_signal(15)
        self.assertEqual(self.lab.terminate(), 0)
        self.lab.start_engine()
        self.expect_a_true_account()
        self.assertNotIn("ended without a drain", self.lab.text("engine.log"))

    def test_a_draining_engine_says_421_and_takes_no_mail(self):
        net = self.lab.net
        self.lab.start_world(f"""personality late
    offers PIPELINING ENHANCEDSTATUSCODES 8BITMIME
    on eod delay=3s reply 250 2.0.0 Ok
dns late.test mx 10 mx.late.test
dns mx.late.test a {net}.3
host mx.late.test {net}.3 is late
""")
        engine = self.lab.start_engine()
        with socket.create_connection((net + ".1", self.lab.smtp), 10) as s, s.makefile("rb") as f:
            f.readline()
            s.sendall(b"MAIL FROM:<a@src.test>\r\n")
            f.readline()
        feeders = feed(self.lab, 1, 0.01, "late", ["late"])
        wait_for(lambda: feeders[0].accepted, why="for a message to be in")
        wait_for(lambda: self.lab.live_rows("SELECT 1 FROM recipient WHERE state=?", ACTIVE),
                 why="for a delivery")
        with socket.create_connection((net + ".1", self.lab.smtp), 10) as s, s.makefile("rb") as f:
            f.readline()
            engine.terminate()
            self.assertEqual(f.readline()[:4], b"421 ")
            self.assertEqual(f.readline(), b"")
        with self.assertRaises(OSError):
            # The listener is closed, or the connection at once.
            with socket.create_connection((net + ".1", self.lab.smtp), 10) as s:
                if s.recv(100)[:4] in (b"421 ", b""):
                    raise OSError
        stop_feeding(feeders)
        self.assertEqual(self.lab.terminate(), 0)
        states = {s for s, in self.lab.rows("SELECT DISTINCT state FROM recipient")}
        self.assertIn(DELIVERED, states, "what was being sent was finished")
        self.assertNotIn(ACTIVE, states)


class Grace(Case):
    def test_what_does_not_answer_within_the_grace_is_unconfirmed(self):
        """30 s: what hangs then is let go; an end of data without a reply is not forgotten."""
        net = self.lab.net
        self.lab.start_world(f"""personality mute
    offers PIPELINING ENHANCEDSTATUSCODES 8BITMIME
    on rcpt before* silence
    on eod silence
dns mute.test mx 10 mx.mute.test
dns mx.mute.test a {net}.3
host mx.mute.test {net}.3 is mute
dns silent.test mx 10 mx.silent.test
dns mx.silent.test a {net}.4
host mx.silent.test {net}.4 is mute
    on rcpt silence
""")
        self.lab.start_engine()
        feeders = feed(self.lab, 1, 0.02, "grace", ["mute silent"])
        wait_for(lambda: len(feeders[0].accepted) >= 4, why="for some messages to be in")
        wait_for(lambda: self.lab.live_rows("SELECT 1 FROM recipient WHERE mark<>0"),
                 why="for an end of data")
        begin = time.monotonic()
        code = self.lab.terminate(60)
        took = time.monotonic() - begin
        stop_feeding(feeders)
        self.assertEqual(code, 0)
        self.assertGreater(took, 25)
        rows = self.lab.rows("SELECT address, state FROM recipient")
        states = {}
        for address, state in rows:
            states.setdefault(address.split("@")[1], set()).add(state)
        self.assertNotIn(ACTIVE, states["mute.test"] | states["silent.test"])
        self.assertIn(UNCONFIRMED, states["mute.test"])
        self.assertNotIn(UNCONFIRMED, states["silent.test"], "its content was never sent")
        self.assertEqual(complain_of_log(self.lab), [])


class Reload(Case):
    def test_a_good_configuration_is_taken_up_under_load(self):
        self.lab.start_world()
        engine = self.lab.start_engine()
        self.feed()
        time.sleep(0.5)
        for size in (1, 2, 3):
            self.lab.write_conf(listen=f"max-message = {size}M",
                                delivery=f"site-connections = {size}")
            engine.send_signal(1)
            wait_for(lambda n=size: self.greeting_size() == n << 20, 20, "for the new limit")
            time.sleep(0.3)
        self.expect_a_true_account()
        self.assertEqual(self.lab.text("engine.log").count("configuration read again"), 3)

    def test_a_broken_configuration_leaves_the_old_one_in_force(self):
        self.lab.start_world()
        self.lab.write_conf(listen="max-message = 3M")
        engine = self.lab.start_engine()
        self.feed()
        time.sleep(0.5)
        with open(self.lab.conf, encoding="utf-8") as f:
            good = f.read().split("\n")
        broken = {
            "max-message = 3M": "max-message = huge",
            "first = 1s": "frist = 1s",
            "[lab]": "[lab",
            "connect-timeout = 5s": "connect-timeout = 5 parsecs",
        }
        for line, bad in broken.items():
            at = good.index(line)
            self.lab.write_conf(raw="\n".join(good[:at] + [bad] + good[at + 1:]))
            log_from = len(self.lab.text("engine.log"))
            engine.send_signal(1)
            self.wait_for_log("the old configuration stays in force", log_from)
            said = self.lab.text("engine.log")[log_from:]
            self.assertIn(f"{self.lab.conf}:{at + 1}:", said)
            self.assertEqual(self.greeting_size(), 3 << 20)
        os.unlink(self.lab.conf)
        log_from = len(self.lab.text("engine.log"))
        engine.send_signal(1)
        self.wait_for_log("the old configuration stays in force", log_from)
        self.assertIn(self.lab.conf, self.lab.text("engine.log")[log_from:])
        self.expect_a_true_account()

    def test_what_needs_a_restart_is_said(self):
        self.lab.start_world()
        engine = self.lab.start_engine()
        old = self.lab.smtp
        self.lab.smtp = old + 1 if old < 65535 else old - 1
        self.lab.write_conf()
        self.lab.smtp = old
        engine.send_signal(1)
        self.wait_for_log("changed: that needs a restart")
        self.assertTrue(self.lab.listens())
        self.assertEqual(self.lab.terminate(), 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
