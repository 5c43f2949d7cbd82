#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The rules of the house that a compiler does not check.

    check_layers.py ROOT [--cc COMMAND...]    check the tree; exit 1 and one line per finding
    check_layers.py --self-test [--cc ...]    prove on generated snippets that each rule can fail

The rules stand in the tables below, and nowhere else. Whoever moves a wall changes the table here
and the picture in core/README.md in the same commit.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

# --------------------------------------------------------------------------------------------------
# The table of arrows: what each folder may include besides its own files. A name that ends in "/" is
# a folder, any other a single header. A file's own row comes before its folder's.

CORE = ["core/base/", "core/mail/", "core/smtp/", "core/net/", "core/ctl/", "core/check/"]
ENGINE = CORE + ["store/queue.h", "store/spool.h", "store/writer.h", "store/store.h",
                 "store/daylog.h"]
CONSOLE = CORE + ["store/view.h", "store/search.h"]

ARROWS = {
    "core/base/":    [],
    "core/mail/":    ["core/base/"],
    "core/smtp/":    ["core/base/", "core/mail/"],
    "core/net/":     ["core/base/", "core/mail/"],
    "core/ctl/":     ["core/base/", "core/mail/"],
    "core/check/":   ["core/base/", "core/mail/", "core/smtp/", "core/net/"],
    "store/":        ["core/base/", "core/mail/"],
    "core/engine/":  ENGINE,
    "tui/":          CONSOLE,
    "core/mxhelmd.c": ENGINE + ["core/engine/"],
    "tui/mxhelm.c":  CONSOLE,
}

# A library's headers (a regular expression on the name), and the only places for them.
LIBRARIES = [
    (r"sqlite3\.h",                         ["store/"]),
    (r"libpq-fe\.h",                        ["store/postgres/"]),
    (r"uv\.h",                              ["core/net/loop.c", "core/net/conn.c", "core/net/uv.h"]),
    (r"ares.*\.h",                          ["core/net/dns.c"]),
    (r"openssl/(ssl|tls1|x509.*|ocsp)\.h",  ["core/net/tls.c"]),
    (r"openssl/.*",                         ["core/mail/digest.c", "core/net/tls.c"]),
    (r"curl/.*",                            ["core/net/https.c"]),
    (r"jansson\.h",                         ["core/ctl/", "tui/"]),
    (r"(ncursesw/)?(n?curses|panel|term)\.h", ["tui/term.c"]),
    (r"idn2\.h",                            ["core/mail/domain.c"]),
    (r"ini\.h",                             ["core/mail/conf.c", "tui/theme.c"]),
    (r"zlib\.h",                            ["store/", "core/engine/", "core/net/"]),
]

# The C library and the kernel. Anything else in <> is a new library, and needs a row above.
SYSTEM = (r"(assert|ctype|dirent|endian|errno|fcntl|float|getopt|glob|grp|inttypes|langinfo|libgen|"
          r"limits|locale|malloc|math|netdb|paths|poll|pthread|pty|pwd|regex|sched|semaphore|setjmp|"
          r"signal|spawn|sysexits|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|"
          r"string|strings|syslog|termios|threads|time|ucontext|uchar|unistd|utime|wchar|wctype|"
          r"execinfo|ifaddrs|fnmatch|emmintrin|immintrin|tmmintrin|arm_neon|"
          r"(sys|net|netinet|arpa|linux|sanitizer)/[a-z0-9_.-]+)\.h")

# The floors that know no sockets: bytes and time go in, bytes and deadlines come out.
SOCKETS = r"(netdb|poll|sys/socket|sys/epoll|sys/select|sys/un)\.h"
NO_SOCKETS = ["core/base/", "core/mail/", "core/smtp/"]

# Time and randomness are parameters everywhere else.
CLOCKS = r"(time|random|rand|srand|srandom|drand48|gettimeofday|clock_gettime|getrandom|getentropy)"
CLOCK_PLACE = "core/base/"

