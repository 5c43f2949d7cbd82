#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Read what "meson test" recorded; show what failed; end with a line "N passed, N failed".

    summary.py TESTLOG.JSON STATUS

meson counts programs. A program that says how many tests it ran, as cmocka does, or with a last line
"N passed, N failed", counts as so many; any other as one. A program that failed counts as at least
one failure, whatever it said. STATUS is meson's own exit status: when it is not 0, neither is ours.
"""

import json
import re
import sys

TAIL_LINES = 60
CMOCKA_RAN = re.compile(r"^\[=+\] (\d+) test\(s\) run\.", re.M)
CMOCKA_ONE = re.compile(r"^\[       OK \]", re.M)
CMOCKA_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test\(s\)\.", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (\d+) test\(s\), listed below:", re.M)
CMOCKA_SKIPPED = re.compile(r"^\[  SKIPPED \] (\d+) test\(s\), listed below:", re.M)
OWN_LINE = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)


def counts_of(test):
    """What one program says it ran: (passed, failed, skipped), all 0 when it says nothing."""
    out = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    if CMOCKA_RAN.search(out):
        return tuple(sum(int(n) for n in pattern.findall(out))
                     for pattern in (CMOCKA_PASSED, CMOCKA_FAILED, CMOCKA_SKIPPED))
    if CMOCKA_ONE.search(out):
        return len(CMOCKA_ONE.findall(out)), 1, 0  # it died on the way
    own = OWN_LINE.findall(out)
    return tuple(int(n or 0) for n in own[-1]) if own else (0, 0, 0)


def judge(test):
    """(passed, failed, skipped) of one program."""
    passed, failed, skipped = counts_of(test)
    result = test["result"]
    # cmocka exits with its number of failures, and 77 of them look like a skip, 256 like success.
    if result == "SKIP" and failed == 0:
        return passed, 0, max(skipped, 1)
    if result in ("OK", "EXPECTEDFAIL") and failed == 0:
        return (passed if passed + skipped > 0 else 1), 0, skipped
    return passed, max(failed, 1), skipped


def show_failure(test):
    out = ((test.get("stdout") or "") + (test.get("stderr") or "")).rstrip().split("\n")
    print(f"---- {test['name']}: {test['result']} after {test.get('duration', 0):.1f} s, "
          f"exit {test.get('returncode')}")
    if len(out) > TAIL_LINES:
        print(f"     ... {len(out) - TAIL_LINES} lines before these")
    print("\n".join(out[-TAIL_LINES:]))


def read_tests(path):
    try:
        with open(path, encoding="utf-8", errors="backslashreplace") as f:
            return [json.loads(line) for line in f if line.strip()]
    except OSError:
        return []


def main():
    path, status = sys.argv[1], int(sys.argv[2])
    tests = read_tests(path)
    total = [0, 0, 0]
    skipped_names = []
    for test in tests:
        verdict = judge(test)
        total = [a + b for a, b in zip(total, verdict)]
        if verdict[1]:
            show_failure(test)
        elif verdict[2]:
            skipped_names.append(test["name"])
    slow = sorted(tests, key=lambda t: -t.get("duration", 0))[:3]
    print("slowest: " + ", ".join(f"{t['name']} {t.get('duration', 0):.1f} s" for t in slow))
    if total[2]:
        print(f"{total[2]} skipped: {', '.join(skipped_names)}")
    if not tests:
        print("no test ran")
    elif status != 0 and total[1] == 0:
        print(f"meson test itself failed with {status}")
    if not tests or (status != 0 and total[1] == 0):
        total[1] += 1
    print(f"{total[0]} passed, {total[1]} failed")
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
