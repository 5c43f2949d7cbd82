#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What tests/summary.py makes of what "meson test" recorded: a failure is never lost."""

import json
import os
import subprocess
import sys
import tempfile

SUMMARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "summary.py")
ALL_WELL = "[==========] 3 test(s) run.\n[  PASSED  ] 3 test(s).\n"
ONE_FAILED = ("[==========] 3 test(s) run.\n[  PASSED  ] 2 test(s).\n"
              "[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] x\n")
SOME_SKIPPED = ("[==========] 3 test(s) run.\n[  PASSED  ] 2 test(s).\n"
                "[  SKIPPED ] 1 test(s), listed below:\n")
DIED = "[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\nERROR: AddressSanitizer\n"

# name, [(result, output)], status of meson, last line wanted
ROWS = [
    ("cmocka's tests are counted", [("OK", ALL_WELL)], 0, "3 passed, 0 failed"),
    ("two groups in one program", [("OK", ALL_WELL + ALL_WELL)], 0, "6 passed, 0 failed"),
    ("a program without counts is one", [("OK", "fine\n")], 0, "1 passed, 0 failed"),
    ("its own last line counts", [("OK", "1 passed, 0 failed\n12 passed, 0 failed\n")], 0,
     "12 passed, 0 failed"),
    ("one of three failed", [("FAIL", ONE_FAILED)], 1, "2 passed, 1 failed"),
    ("a leak after all passed", [("FAIL", ALL_WELL)], 1, "3 passed, 1 failed"),
    ("a crash half-way", [("FAIL", DIED)], 1, "1 passed, 1 failed"),
    ("a time-out without a word", [("TIMEOUT", "")], 1, "0 passed, 1 failed"),
    ("a program that could not start", [("ERROR", "")], 1, "0 passed, 1 failed"),
    ("a skipped program", [("OK", ALL_WELL), ("SKIP", "no nft here\n")], 0, "3 passed, 0 failed"),
    ("77 failures look like a skip", [("SKIP", ONE_FAILED)], 0, "2 passed, 1 failed"),
    ("256 failures look like success", [("OK", ONE_FAILED)], 0, "2 passed, 1 failed"),
    ("an expected failure that passed", [("UNEXPECTEDPASS", "")], 1, "0 passed, 1 failed"),
    ("skipped tests within a program", [("OK", SOME_SKIPPED)], 0, "2 passed, 0 failed"),
    ("nothing ran", [], 0, "0 passed, 1 failed"),
    ("meson itself failed", [("OK", ALL_WELL)], 2, "3 passed, 1 failed"),
]


def main():
    failed = 0
    for name, programs, status, want in ROWS:
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as log:
            for result, out in programs:
                log.write(json.dumps({"name": "t", "result": result, "stdout": out,
                                      "duration": 1.0, "returncode": 0}) + "\n")
            log.flush()
            done = subprocess.run([sys.executable, SUMMARY, log.name, str(status)],
                                  capture_output=True, text=True)
        last = done.stdout.rstrip("\n").split("\n")[-1]
        if last != want or (done.returncode != 0) != (" 0 failed" not in want):
            failed += 1
            print(f'row "{name}": "{last}", exit {done.returncode}, not "{want}"\n{done.stderr}')
    print(f"{len(ROWS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
