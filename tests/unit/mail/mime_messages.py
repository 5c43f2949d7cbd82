# SPDX-License-Identifier: ISC
"""Some thousand random messages, converted, and read before and after by Python's MIME reader: an
independent opinion. What it reads must be the same, octet by octet.

    mime_messages.py PROGRAM [SEED]
"""
import email
import email.header
import email.policy
import email.quoprimime
import random
import subprocess
import sys
import unittest

PROGRAM = sys.argv.pop(1)
SEED = int(sys.argv.pop(1)) if len(sys.argv) > 1 else 1
LINE_MAX = 998
FLAG_8BIT, FLAG_LINES, FLAG_FIXED = 1, 8, 16
TREES, SOUPS = 1500, 3000


def convert(messages):
    """[(7-bit form or None, 8-bit form or None, flags)]"""
    data = b"".join(b"%d\n%s" % (len(m), m) for m in messages)
    out = subprocess.run([PROGRAM], input=data, stdout=subprocess.PIPE, check=True).stdout
    results, at = [], 0
    for _ in messages:
        end = out.index(b"\n", at)
        seven, eight, flags = map(int, out[at:end].split())
        at, forms = end + 1, []
        for n in seven, eight:
            forms.append(out[at:at + n] if n >= 0 else None)
            at += max(n, 0)
        results.append((*forms, flags))
    return results


# --- reading ---------------------------------------------------------------------------------------

def text_of(value):
    """A header's text as a reader shows it: raw octets are taken for UTF-8."""
    def raw(octets, charset):
        return octets.decode({"unknown-8bit": "latin-1", None: "raw-unicode-escape"}.get(charset, charset))
    if value is None:
        return None
    value = str(value).replace("\r\n", "")
    if any("\udc80" <= c <= "\udcff" for c in value):
        octets = value.encode("ascii", "surrogateescape")
        value = octets.decode("utf-8", "surrogateescape").replace("\udcfc", "\xfc")
    return "".join(t if isinstance(t, str) else raw(t, c)
                   for t, c in email.header.decode_header(value))


def words(value):
    return value and " ".join(text_of(value).replace("(", "( ").replace("<", " <").replace('"', "").split())


def file_name(part):
    name = part.get_filename()
    if name and any("\udc80" <= c <= "\udcff" for c in name):
        name = name.encode("ascii", "surrogateescape").decode("utf-8")
    return name


class Raw(email.policy.Compat32):
    """Header fields as they are."""

    def header_fetch_parse(self, name, value):
        return value


def parse(octets):
    return email.message_from_bytes(octets, policy=Raw())


def leaves(octets):
    """[(type, content, file name, subject, sender)] of all parts that are no containers."""
    found = []
    for part in parse(octets).walk():
        is_container = part.is_multipart()
        content = None if is_container else part.get_payload(decode=True)
        # What is said to be base64, and is not, is shown as it is. We give long lines an end there.
        if any("Base64" in type(d).__name__ for d in part.defects):
            content = b"".join(content.split())
        found.append((part.get_content_type(), content, file_name(part), words(part["Subject"]),
                      words(part["From"])))
    return found


def bad_octets(octets, is_8bit_fine):
    lines = octets.split(b"\r\n")
    if any(c in line for line in lines for c in (b"\r", b"\n", b"\0")):
        return "a lone CR, LF or NUL"
    if any(len(line) > LINE_MAX for line in lines):
        return "a line of %d octets" % max(map(len, lines))
    return None if is_8bit_fine or octets.isascii() else "8-bit octets"


def bad_labels(octets):
    for part in parse(octets).walk():
        cte = str(part.get("Content-Transfer-Encoding", "7bit")).lower()
        if part.get_content_maintype() in ("multipart", "message") and cte != "7bit":
            return f"{part.get_content_type()} is {cte}"
        if len(part.get_all("Content-Transfer-Encoding", [])) > 1:
            return "two transfer encodings"
    return None


# --- making ----------------------------------------------------------------------------------------