SQL_PLACE = "store/"
SQL = r"\s*(SELECT\s|INSERT (OR \w+ )?INTO\s|UPDATE \w+ SET\s|DELETE FROM\s|CREATE TABLE\s|PRAGMA\s)"

MAX_FUNCTION_LINES = 100
# "path:function": "the reason"
LONG_FUNCTIONS = {}
MAX_FILE_LINES = 1000

# Spelled so that this file does not find itself.
UNFINISHED = r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b"
MACHINE_PATH = r"(?<![\w.*$}~-])/(wor" r"k|hom" r"e/\w|roo" r"t/|User" r"s)/?"
# Files that may name such a path: "path": "the reason"
PATHS_ALLOWED = {
    "tests/unit/mail/test_conf.c": "an invented operator's home, for the default state directory",
}

SPDX = "SPDX-License-Identifier: ISC"
CODE = ["core", "store", "tui"]
TREE = ["core", "store", "tui", "tests", "themes", ".ci"]
ROOT_FILES = ["meson.build", "meson_options.txt", "README.md", "CHANGELOG.md"]
# --------------------------------------------------------------------------------------------------

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
# A comment, a string or a character constant; what is none of them is left alone.
LEXEME = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def within(path, places):
    """Whether path is one of the places, or lies in one of the folders among them."""
    return any(path.startswith(p) if p.endswith("/") else path == p for p in places)


def blank(text, keep_strings=False):
    """The text with comments (and strings) emptied; lines stay where they are."""
    def empty(m):
        s = m.group(0)
        if s[0] == "/":
            return "\n" * s.count("\n") or " "
        return s if keep_strings else s[0] + s[-1]
    return LEXEME.sub(empty, text)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


# Each rule takes (path, text) and yields (line, sentence). ----------------------------------------

def rule_arrow(path, text):
    home = next((k for k in ARROWS if k == path), None) or \
        next((k for k in ARROWS if k.endswith("/") and path.startswith(k)), None)
    if home is None:
        yield 1, "lies on no floor: give its folder a row in ARROWS"
        return
    own = home if home.endswith("/") else os.path.dirname(path) + "/"
    allowed = ARROWS[home] + ([own] if own in ARROWS else [])
    for m in INCLUDE.finditer(text):
        if m.group(1) == '"' and "/" in m.group(2) and not within(m.group(2), allowed):
            yield line_of(text, m.start(2)), f"may not include {m.group(2)}"


def rule_root(path, text):
    for m in INCLUDE.finditer(text):
        name = m.group(2)
        is_ours = name.split("/")[0] in CODE + ["tests"] and "/" in name
        if m.group(1) == '"' and (not is_ours or "/../" in name):
            yield line_of(text, m.start(2)), f'"{name}" is not written from the root'
        if m.group(1) == "<" and is_ours:
            yield line_of(text, m.start(2)), f"<{name}> is ours: use quotes"


def rule_library(path, text):
    for m in INCLUDE.finditer(text):
        name = m.group(2)
        if m.group(1) != "<":
            continue
        places = next((p for pattern, p in LIBRARIES if re.fullmatch(pattern, name)), None)
        if places is None:
            if not re.fullmatch(SYSTEM, name):
                yield line_of(text, m.start(2)), f"<{name}> has no row in LIBRARIES or SYSTEM"
        elif not within(path, places):
            yield line_of(text, m.start(2)), f"<{name}> belongs to {', '.join(places)} only"


def rule_sockets(path, text):
    for m in INCLUDE.finditer(text):
        if within(path, NO_SOCKETS) and re.fullmatch(SOCKETS, m.group(2)):
            yield line_of(text, m.start(2)), f"<{m.group(2)}>: this floor knows no sockets"


def rule_clock(path, text):
    if path.startswith(CLOCK_PLACE):
        return
    code = blank(text)
    for m in re.finditer(r"(?<![\w.>])" + CLOCKS + r"\s*\(", code):
        # Not the members and parameters of that name that pointers to functions have: "(*time)(".
        yield line_of(code, m.start()), f"{m.group(1)}(): time and randomness are parameters"


