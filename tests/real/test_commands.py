#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The programs as an operator meets them: mxhelmd, mxhelm and sendmail, on loopback, with a world
behind them (tests/world). No network but 127.0.0.0/8 is touched.

    test_commands.py MXHELMD MXHELM WORLDD WORLD_DIRECTORY [TEST...]
"""

import datetime
import json
import os
import pty
import random
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

from lab import wait_for

MXHELMD, MXHELM, WORLDD, WORLD = (os.path.abspath(a) for a in sys.argv[1:5])


# An address of our own, so that neither tests beside us nor their connections that linger in TIME_WAIT
# have its ports.
IP = f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.1"


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind((IP, 0))
        return s.getsockname()[1]


class House:
    """A temporary directory with a configuration, and the programs that run on it."""

    def __init__(self, extra=""):
        self.temp = tempfile.TemporaryDirectory(prefix="mxhelm-")
        self.dir = self.temp.name
        self.conf = self.dir + "/mxhelm.conf"
        self.store = self.dir + "/store"
        self.smtp, self.dns, self.mx = free_port(), free_port(socket.SOCK_DGRAM), free_port()
        self.programs = []
        self.extra = extra
        self.write_conf()
        os.symlink(MXHELM, self.dir + "/sendmail")

    def write_conf(self, text=None):
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(text or f"""[identity]
hostname = mail.example.com
sender = mailer@example.com
[listen]
smtp = {IP}:{self.smtp}
[store]
path = {self.store}
[dns]
servers = {IP}:{self.dns}
[delivery]
port = {self.mx}
connect-timeout = 5s
[lab]
special-use = yes
loopback-targets = yes
{self.extra}""")

    def env(self):
        env = {k: v for k, v in os.environ.items() if k not in ("SSH_CONNECTION", "MXHELM_THEME")}
        env.update(MXHELM_CONFIG=self.conf, LC_ALL="C.UTF-8", TZ="UTC", USER="anna",
                   ASAN_OPTIONS="detect_leaks=1:" + env.get("ASAN_OPTIONS", ""))
        return env

    def run(self, *args, stdin=b"", program=MXHELM):
        done = subprocess.run([program, *args], input=stdin, capture_output=True, env=self.env(),
                              timeout=60, check=False)
        done.out = done.stdout.decode("utf-8")
        done.err = done.stderr.decode("utf-8")
        return done

    def sendmail(self, *args, stdin=b""):
        return self.run(*args, stdin=stdin, program=self.dir + "/sendmail")

    def json(self, *args, stdin=b""):
        done = self.run(*args, "--json", stdin=stdin)
        return [json.loads(line) for line in done.out.splitlines()]

    def start(self, args, log):
        with open(self.dir + "/" + log, "ab") as f:
            p = subprocess.Popen(args, stdout=f, stderr=f, stdin=subprocess.DEVNULL, env=self.env())
        self.programs.append(p)
        return p

    def start_world(self):
        os.symlink(WORLD + "/personalities.world", self.dir + "/personalities.world")
        with open(self.dir + "/a.world", "w", encoding="utf-8") as f:
            f.write(f"""include personalities.world
dns sent.test mx 10 mx.sent.test
dns mx.sent.test a {IP}
host mx.sent.test {IP} port={self.mx} is accept
    on rcpt bert* reply 550 5.1.1 "<%a>: User unknown"
    on rcpt carl* reply 452 4.2.2 "Mailbox \\x1b[2J\\xff full"
