# SPDX-License-Identifier: ISC
"""Reads the reports of dsn_samples with Python's MIME reader: an independent opinion."""
import email
import email.policy
import pathlib
import subprocess
import sys
import tempfile
import unittest

SAMPLES = sys.argv.pop(1)

# name: (recipients, action, status, type of the third part, does it hold the body)
WANT = {
    "plain": (1, "failed", "5.1.1", "message/rfc822", True),
    "headers": (2, "failed", "5.1.1", "text/rfc822-headers", False),
    "delayed": (1, "delayed", "4.7.1", "text/rfc822-headers", False),
    "delivered": (1, "delivered", "2.0.0", "text/rfc822-headers", False),
    "relayed": (1, "relayed", "2.0.0", "text/rfc822-headers", False),
    "expired": (3, "failed", "5.4.7", "message/rfc822", True),
    "eight": (1, "failed", "5.1.1", "message/rfc822", True),
    "nested": (1, "failed", "5.1.1", "message/rfc822", True),
    "hostile": (1, "failed", "5.1.1", "message/rfc822", True),
}


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([SAMPLES, folder], check=True)
            cls.raw = {p.stem: p.read_bytes() for p in pathlib.Path(folder).iterdir()}
        cls.reports = {
            name: email.message_from_bytes(raw, policy=email.policy.default)
            for name, raw in cls.raw.items()
        }

    def each(self):
        self.assertEqual(set(self.reports), set(WANT))
        for name, want in WANT.items():
            with self.subTest(name):
                yield name, self.reports[name], want

    def test_structure_is_that_of_rfc_6522(self):
        for _, m, want in self.each():
            self.assertEqual(m.get_content_type(), "multipart/report")
            self.assertEqual(m.get_param("report-type"), "delivery-status")
            self.assertEqual(m.defects, [])
            parts = list(m.iter_parts())
            self.assertEqual([p.get_content_type() for p in parts],
                             ["text/plain", "message/delivery-status", want[3]])
            for part in parts:
                self.assertEqual(part.defects, [])

    def test_header_is_that_of_a_report(self):
        for _, m, _ in self.each():
            self.assertEqual(m["To"].addresses[0].addr_spec, "alice@ours.example")
            self.assertEqual(m["From"].addresses[0].addr_spec, "MAILER-DAEMON@mail.example.com")
            self.assertEqual(m["Auto-Submitted"], "auto-replied")
            self.assertIsNone(m["Bcc"])
            self.assertEqual(m["Date"].datetime.isoformat(), "2026-11-24T08:02:14+00:00")
            for field in m.values():
                self.assertEqual(field.defects, ())

    def test_recipients_have_their_fields(self):
        for name, m, (count, action, status, _, _) in self.each():
            blocks = m.get_payload()[1].get_payload()
            self.assertEqual(len(blocks), count + 1)
            self.assertEqual(blocks[0]["Reporting-MTA"], "dns; mail.example.com")
            self.assertEqual(blocks[0]["Original-Envelope-Id"], "QQ314")
            for block in blocks[1:]:
                self.assertEqual(block["Action"], action)
                self.assertEqual(block["Status"], status)
                self.assertEqual(block["Original-Recipient"], "rfc822; Orig@b.example")
                self.assertTrue(block["Final-Recipient"].endswith("@b.example"))
                self.assertTrue(block["Diagnostic-Code"].startswith("smtp; "))
                self.assertEqual("Will-Retry-Until" in block, name == "delayed")
                self.assertEqual(len(block.get_all("Action")), 1)

    def test_words_name_the_recipient_and_what_to_do(self):
        for _, m, _ in self.each():
            words = m.get_payload()[0].get_content()
            self.assertIn("bob@b.example", words)
            self.assertIn("What to do:", words)
            self.assertTrue(all(len(line) <= 78 for line in words.splitlines()))

    def test_original_comes_back_as_it_was(self):
        for name, m, (_, _, _, _, has_body) in self.each():
            raw = self.raw[name]
            if has_body and name not in ("nested", "eight"):
                self.assertIn("the body", m.get_payload()[2].get_payload()[0].get_payload())
            if not has_body:
                self.assertNotIn(b"the body", raw)
        inner = self.reports["eight"].get_payload()[2].get_payload()[0]
        self.assertEqual(inner.get_content().strip(), "Gr\u00fc\u00dfe")

    def test_subjects_are_decoded_to_what_they_were(self):
        self.assertEqual(self.reports["plain"]["Subject"], "Undelivered mail: Hello")
        self.assertEqual(self.reports["delayed"]["Subject"], "Delayed mail: Hello")
        self.assertEqual(self.reports["nested"]["Subject"], "Undelivered mail: =?utf-8?q?no?=")
        self.assertEqual(self.reports["eight"]["Subject"], "Undelivered mail: Gr\u00fc\u00dfe an alle, "
                         "die das hier lesen, und an ein paar andere noch dazu")

    def test_lines_are_short_and_end_in_crlf(self):
        for name, _, _ in self.each():
            raw = self.raw[name]
            self.assertEqual(raw.count(b"\n"), raw.count(b"\r\n"))
            self.assertEqual(raw.count(b"\r"), raw.count(b"\r\n"))
            self.assertTrue(all(len(line) <= 998 for line in raw.split(b"\r\n")))
            if name != "eight":
                self.assertTrue(raw.isascii())


if __name__ == "__main__":
    unittest.main()