def rule_sql(path, text):
    if path.startswith(SQL_PLACE):
        return
    code = blank(text, keep_strings=True)
    for m in re.finditer(r'"' + SQL, code):
        yield line_of(code, m.start()), "SQL belongs to store/"


def rule_function_length(path, text):
    start, name = None, "?"
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if line == "{":
            start = i
            head = " ".join(lines[max(0, i - 6):i]).rpartition(";")[2].rpartition("}")[2]
            m = re.search(r"(\w+)\s*\(", head)
            name = m.group(1) if m else "?"
        elif line.startswith("}") and start is not None:
            n = i - start + 1
            if n > MAX_FUNCTION_LINES and f"{path}:{name}" not in LONG_FUNCTIONS:
                yield start + 1, f"{name}() has {n} lines, more than {MAX_FUNCTION_LINES}"
            start = None


def rule_file_length(path, text):
    n = text.count("\n")
    if n > MAX_FILE_LINES:
        yield n, f"{n} lines, more than {MAX_FILE_LINES}: split by subject"


def rule_spdx(path, text):
    lines = text.split("\n", 2)
    if path.endswith((".c", ".h")):
        good = lines[0] == f"/* {SPDX} */"
    else:
        at = 1 if lines[0].startswith("#!") else 0
        good = len(lines) > at and lines[at] == f"# {SPDX}"
    if not good:
        yield 1, f"does not begin with the line {SPDX}"


def rule_unfinished(path, text):
    for m in re.finditer(UNFINISHED, text):
        yield line_of(text, m.start()), f"{m.group(1)}: finish it, or open an issue"


def rule_machine_path(path, text):
    if path in PATHS_ALLOWED:
        return
    for m in re.finditer(MACHINE_PATH, text):
        yield line_of(text, m.start()), f"{m.group(0)}: a path of somebody's machine"


def is_c(path):
    return path.endswith((".c", ".h"))


def is_our_code(path):
    return is_c(path) and path.split("/")[0] in CODE


def is_script(path, text):
    return path.endswith((".py", ".sh")) or text.startswith("#!")


# name: (which files, rule)
RULES = {
    "arrow":         (lambda p, t: is_our_code(p), rule_arrow),
    "root":          (lambda p, t: is_our_code(p), rule_root),
    "library":       (lambda p, t: is_our_code(p), rule_library),
    "sockets":       (lambda p, t: is_our_code(p), rule_sockets),
    "clock":         (lambda p, t: is_our_code(p), rule_clock),
    "sql":           (lambda p, t: is_our_code(p), rule_sql),
    "function":      (lambda p, t: is_c(p), rule_function_length),
    "file":          (lambda p, t: is_c(p) or is_script(p, t), rule_file_length),
    "spdx":          (lambda p, t: is_c(p) or is_script(p, t), rule_spdx),
    "unfinished":    (lambda p, t: True, rule_unfinished),
    "machine-path":  (lambda p, t: True, rule_machine_path),
}


def header_alone(root, path, cc):
    """Compile the header by itself, and twice, so that the guard is tested too."""
    source = f'#include "{path}"\n#include "{path}"\nint header_alone_;\n'
    cmd = cc + ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                "-I", root, "-x", "c", "-"]
    done = subprocess.run(cmd, input=source, capture_output=True, text=True, cwd=root)
    if done.returncode != 0:
        first = next((x for x in done.stderr.split("\n") if "error" in x), done.stderr[:200])
        return [(path, 1, "header", f"does not compile alone: {first.strip()}")]
    return []


def files_of(root):
    """Paths of the tree, from the root, those included that git does not know yet."""
    for top in TREE:
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders[:] = sorted(f for f in folders if f != "__pycache__")
            for name in sorted(names):
                if not name.endswith((".swp", "~", ".pyc", ".o")):
                    yield os.path.relpath(os.path.join(folder, name), root)
    for name in ROOT_FILES:
        if os.path.isfile(os.path.join(root, name)):
            yield name


