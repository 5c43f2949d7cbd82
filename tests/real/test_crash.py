#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Kill the engine 50 times under load, and account for every message that it accepted.

    test_crash.py MXHELMD WORLDD [--kills N] [--seed TEXT] [--keep] [--break WHAT] [--self-test]

Several SMTP sessions hand mail in, to hosts that take it at once, slowly, at the second try, with no
reply, or never. Meanwhile mxhelmd gets SIGKILL at random moments: most while it works, some while it
starts. lab.py says what must be true in the end.

--break tampers with the store between two runs, as a lost write would: the account must then fail.
--self-test runs each of these tamperings, and fails when one of them is not found out.
"""

import argparse
import collections
import os
import random
import re
import sqlite3
import sys
import time

from lab import NAMES, UNCONFIRMED, Account, Lab, complain_of_log, feed, stop_feeding, wait_for

BREAKS = {
    # An accepted message is gone. The oldest that waits: of the newest the client may have seen no 250.
    "lose": "DELETE FROM recipient WHERE id=(SELECT min(r.id) FROM recipient r JOIN message m"
            " ON m.id=r.message WHERE r.finished=0 AND m.class=0)",
    # A delivered one is forgotten, and goes out once more without having been unconfirmed.
    "forget": "UPDATE recipient SET state=0, finished=0, next=0 WHERE id=(SELECT min(id) FROM"
              " recipient WHERE state=4 AND address LIKE '%@fast.test')",
    # One that never left is said to be delivered.
    "pretend": "UPDATE recipient SET state=4, finished=1 WHERE id=(SELECT max(id) FROM recipient"
               " WHERE state=0 AND tries=0)",
    # The mark of what was in flight is gone.
    "unmark": "UPDATE recipient SET mark=0 WHERE state=1",
}


def tamper(lab, what):
    if not lab.rows("SELECT 1"):
        return 0  # killed before it had a store
    db = sqlite3.connect(lab.store + "/queue.db")
    changed = db.execute(BREAKS[what]).rowcount
    if what == "forget" and changed:
        # Its body is gone as well; the message opens again with another one.
        message, = db.execute("SELECT message FROM recipient WHERE state=0 AND next=0").fetchone()
        db.execute("UPDATE message SET open=open+1 WHERE id=?", (message,))
        size, = db.execute("SELECT size FROM message WHERE id=?", (message,)).fetchone()
        db.execute("INSERT OR REPLACE INTO chunk VALUES(?, ?)", (message, b"x" * (size - 2) + b"\r\n"))
    db.commit()
    db.close()
    return changed


RECOVERED = re.compile(r"(\d+) recipients go on, (\d+) may have been delivered \(unconfirmed\)")


def one_life(lab, rng, marked):
    """From one start to a kill. marked: what was in flight at the kill before this life. Returns what
    is wrong."""
    log_from = len(lab.text("engine.log"))
    if rng.random() < 0.2:
        lab.start_engine(wait=False)
        time.sleep(rng.random() * 0.4)
    else:
        lab.start_engine()
        time.sleep(rng.random() * 0.8)
    lab.kill()
    said = RECOVERED.search(lab.text("engine.log"), log_from)
    if said and int(said[2]) != len(marked):
        return [f"{len(marked)} may have been delivered at the kill, the engine says: {said[0]}"]
    if not said:
        return []
    # Their next try is later than any life ends.
    states = dict(lab.rows("SELECT address, state FROM recipient"))
    return [f"{a} may have been delivered at the kill, and is {NAMES[states[a]]} after the start"
            for a in marked if states[a] != UNCONFIRMED]


def crash(args, kills, what=None):
    """Returns (figures, problems)."""
    lab = Lab(args.mxhelmd, args.worldd, unconfirmed="10s")
    rng = random.Random(args.seed)
    marked = collections.Counter()  # how often each was in flight behind its end of data
    marks, problems = [], []
    tampered = with_claims = with_marks = 0
    is_well = False
    try:
        lab.start_world()
        feeders = feed(lab, sessions=12, pace_s=0.05, seed=args.seed)
        for _ in range(kills):
            problems += one_life(lab, rng, marks)
            if what and (what == "unmark" or not tampered):
                tampered += tamper(lab, what)
            claims, marks = lab.in_flight()
            with_claims, with_marks = with_claims + bool(claims), with_marks + bool(marks)
            marked.update(marks)
        lab.start_engine()
        time.sleep(0.5)
        stop_feeding(feeders)
        wait_for(lab.is_drained, why="for the queue to drain: "
                 + str(lab.live_rows("SELECT state, count(*) FROM recipient GROUP BY state")))
        account = Account(lab, feeders, marked)
        code = lab.terminate()
        problems += account.problems() + complain_of_log(lab)
        if code:
            problems.append(f"the last run ended with {code}")
        if not with_marks:
            problems.append("nothing was in flight at any kill: the test tests nothing")
        if what and not tampered:
            problems = ["could not be tampered with"]
        is_well = not problems
        return (f"{with_claims} kills in the middle of deliveries, {with_marks} of them behind an end"
                f" of data; {account.figures()}"), problems
    finally:
        lab.end(keep=args.keep and not is_well)


def self_test(args):
    failed = 0
    for what in BREAKS:
        try:
            _, problems = crash(args, 6, what)
        except AssertionError as e:
            problems = [str(e)]
        print(f"{what}: {'found: ' + problems[0] if problems else 'NOT found out'}", flush=True)
        failed += not problems or problems[0].startswith("could not")
    print(f"{len(BREAKS) - failed} passed, {failed} failed")
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mxhelmd")
    parser.add_argument("worldd")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", default=str(random.randrange(1 << 32)))
    parser.add_argument("--keep", action="store_true", help="leave the store of a failed run")
    parser.add_argument("--break", dest="tamper", choices=BREAKS)
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    args.mxhelmd, args.worldd = map(os.path.abspath, (args.mxhelmd, args.worldd))
    if args.self_test:
        return self_test(args)
    figures, problems = crash(args, args.kills, args.tamper)
    print(f"seed {args.seed}, {args.kills} kills: {figures}")
    for p in problems:
        print("PROBLEM:", p)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
