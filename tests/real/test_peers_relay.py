#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A relay wants a login of mxhelmd: Debian's Postfix (Cyrus SASL and Dovecot), Exim, OpenSMTPD.

    test_peers_relay.py MXHELMD MXHELM WORLDD postfix|exim|opensmtpd [TEST...]

Each row is a [relay] of its own, and the domain of its name is routed there.
"""

import os
import subprocess
import sys
import typing

from lab import QUEUED
from peers import postfix
from peers.base import PeerCase, main
from peers.exim import Exim
from peers.opensmtpd import Opensmtpd
from peers.postfix import Postfix


class Relay(typing.NamedTuple):
    face: str  # the peer's, see peers/base.py
    login: str = ""  # the mechanism by which we are let in; "best": of those that the peer has
    auth: str = "auto"
    secret: str = "password"  # the name of the file
    tls: str = "verified"
    waits: str = ""  # not empty: what the log says of the mail, which is never bounced
    alarm: str = ""  # what the operator is told to do


LETS_IN = {
    "auto": Relay("relay", "best"),
    "plain": Relay("relay", "PLAIN", auth="plain"),
    "login": Relay("relay", "LOGIN", auth="login"),
    "cram-md5": Relay("relay", "CRAM-MD5", auth="cram-md5"),
    "scram-sha-256": Relay("relay", "SCRAM-SHA-256", auth="scram-sha-256"),
    "implicit": Relay("smtps", "PLAIN", auth="plain"),
    "by-dovecot": Relay("dovecot", "SCRAM-SHA-256"),
    "oauthbearer": Relay("dovecot", "OAUTHBEARER", auth="oauthbearer", secret="token"),
    "xoauth2": Relay("dovecot", "XOAUTH2", auth="xoauth2", secret="token"),
}
FAILED = "dsn=4.7.[0-9], status=deferred .SASL authentication failed; server mx.{}.test"
# The client's words.
NOT_COMMON = "offered no compatible authentication mechanisms for this type of connection security"
CHECK = "Check user and password"
TURNED_AWAY = {
    "wrong": Relay("relay", auth="plain", secret="wrong", alarm=CHECK,
                   waits=FAILED + ".* said: 535 "),
    "wrong-scram": Relay("relay", auth="scram-sha-256", secret="wrong", alarm=CHECK,
                         waits=FAILED + ".* said: 535 "),
    "wrong-token": Relay("dovecot", auth="oauthbearer", secret="wrong-token",
                         alarm="Check the token", waits=FAILED + ".* said: 535 "),
    "not-common": Relay("foreign", waits=FAILED + ".* " + NOT_COMMON, alarm="Turn TLS on"),
    "in-clear": Relay("naked", tls="opportunistic", waits=FAILED + ".* " + NOT_COMMON,
                      alarm="Turn TLS on"),
    "not-encrypted": Relay("naked", tls="required",
                           waits="dsn=4.7.4, status=deferred .TLS is required, but was not offered"),
    "other-name": Relay("misnamed", waits="tls=failed, dsn=4.7.5, status=deferred .*another name"),
    "no-login": Relay("relay", auth="none", alarm="set user and password-file", waits="530"),
}

SECTION = """[relay "{name}"]
host = mx.{face}.test:{port}
tls = {tls}
auth = {auth}
{login}
[route "{name}.test"]
via = relay {name}
"""


class Relaying(PeerCase):
    @classmethod
    def configure(cls):
        peer = cls.peer
        secrets = {"password": peer.PASSWORD, "wrong": "not the password",
                   "token": postfix.token(peer.USER), "wrong-token": postfix.token(peer.USER) + "x"}
        for name, text in secrets.items():
            with open(f"{cls.lab.dir}/{name}", "w", encoding="ascii",
                      opener=lambda path, flags: os.open(path, flags, 0o600)) as f:
                f.write(text)
        cls.conf_more = "".join(cls.section(name, row) for name, row in cls.rows().items())
        super().configure()

    @classmethod
    def rows(cls):
        """Those that this peer can play."""
        peer = cls.peer
        return {name: row for name, row in {**LETS_IN, **TURNED_AWAY}.items()
                if row.face in peer.relays
                and (row.auth in ("auto", "none") or row.auth.upper() in peer.mechanisms)
                and (row.auth != "none" or peer.asks_for_login)}

    @classmethod
    def section(cls, name, row):
        key = "token-file" if "token" in row.secret else "password-file"
        login = f"user = {cls.peer.USER}\n{key} = {cls.lab.dir}/{row.secret}\n"
        return SECTION.format(name=name, face=row.face, tls=row.tls, auth=row.auth,
                              port=465 if row.face == "smtps" else 587,
                              login="" if row.auth == "none" else login)

    def status(self):
        return subprocess.run([self.programs[1], "-c", self.lab.conf, "status"],
                              capture_output=True, text=True, check=False).stdout

    def test_logins(self):
        for name, row in self.rows().items():
            if row.waits:
                continue
            with self.subTest(name):
                to = f"anna@{name}.test"
                self.delivered(to, sender=f"{name}@src.test")
                line = self.log_of(to)[0]
                self.assertIn(f"relay=mx.{row.face}.test[{self.peer.address(row.face)}]:", line)
                self.assertIn("tls=verified, ", line)
                mechanism, user = self.peer.login_of(f"{name}@src.test")
                self.assertEqual(user, self.peer.USER)
                best = self.peer.mechanisms[0] if row.login == "best" else row.login
                self.assertIn(mechanism, (best, "not told"))

    def test_being_turned_away(self):
        rows = {name: row for name, row in self.rows().items() if row.waits}
        for name in rows:
            self.send(f"anna@{name}.test")
        for name, row in rows.items():
            with self.subTest(name):
                to = f"anna@{name}.test"
                self.wait_for_state(to, QUEUED)
                self.assertRegex(self.log_of(to)[0], row.waits.format(row.face))
                self.assertEqual(self.peer.mails(to), [])
                alarms = [line for line in self.status().splitlines()
                          if f"ALARM        relay {name}: " in line]
                self.assertEqual(len(alarms), 1 if row.alarm else 0)
                self.assertIn(row.alarm, "".join(alarms))
        self.assertNotIn(self.peer.PASSWORD, self.lab.text("engine.log"))

    def test_a_second_message_does_not_try_the_wrong_password_again(self):
        self.send("anna@wrong.test")
        self.wait_for_state("anna@wrong.test", QUEUED)
        before = self.peer.log()
        self.send("anna@wrong.test", "bert@wrong.test")
        self.wait_for_state("bert@wrong.test", QUEUED)
        self.assertEqual(self.peer.log(), before)
        self.assertIn("535", self.log_of("bert@wrong.test")[0])


PEERS = {p.name: p for p in (Postfix, Exim, Opensmtpd)}

if __name__ == "__main__":
    main(PEERS[sys.argv[4]], [Relaying], sys.argv[5:])