def read_text(path):
    """The file's text, or None when it is not text: corpora hold any bytes."""
    with open(path, "rb") as f:
        data = f.read()
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def check(root, cc):
    """All findings as (path, line, rule, sentence)."""
    findings, headers = [], []
    for path in files_of(root):
        text = read_text(os.path.join(root, path))
        if text is None:
            if is_c(path):
                findings.append((path, 1, "text", "is not UTF-8 text"))
            continue
        for name, (applies, rule) in RULES.items():
            if applies(path, text):
                findings += [(path, line, name, why) for line, why in rule(path, text)]
        if path.endswith(".h"):
            headers.append(path)
    with ThreadPoolExecutor(max_workers=2) as pool:
        for found in pool.map(lambda p: header_alone(root, p, cc), headers):
            findings += found
    return findings


# The self-test -------------------------------------------------------------------------------------

HEAD = f"/* {SPDX} */\n"


def snippets():
    """(rule that must fail, path, text). Every row of every table is broken at least once."""
    for home, allowed in ARROWS.items():
        path = home + "x.c" if home.endswith("/") else home
        for target in ["core/base/x.h", "core/mail/x.h", "core/smtp/x.h", "core/net/x.h",
                       "core/ctl/x.h", "core/check/x.h", "core/engine/x.h", "store/x.h",
                       "store/queue.h", "store/view.h", "tui/x.h", "tests/unit/unit.h"]:
            folder = os.path.dirname(path) + "/"
            is_own = folder in ARROWS and target.startswith(folder)
            if not within(target, allowed) and not is_own:
                yield "arrow", path, HEAD + f'#include "{target}"\n'
    yield "arrow", "core/new/x.c", HEAD
    yield "root", "core/mail/x.c", HEAD + '#include "addr.h"\n'
    yield "root", "core/mail/x.c", HEAD + '#include "../base/buf.h"\n'
    yield "root", "core/mail/x.c", HEAD + '#  include <core/base/buf.h>\n'
    for name in ["sqlite3.h", "libpq-fe.h", "uv.h", "ares.h", "ares_dns.h", "openssl/ssl.h",
                 "openssl/x509v3.h", "openssl/evp.h", "openssl/rand.h", "curl/curl.h", "curses.h",
                 "ncurses.h", "ncursesw/curses.h", "panel.h", "term.h", "jansson.h", "idn2.h",
                 "ini.h", "zlib.h", "unknown.h"]:
        yield "library", "core/smtp/x.c", HEAD + f"#include <{name}>\n"
    yield "library", "core/mail/digest.c", HEAD + "#include <openssl/ssl.h>\n"
    yield "library", "core/net/dns.c", HEAD + "#include <uv.h>\n"
    yield "library", "tui/panes.c", HEAD + "#include <ncurses.h>\n"
    yield "sockets", "core/smtp/x.c", HEAD + "#include <sys/socket.h>\n"
    yield "sockets", "core/mail/x.h", HEAD + "#include <poll.h>\n"
    for call in ["time(NULL)", "time (&t)", "random()", "gettimeofday(&tv, NULL)",
                 "clock_gettime(CLOCK_MONOTONIC, &ts)", "rand()"]:
        yield "clock", "core/mail/x.c", HEAD + f"int f(void)\n{{\n    return (int){call};\n}}\n"
    for sql in ["SELECT x FROM y", "  DELETE FROM y", "INSERT OR IGNORE INTO y", "PRAGMA user_version"]:
        yield "sql", "tui/x.c", HEAD + f'const char *q = "{sql}";\n'
    body = "    ;\n" * (MAX_FUNCTION_LINES - 1)
    yield "function", "core/mail/x.c", HEAD + "int f(int a,\n      int b)\n{\n" + body + "}\n"
    yield "file", "core/mail/x.c", HEAD + "\n" * MAX_FILE_LINES
    yield "spdx", "core/mail/x.c", "int x;\n"
    yield "spdx", "tests/x.sh", "#!/bin/sh\necho\n"
    yield "spdx", "tests/x.py", "print()\n"
    for word in ["TO" "DO", "FIX" "ME", "XX" "X"]:
        yield "unfinished", "core/mail/x.c", HEAD + f"/* {word}: later */\n"
        yield "unfinished", "tests/README.md", f"{word}\n"
    for place in ["/wor" "k/main", "/hom" "e/ann/x", "/roo" "t/x", "/User" "s/ann"]:
        yield "machine-path", "tests/x.sh", f"#!/bin/sh\n# {SPDX}\ncd {place}\n"
        yield "machine-path", "core/mail/x.c", HEAD + f'const char *p = "{place}";\n'
    yield "header", "core/mail/x.h", HEAD + "struct a { size_t_unknown n; };\n"
    yield "header", "core/mail/x.h", HEAD + "struct twice { int n; };\n"