class Maker:
    """A random message. flaws: what it has (FLAG_*); fixed: where it may not be touched."""

    def __init__(self, rng):
        self.rng = rng
        self.boundaries = 0
        self.may_break = rng.random() < 0.3
        self.octets = self.message(0, is_top=True)

    def pick(self, *choices):
        return self.rng.choice(choices)

    def line(self):
        r = self.rng
        kinds = [b"", b"plain text", b"a blank at the end ", b"--", b"--b0x", b"a = b =C3=BC", b".", b"From x",
                 b"\t", "Gr\u00fc\u00dfe, und \u20ac".encode(), b"\xff\xfe\x80", b"x" * r.choice((70, 75, 76, 77, 997, 998)),
                 bytes(r.randrange(32, 127) for _ in range(r.randrange(200)))]
        if r.random() < 0.03:
            return r.choice((b"y" * 999, b"z " * 700, "\u00fc".encode() * 2500, b"--b0 " + b"-" * 2000))
        if r.random() < 0.02:
            return r.choice((b"a\rb", b"a\nb", b"a\0b", b"\r", b" \n"))
        return r.choice(kinds)

    def lines(self):
        n = self.rng.choice((0, 1, 2, 5, 20)) if self.rng.random() < 0.995 else 3000
        text = b"\r\n".join(self.line() for _ in range(n))
        if not self.may_break:
            # What ends a line for Python's reader ends none for us: not where it would find a part.
            text = text.replace(b"\r\n", b"\0\0").replace(b"\r", b"_").replace(b"\n", b"_")
            text = text.replace(b"\0\0", b"\r\n")
        return text + self.pick(b"", b"\r\n")

    def encoded(self, cte):
        text = self.lines()
        if cte == b"quoted-printable":
            return email.quoprimime.body_encode(text.decode("latin-1").replace("\r\n", "\n")) \
                .replace("\n", "\r\n").encode("latin-1", "replace").replace(b"\r\r", b"\r")
        import base64
        whole = base64.b64encode(text)
        return whole if self.rng.random() < 0.3 else base64.encodebytes(text).replace(b"\n", b"\r\n")

    def fields(self, is_message):
        r, out = self.rng, []
        if is_message:
            out.append(b"Subject: " + r.choice((b"plain", "Gr\u00fc\u00dfe an alle \u00fc  \u00fc".encode(), b"\xfc und \xfc",
                                                b"=?utf-8?q?a?= \xc3\xbc =?utf-8?q?b?=", b"long " * 250,
                                                "\u20ac".encode() * 200)))
            out.append(b"From: " + r.choice((b"a@b.example", "J\u00fcrgen \"M\u00fcller, X\" (\u00fc) <j@a.example>".encode())))
        if r.random() < 0.3:
            name = r.choice((b"plain.txt", "\u00fc b.txt".encode(), "\u20ac".encode() * 50))
            out.append(b'Content-Disposition: attachment; filename="' + name + b'"; x=y')
        return out

    def leaf(self, is_message):
        kind = self.pick(b"text/plain; charset=utf-8", b"text/html", b"", b"application/x-y", b"image/png; x=\"a;b\"")
        cte = self.pick(b"", b"7bit", b"8bit", b"BINARY", b"quoted-printable", b"base64")
        is_encoded = cte in (b"quoted-printable", b"base64")
        fields = self.fields(is_message)
        if kind:
            fields.append(b"Content-Type: " + kind)
        if cte:
            fields.append(b"Content-Transfer-Encoding: " + cte)
        self.rng.shuffle(fields)
        return self.join(fields, self.encoded(cte) if is_encoded else self.lines())

    @staticmethod
    def join(fields, body):
        return b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body

    def multipart(self, depth, is_message):
        boundary = b"b%d%s" % (self.boundaries, self.pick(b"", b"'()+_,-./:=?", b" x", b"-" * 60))
        self.boundaries += 1
        subtype = self.pick(b"mixed", b"alternative", b"digest", b"related")
        fields = self.fields(is_message)
        fields.append(b'Content-Type: multipart/%s;\r\n boundary="%s"' % (subtype, boundary))
        if self.rng.random() < 0.4:
            fields.append(b"Content-Transfer-Encoding: " + self.pick(b"7bit", b"8bit", b"binary"))
        parts = []
        for _ in range(self.rng.randrange(1, 4)):
            part = self.part(depth + 1)
            if subtype == b"digest" and b"Content-Type" not in part.split(b"\r\n\r\n")[0]:
                part = b"Content-Type: text/plain\r\n" + part
            parts.append(part)
        body = self.pick(b"", b"preamble\r\n", "pr\u00e4\r\n".encode())
        body += b"".join(b"--" + boundary + b"\r\n" + p + b"\r\n" for p in parts)
        if self.rng.random() < 0.9:
            body += b"--" + boundary + b"--" + self.pick(b"", b"\r\n", b"\r\nepilogue", b" \r\n\xff" * 400)
        return self.join(fields, body)

    def part(self, depth):
        what = self.rng.random()
        if depth < 5 and what < 0.3:
            return self.multipart(depth, is_message=False)
        if depth < 5 and what < 0.45:
            cte = self.pick(b"", b"Content-Transfer-Encoding: 8bit\r\n")
            return b"Content-Type: message/rfc822\r\n" + cte + b"\r\n" + self.message(depth + 1)
        return self.leaf(is_message=False)

    def message(self, depth, is_top=False):
        version = self.pick(b"MIME-Version: 1.0\r\n", b"")
        top = b"Received: x\r\n" if is_top else b""
        if self.rng.random() < 0.6:
            return top + version + self.multipart(depth, is_message=True)
        return top + version + self.leaf(is_message=True)