dns lookup.test * servfail
""")
        world = self.start([WORLDD, "--dns", f"{IP}:{self.dns}", self.dir + "/a.world"], "world.log")
        wait_for(lambda: world.poll() is not None or "ready" in self.log("world.log"))
        assert world.poll() is None, self.log("world.log")

    def start_engine(self):
        p = self.start([MXHELMD, "-c", self.conf], "engine.log")
        wait_for(lambda: p.poll() is not None or self.run("status").returncode == 0)
        assert p.poll() is None, self.engine_log()
        return p

    def log(self, name):
        with open(self.dir + "/" + name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def engine_log(self):
        return self.log("engine.log")

    def stop(self, p):
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
        code = p.wait(timeout=60)
        if p in self.programs:
            self.programs.remove(p)
        return code

    def end(self):
        for p in list(reversed(self.programs)):
            self.stop(p)
        self.temp.cleanup()


MESSAGE = b"Subject: Minutes\n\nHello,\n.\nand more\n"


class Running(unittest.TestCase):
    """With an engine and a world."""

    @classmethod
    def setUpClass(cls):
        cls.house = House()
        cls.house.start_world()
        cls.engine = cls.house.start_engine()

    @classmethod
    def tearDownClass(cls):
        code = cls.house.stop(cls.engine)
        log = cls.house.engine_log()
        cls.house.end()
        assert code == 0 and "Sanitizer" not in log, (code, log)

    def send(self, *to):
        done = self.house.run("send", "-f", "anna@example.com", *to, stdin=MESSAGE)
        self.assertEqual(done.returncode, 0, done.err)
        return done.out.strip()

    def row(self, qid, want):
        def look():
            rows = self.house.json("queue", qid)
            return rows if rows and all(want(r) for r in rows) else None
        return wait_for(look)

    def final(self, qid, state):
        def look():
            shown = self.house.json("show", qid)
            return shown[0] if shown and all(r["state"] == state
                                             for r in shown[0]["recipients"]) else None
        return wait_for(look)

    def test_sent_mail_is_shown_with_the_servers_words(self):
        qid = self.send("dora@sent.test")
        self.assertRegex(qid, r"^[0-9A-Z]{13}$")
        shown = self.final(qid, "delivered")
        attempt = shown["recipients"][0]["attempts"][0]
        self.assertEqual((attempt["outcome"], attempt["code"]), ("delivered", 250))
        self.assertEqual(shown["subject"], "Minutes")
        datetime.datetime.strptime(shown["arrival"], "%Y-%m-%dT%H:%M:%S.%fZ")
        text = self.house.run("show", qid).out
        self.assertIn("dora@sent.test", text)
        self.assertIn("Accepted by the next server", text)
        lines = self.house.run("log", "to:dora@sent.test", "status:sent").out
        self.assertRegex(lines, qid + r": to=<dora@sent\.test>, relay=mx\.sent\.test\[127\.[\d.]+\]"
                                      r".*status=sent \(250")
        postfix = self.house.run("log", qid, "--postfix").out
        self.assertRegex(postfix, r"(?m)^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d mail\.example\.com "
                                  r"postfix/smtp\[1\]: " + qid)

    def test_raw_is_the_message_as_it_was_taken(self):
        qid = self.send("carl1@sent.test")
        raw = self.house.run("show", "--raw", qid).stdout
        self.assertTrue(raw.endswith(b"\r\n\r\nHello,\r\n.\r\nand more\r\n"), raw)
        self.assertTrue(raw.startswith(b"Received: "), raw)

    def test_a_bounce_is_told_and_not_in_the_queue(self):
        qid = self.send("bert@sent.test")
        shown = self.final(qid, "bounced")
        self.assertEqual(shown["recipients"][0]["enhanced"], "5.1.1")
        done = self.house.run("queue", qid)
        self.assertEqual(done.returncode, 0 if qid in done.out else 1)

    def test_hostile_replies_reach_no_terminal(self):
        qid = self.send("carl2@sent.test")
        row = self.row(qid, lambda r: r["tries"] > 0)[0]
        self.assertEqual((row["code"], row["enhanced"]), (452, "4.2.2"))
        for args in (["queue", qid], ["show", qid], ["show", "--timeline", qid], ["log", qid],
                     ["queue", "--by", "cause"], ["status"]):
            done = self.house.run(*args)
            self.assertEqual(done.returncode, 0, args)
            self.assertNotIn("\x1b", done.out, args)
        self.assertIn("^[[2J", self.house.run("queue", qid).out)

    def test_groups_count_what_lists_list(self):
        self.send("carl3@sent.test", "carl4@sent.test")
        for by in ("domain", "site", "cause", "sender", "age"):
            groups = self.house.json("queue", "--by", by)
            self.assertTrue(groups, by)
            self.assertEqual(sum(g["recipients"] for g in groups),
                             len(self.house.json("queue", "--limit", "100000")), by)
            self.assertTrue(self.house.run("queue", "--by", by).out, by)

    def test_sorting_and_limits(self):
        for _ in range(3):
            self.send("carl5@sent.test")
        ages = [r["arrival"] for r in self.house.json("queue", "to:carl5", "--sort", "age")]
        back = [r["arrival"] for r in self.house.json("queue", "to:carl5", "--sort=-age")]
        self.assertEqual(len(ages), 3)
        self.assertEqual(ages, back[::-1])
        self.assertEqual(ages, sorted(ages))
        self.assertEqual(len(self.house.json("queue", "to:carl5", "--limit", "2")), 2)

    def test_hold_release_retry_delete(self):
        qid = self.send("carl6@sent.test", "carl7@sent.test")
        self.row(qid, lambda r: r["tries"] > 0 and r["state"] == "queued")
        dry = self.house.json("hold", qid, "--dry-run")[0]
        self.assertEqual((dry["dry_run"], dry["matched"], dry["changed"]), (True, 2, 2))
        self.row(qid, lambda r: r["state"] == "queued")
        held = self.house.json("hold", qid, "--reason", "a test")[0]
        self.assertEqual((held["state"], held["changed"]), ("done", 2))
        self.row(qid, lambda r: r["state"] == "held" and "a test" in r["note"])
        self.assertIn("are held", self.house.run("status").out)
        self.assertEqual(self.house.json("retry", qid)[0]["changed"], 0)
        self.assertEqual(self.house.json("release", qid)[0]["changed"], 2)
        self.row(qid, lambda r: r["state"] == "queued" and r["tries"] > 1)
        self.assertEqual(self.house.json("retry", qid)[0]["changed"], 2)
        self.row(qid, lambda r: r["tries"] > 2)
        refused = self.house.run("delete", qid)
        self.assertEqual((refused.returncode, refused.err.count("\n")), (2, 1))
        self.assertIn("--yes", refused.err)
        self.assertEqual(self.house.run("delete", qid, "--yes").returncode, 0)
        self.final(qid, "deleted")
        jobs = self.house.json("jobs")
        self.assertEqual([j["verb"] for j in jobs if j["filter"] == "id:" + qid][:2],
                         ["delete", "retry"])
        self.assertIn("a test", self.house.run("jobs").out)

    def test_nothing_matched_is_1_and_a_bad_filter_is_2(self):
        done = self.house.run("retry", "domain:nobody.example")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.house.run("queue", "domain:nobody.example").returncode, 1)
        self.assertEqual(self.house.run("log", "to:nobody.example").returncode, 1)
        for verb in ("queue", "log", "retry", "delete"):
            done = self.house.run(verb, "colour:red")
            self.assertEqual(done.returncode, 2, verb)
            self.assertIn("colour", done.err)
            self.assertIn("domain:", done.err)
        for args in (["delete", "--yes"], ["delete", ""], ["delete", " ", "--yes"], ["nonsense"],
                     ["queue", "--by", "owner"], ["queue", "--sort", "x"], ["show"],
                     ["show", "nonsense"], ["log", "--since", "x"], ["status", "x"], ["send"],
                     ["send", "a b@c"], ["jobs", "stop"], ["--nonsense"], ["completion", "ksh"]):
            done = self.house.run(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertTrue(done.err, args)
        self.assertEqual(self.house.run("show", "0000000000001").returncode, 1)
        self.assertEqual(self.house.run("jobs", "stop", "14XXZ00000000").returncode, 1)

    def test_status_json_says_what_the_engine_knows(self):
        self.send("dora2@sent.test")
        status = self.house.json("status")[0]
        self.assertEqual((status["engine"], status["hostname"]), ("running", "mail.example.com"))
        self.assertTrue(status["lab_special_use"] and status["lab_loopback_targets"])
        self.assertGreater(status["accepted"]["total"], 0)
        self.assertEqual(status["pid"], self.engine.pid)
        self.assertIn("LAB", self.house.run("status").out)

    def test_sendmail_reads_the_header_and_hides_bcc(self):
        done = self.house.sendmail(
            "-t", "-F", "Zoë, from \"IT\"", "-N", "failure", "-R", "hdrs", "-V", "e1",
            stdin=b"To: \"A, B\" <carl8@sent.test>,\n carl9@sent.test (both)\n"
                  b"Bcc: carl8b@sent.test\nSubject: x\n\nsecret\n.\nnot this\n")
        self.assertEqual((done.returncode, done.err), (0, ""))
        rows = wait_for(lambda: self.house.json("queue", "to:carl8b"))
        qid = rows[0]["id"]
        self.assertEqual({r["to"] for r in self.house.json("queue", qid)},
                         {"carl8@sent.test", "carl9@sent.test", "carl8b@sent.test"})
        raw = self.house.run("show", "--raw", qid).stdout
        self.assertNotIn(b"carl8b", raw)
        self.assertNotIn(b"not this", raw)
        self.assertIn(b"From: =?UTF-8?", raw)
        shown = self.house.json("show", qid)[0]
        self.assertEqual((shown["dsn_ret"], shown["dsn_envid"]), ("hdrs", "e1"))
        self.assertEqual(shown["from"], "mailer@example.com")
        self.assertRegex(shown["origin"], r"^local uid \d+")

    def test_sendmail_with_i_keeps_a_lone_dot_and_completes_names(self):
        done = self.house.sendmail("-i", "-f", "cron", "--", "carl10@sent.test",
                                   stdin=b"From me\nSubject: y\n\n.\nlast")
        self.assertEqual((done.returncode, done.err), (0, ""))
        row = wait_for(lambda: self.house.json("queue", "to:carl10"))[0]
        self.assertEqual(row["from"], "cron@mail.example.com")
        raw = self.house.run("show", "--raw", row["id"]).stdout
        self.assertTrue(raw.endswith(b"\r\n\r\n.\r\nlast\r\n"), raw)
        self.assertNotIn(b"From me", raw)

    def test_sendmail_speaks_sysexits(self):
        for args, stdin, code in ((["-z", "a@b"], b"", 64), ([], b"", 64), (["-bs"], b"", 64),
                                  (["a b@sent.test"], MESSAGE, 65), (["-t"], b"X: y\n\nz\n", 65),
                                  (["-t"], b"To: <<>>\n\nz\n", 65)):
            done = self.house.sendmail(*args, stdin=stdin)
            self.assertEqual(done.returncode, code, (args, done.err))
            self.assertEqual(done.err.count("\n"), 1, done.err)
        self.assertEqual(self.house.sendmail("-bp").returncode, 0)

    def test_a_large_message_goes_through_whole(self):
        body = b"Subject: large\n\n" + b"".join(b"%07d 0123456789abcdef\n.\n" % i
                                                for i in range(100000))
        done = self.house.run("send", "carl11@sent.test", stdin=body)
        self.assertEqual(done.returncode, 0, done.err)
        raw = self.house.run("show", "--raw", done.out.strip()).stdout
        self.assertEqual(raw.split(b"\r\n\r\n", 1)[1],
                         body.split(b"\n\n", 1)[1].replace(b"\n", b"\r\n"))

    def test_following_the_log_shows_what_comes(self):
        p = subprocess.Popen([MXHELM, "log", "-f", "-n", "1", "to:dora3"], env=self.house.env(),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            time.sleep(0.5)
            qid = self.send("dora3@sent.test")
            ready, _, _ = select.select([p.stdout], [], [], 20)
            self.assertTrue(ready, "nothing came")
            self.assertIn(qid.encode(), p.stdout.readline())
        finally:
            p.terminate()
            p.communicate(timeout=20)

    def test_a_malformed_control_line_costs_that_connection_only(self):
        path = self.house.store + "/control.sock"

        def ask(octets):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(20)
                s.connect(path)
                try:
                    s.sendall(octets)
                    answer = b""
                    while chunk := s.recv(65536):
                        answer += chunk
                    return answer
                except (BrokenPipeError, ConnectionResetError):
                    return answer
        steady = socket.socket(socket.AF_UNIX)
        steady.connect(path)
        for line in (b"hello\n", b"\0\0\0\n", b"[" * 60000 + b"\n", b"\xff\xfe\n", b"{}\n",
                     b'{"v":2,"verb":"status"}\n', b'{"v":1,"verb":"explode"}\n', b"a" * 70000,
                     b'{"v":1,"verb":"delete","dryrun":true}\n'):
            answer = ask(line)
            if answer:
                reply = json.loads(answer.splitlines()[0])
                self.assertEqual((reply["v"], reply["reply"]), (1, "error"), line[:40])
                self.assertTrue(reply["text"])
        steady.settimeout(20)
        for _ in range(2):
            steady.sendall(b'{"v":1,"verb":"status"}\n')
            answer = b""
            while not answer.endswith(b"\n"):
                answer += steady.recv(65536)
            self.assertEqual(json.loads(answer)["reply"], "status")
        steady.close()
        self.assertEqual(self.house.run("status").returncode, 0)

    def test_a_second_engine_on_the_store_is_refused(self):
        with open(self.house.conf, encoding="utf-8") as f:
            text = f.read()
        other = self.house.dir + "/other.conf"
        with open(other, "w", encoding="utf-8") as f:
            f.write(text.replace(f":{self.house.smtp}", f":{free_port()}"))
        done = self.house.run("-c", other, program=MXHELMD)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.err.splitlines()), 1, done.err)
        self.assertIn(self.house.store, done.err)
        self.assertEqual(self.house.run("status").returncode, 0)

    def test_a_port_in_use_is_named(self):
        with open(self.house.conf, encoding="utf-8") as f:
            text = f.read()
        other = self.house.dir + "/port.conf"
        with open(other, "w", encoding="utf-8") as f:
            f.write(text.replace(self.house.store, self.house.dir + "/store2"))
        done = self.house.run("-c", other, program=MXHELMD)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.err.splitlines()), 1, done.err)
        self.assertIn(f"{IP}:{self.house.smtp}", done.err)
        self.assertIn("in use", done.err)

    def on_terminal(self, args, keys):
        """What the program says on a terminal on which keys are typed at each question."""
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(MXHELM, [MXHELM, *args], self.house.env())
        said, keys = b"", list(keys)
        while True:
            try:
                chunk = os.read(fd, 4096)
            except OSError:
                break
            if not chunk:
                break
            said += chunk
            if keys and (said.endswith(b"[y/N] ") or said.endswith(b"to go on: ")):
                os.write(fd, keys.pop(0) + b"\n")
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode("utf-8")

    def test_on_a_terminal_destroying_is_asked_about(self):
        qid = self.send("carl12@sent.test")
        self.row(qid, lambda r: r["tries"] > 0)
        code, said = self.on_terminal(["delete", qid], [b""])
        self.assertEqual(code, 1, said)
        for part in ("1 recipients", "mail.example.com", "the oldest from", "nobody is told",
                     "nothing was done"):
            self.assertIn(part, said)
        self.row(qid, lambda r: r["state"] == "queued")
        code, said = self.on_terminal(["delete", qid], [b"y"])
        self.assertEqual(code, 0, said)
        self.final(qid, "deleted")

    def test_large_deletions_want_the_number(self):
        to = [f"carl13-{i}@sent.test" for i in range(100)]
        qid = self.send(*to)
        self.row(qid, lambda r: r["tries"] > 0)
        code, said = self.on_terminal(["delete", qid], [b"y"])
        self.assertEqual(code, 1, said)
        code, said = self.on_terminal(["delete", qid], [b"100"])
        self.assertEqual(code, 0, said)
        self.final(qid, "deleted")


class Alone(unittest.TestCase):
    """Without an engine, or with one that cannot start."""

    def setUp(self):
        self.house = House()

    def tearDown(self):
        self.house.end()

    def one_sentence(self, done, code, *parts):
        self.assertEqual(done.returncode, code, done.err)
        self.assertEqual(len(done.err.splitlines()), 1, done.err)
        for part in parts:
            self.assertIn(part, done.err)

    def test_engine_down_is_75_and_reads_go_on(self):
        h = self.house
        engine = h.start_engine()
        qid = h.run("send", "carl@lookup.test", stdin=MESSAGE).out.strip()
        self.assertTrue(qid)
        self.assertEqual(h.stop(engine), 0)
        for args in (["retry", "--all"], ["hold", qid], ["delete", "--all", "--yes"], ["jobs"],
                     ["send", "a@sent.test"]):
            self.one_sentence(h.run(*args, stdin=MESSAGE), 75, "the engine is not running", h.store)
        self.one_sentence(h.sendmail("a@sent.test", stdin=MESSAGE), 75, "the engine is not running")
        done = h.run("status")
        self.one_sentence(done, 75, "the engine is not running")
        self.assertIn("1 queued", done.out)
        self.assertEqual(h.json("status")[0]["engine"], "down")
        self.assertEqual(h.json("queue")[0]["id"], qid)
        self.assertEqual(h.run("show", qid).returncode, 0)
        self.assertIn(qid, h.run("log").out)

    def test_no_store_is_said_so(self):
        for verb in ("queue", "log"):
            self.one_sentence(self.house.run(verb), 1, self.house.store)

    def test_a_broken_configuration_names_file_line_and_key(self):
        h = self.house
        h.write_conf("[identity]\nhostname = mail.example.com\n[delivery]\n\nport = many\n")
        for args, program in ((["status"], MXHELM), (["queue"], MXHELM), (["config", "check"], MXHELM),
                              ([], MXHELMD), (["check"], MXHELMD)):
            done = h.run(*args, program=program)
            self.one_sentence(done, 78, f"{h.conf}:5", "delivery.port", "allowed")
        self.assertEqual(h.sendmail("a@b.example").returncode, 78)
        self.assertEqual(h.run("help").returncode, 0)
        h.write_conf("[identity]\nhostnam = x\n")
        self.one_sentence(h.run("status"), 78, f"{h.conf}:2", "hostnam")
        self.one_sentence(h.run("-c", h.dir + "/none", "status"), 78, h.dir + "/none")

    def test_a_store_of_a_newer_schema_is_refused(self):
        h = self.house
        h.stop(h.start_engine())
        with sqlite3.connect(h.store + "/queue.db") as db:
            db.execute("PRAGMA user_version=9999")
        db.close()
        self.one_sentence(h.run(program=MXHELMD), 1, "9999", "queue.db")
        self.one_sentence(h.run("queue"), 1, "9999")

    def test_an_unreadable_secret_is_named_and_never_shown(self):
        h = self.house
        secret = h.dir + "/secret"
        h.extra = (f"[relay \"office\"]\nhost = relay.example.net:587\ntls = verified\nuser = me\n"
                   f"password-file = {secret}\n")
        h.write_conf()
        self.one_sentence(h.run(program=MXHELMD), 78, "relay.office.password-file", secret)
        with open(secret, "w", encoding="utf-8") as f:
            f.write("hunter2\n")
        os.chmod(secret, 0o600)
        done = h.run("config", "show", "relay.office")
        self.assertEqual(done.returncode, 0, done.err)
        self.assertIn(secret, done.out)
        self.assertNotIn("hunter2", done.out)

    def test_config_says_where_a_value_comes_from(self):
        values = {v["key"]: v for v in self.house.json("config", "show")}
        self.assertEqual(values["identity.hostname"]["value"], "mail.example.com")
        self.assertEqual((values["identity.hostname"]["origin"], values["identity.hostname"]["line"]),
                         ("file", 2))
        self.assertEqual(values["delivery.tls"]["origin"], "default")
        for key in values:
            if key.count(".") == 1:
                self.assertEqual(self.house.run("config", "explain", key).returncode, 0, key)

    def test_config_show_retry_tells_the_times_too(self):
        h = self.house
        self.assertIn("RFC 5321 4.5.4.1\n", h.run("config", "show", "retry").out)
        self.assertNotIn("since arrival", h.run("config", "show").out)
        h.extra = "[retry]\nprofile = short\n"
        h.write_conf()
        told = [o for o in h.json("config", "show", "retry") if "profile" in o]
        self.assertEqual([(o["profile"], o["is_in_force"]) for o in told],
                         [("normal", False), ("short", True)])
        self.assertEqual(told[1]["lifetime_ms"], 48 * 3600 * 1000)

    def test_checks_need_no_engine_and_say_what_they_know(self):
        h = self.house
        h.start_world()
        dns = f"{IP}:{h.dns}"
        checks = h.json("check", "spf", "--from", "a@sent.test", "--dns", dns)
        self.assertEqual([c["check"] for c in checks], ["spf"])
        self.assertIn(checks[0]["result"], ("warn", "fail"))
        self.assertEqual(h.run("check", "spf", "--dns", dns).returncode, 1)
        nobody = f"{IP}:{free_port(socket.SOCK_DGRAM)}"
        checks = h.json("check", "dns", "--dns", nobody)
        self.assertEqual(checks[0]["result"], "fail")
        self.assertIn("firewall", checks[0]["fix"])
        for c in checks:
            self.assertIsInstance(c["took_ms"], int)
        done = h.run("check", "dns", "--dns", "ns.example.net")
        self.assertEqual(done.returncode, 2)

    def test_explain_needs_neither_engine_nor_store(self):
        h = self.house
        texts = ("550 5.1.1 <a@b.example>: User unknown\n\n"
                 "connect to mx.b.example[192.0.2.1]:25: Connection timed out\n"
                 "550 5.7.1 \x1b[2J\u202e Permission denied\n")
        found = h.json("explain", "-", stdin=texts.encode())
        self.assertEqual([(x["class"], x["owner"]) for x in found],
                         [("RCPT.UNKNOWN", "RCPT"), ("NET.TIMEOUT", "REMOTE"), ("POLICY", "?")])
        self.assertEqual(found[0]["text"], "550 5.1.1 <a@b.example>: User unknown")
        done = h.run("explain", "-", stdin=texts.encode())
        self.assertEqual(done.returncode, 0)
        self.assertNotIn("\x1b", done.out)
        self.assertNotIn("\u202e", done.out)
        done = h.run("explain", "450", "4.2.0", "Greylisted,", "try", "again", "in", "5", "minutes")
        self.assertIn("This is normal", done.out)
        self.assertIn("5m", done.out)
        self.assertEqual(h.run("explain", "550 Rejected").returncode, 1)

    def test_help_lists_only_what_there_is(self):
        listed = re.findall(r"(?m)^  ([a-z]+) ", self.house.run("help").out)
        self.assertGreater(len(listed), 10)
        for verb in listed:
            done = self.house.run(verb, "--help")
            self.assertEqual(done.returncode, 0, verb)
            self.assertIn("usage: mxhelm " + verb, done.out)
        done = self.house.run()
        self.assertEqual(done.returncode, 2)

    def test_bash_understands_its_completion(self):
        script = self.house.run("completion", "bash").stdout
        done = subprocess.run(["bash"], input=script + b"""
COMP_WORDS=(mxhelm que); COMP_CWORD=1; _mxhelm; echo "${COMPREPLY[@]}"
COMP_WORDS=(mxhelm log --p); COMP_CWORD=2; _mxhelm; echo "${COMPREPLY[@]}"
""", capture_output=True, check=True, timeout=20)
        self.assertEqual(done.stdout.split(), [b"queue", b"--postfix"])

    def test_a_full_disk_behind_stdout_is_no_success(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([MXHELM, "help"], stdout=full, stderr=subprocess.PIPE,
                                  env=self.house.env(), timeout=20, check=False)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], verbosity=2)