# What must be let through: a tree like this gives no finding at all.
GOOD = {
    "core/base/clock.c": HEAD + "#include <time.h>\nlong f(void)\n{\n    return time(NULL);\n}\n",
    "core/base/buf.h": HEAD + "#ifndef B\n#define B\n#include <stddef.h>\n#endif\n",
    "core/mail/domain.c": HEAD + '#include <idn2.h>\n#include "core/base/buf.h"\n'
                        '#include "core/mail/x.h"\n',
    "core/mail/x.h": HEAD + '#ifndef X\n#define X\n#include "core/base/buf.h"\n'
                     "struct p { int time; };\n#endif\n",
    "core/mail/says.c": HEAD + "/* time(NULL) is not for us; SELECT is a word */\n"
                        'const char *s = "time(NULL) // \\" /* random()";\n'
                        "int g(const struct p *p)\n{\n    return p->time(1) + c.random();\n}\n"
                        'char t[] = "/tmp/mxhelm-XXXXXX";\n',
    "core/mail/long.c": HEAD + "int f(void)\n{\n" + "    ;\n" * (MAX_FUNCTION_LINES - 2) + "}\n",
    "core/engine/x.c": HEAD + '#include "store/queue.h"\n#include "core/check/x.h"\n',
    "core/mxhelmd.c": HEAD + '#include "core/engine/x.h"\n#include "core/net/loop.h"\n',
    "tui/mxhelm.c": HEAD + '#include "tui/x.h"\n#include "store/view.h"\n#include <jansson.h>\n',
    "store/x.c": HEAD + '#include <sqlite3.h>\nconst char *q = "SELECT 1";\n',
    "tests/unit/x.c": HEAD + '#include "tui/x.h"\n#include <cmocka.h>\n',
    "tests/x.sh": f"#!/bin/sh\n# {SPDX}\ncd \"$root/build/x\"\n",
}


def write_tree(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)


def self_test(cc):
    failed, ran, broken_rules = [], 0, set()
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, GOOD)
        failed += [f"finding in a good tree: {f}" for f in check(root, cc)]
    for rule, path, text in snippets():
        ran += 1
        broken_rules.add(rule)
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, {path: text})
            if rule not in [f[2] for f in check(root, cc)]:
                failed.append(f"rule {rule} lets this through as {path}:\n{text[:300]}")
    failed += [f"rule {r} is never broken here" for r in set(RULES) - broken_rules]
    for f in failed:
        print(f)
    print(f"self-test: {ran} snippets, {len(failed)} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", nargs="?", default=".")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--cc", nargs="+", default=["cc"])
    args = parser.parse_args()
    if args.self_test:
        return self_test(args.cc)
    findings = check(args.root, args.cc)
    for path, line, rule, why in findings:
        print(f"{path}:{line}: [{rule}] {why}")
    print(f"{len(findings)} finding(s)")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