SOUP = [b"--a", b"--a--", b"--b", b"--b--", b"--a ", b"--ab", b"", b"", b"", b"text", b"\xc3\xbc", b"\xff", b"a\t",
        b"Content-Type: multipart/mixed; boundary=a", b"Content-Type: multipart/x; boundary=\"b\"",
        b"Content-Type: message/rfc822", b"Content-Type: text/plain", b"Content-Type: image/x",
        b"Content-Type: multipart/digest; boundary=b", b"Content-Transfer-Encoding: 8bit",
        b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable",
        b" continued", b"X: y", b"X: \xc3\xbc", b"=C3=BC=", b"YWJj", b"--", b"--a-", b"x" * 1200]


def soup(rng):
    """Lines at random: what no writer makes."""
    first = rng.choice((b"Content-Type: multipart/mixed; boundary=a\r\n\r\n", b"X: y\r\n", b""))
    return first + b"".join(rng.choice(SOUP) + b"\r\n" for _ in range(rng.randrange(2, 25)))


# --- comparing -------------------------------------------------------------------------------------

class Messages(unittest.TestCase):
    def compare(self, before, after, what):
        self.assertEqual(leaves(before), leaves(after), f"{what}\n{before!r}\n{after!r}")

    def check(self, before, seven, eight, flags):
        if seven is not None:
            self.assertIsNone(bad_octets(seven, False), before)
            self.compare(before, seven, "7-bit")
        if eight is not None:
            self.assertIsNone(bad_octets(eight, True), before)
            self.compare(before, eight, "8-bit")
        self.assertEqual(seven is None, bool(flags & FLAG_FIXED), before)
        self.assertEqual(not before.isascii(), bool(flags & FLAG_8BIT), before)
        self.assertEqual(bad_octets(before, True) is not None, bool(flags & FLAG_LINES), before)

    def check_again(self, results):
        """What is fit is not touched."""
        fit = [seven for seven, _, _ in results if seven is not None]
        for before, (seven, eight, flags) in zip(fit, convert(fit)):
            self.assertEqual(before, seven)
            self.assertEqual(before, eight)
            self.assertEqual(flags, 0)

    def test_trees(self):
        rng = random.Random(SEED)
        messages = [Maker(rng).octets for _ in range(TREES)]
        results = convert(messages)
        for before, result in zip(messages, results):
            self.check(before, *result)
            self.assertIsNotNone(result[0], before)
            self.assertIsNotNone(result[1], before)
            self.assertIsNone(bad_labels(result[0]), before)
        self.check_again(results)
        touched = sum(before != seven for before, (seven, _, _) in zip(messages, results))
        self.assertGreater(touched, TREES // 2)

    def test_soups(self):
        rng = random.Random(SEED)
        messages = [soup(rng) for _ in range(SOUPS)]
        results = convert(messages)
        for before, result in zip(messages, results):
            self.check(before, *result)
        self.check_again(results)
        converted = sum(seven is not None for seven, _, _ in results)
        self.assertGreater(converted, SOUPS // 2)


if __name__ == "__main__":
    unittest.main()
