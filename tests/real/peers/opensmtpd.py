# SPDX-License-Identifier: ISC
"""OpenSMTPD: one listener for each name, with a filter where it refuses."""

import collections
import re

from peers.base import DOMAINS, FEW, REFUSING, Peer

CONFIG = """pki peer cert "/etc/mail/cert.pem"
pki peer key "/etc/mail/key.pem"
table users file:/etc/mail/users
table domains {{ {domains} }}
table anywhere {{ 127.0.0.0/8 }}
table anna {{ "anna@rcpt4.test", "anna@rcpt5.test" }}
table logins file:/etc/mail/logins
smtp limit max-rcpt {few}
smtp limit max-mails 1000
{listeners}
action "keep" maildir "/var/vmail/%{{rcpt}}" virtual <users>
match from any for domain <domains> action "keep"
"""

# Where a listener refuses, and whom.
PHASES = {"greeting": "connect match src <anywhere>", "ehlo": "ehlo match src <anywhere>",
          "mail": "mail-from match src <anywhere>", "rcpt": "rcpt-to match rcpt-to <anna>",
          "data": "data match src <anywhere>", "eod": "commit match src <anywhere>"}
ANSWERS = {"4": "451 4.7.1 Come back later", "5": "550 5.7.1 Not today"}
# A filter at EHLO leaves HELO open.
FILTERS = [*((name, name, PHASES[name[:-1]], ANSWERS[name[-1]]) for name in REFUSING),
           *(("helo" + n, "ehlo" + n, "helo match src <anywhere>", ANSWERS[n]) for n in "45"),
           ("old", "old", PHASES["ehlo"], "502 5.5.1 Command not implemented")]
RECEIVERS = {"src": "", "clear": "", "tls": "tls pki peer", "encrypted": "tls pki peer",
             "misnamed": "tls pki peer", "few": "",
             **{name: f'filter "on-{name}"' for name in (*REFUSING, "old")}}
RELAYS = {"relay": (587, "tls-require pki peer auth <logins>"),
          "smtps": (465, "smtps pki peer auth <logins>"),
          "misnamed": (587, "tls-require pki peer auth <logins>")}


class Opensmtpd(Peer):
    name = "opensmtpd"
    offers_utf8 = False
    faces = RECEIVERS
    relays = RELAYS
    mechanisms = ("PLAIN", "LOGIN")
    replies = {**{name: ANSWERS[name[-1]] for name in REFUSING},
               "nobody": "524 5.2.4 Mailing list expansion problem: <nobody@src.test>"}
    bad_words = "bad-input|fatal|panic"
    packages = ("opensmtpd/backports", "ca-certificates", "nsd")

    def start(self):
        self.start_names()
        lines = [f'filter "{name}" phase {phase} reject "{answer}"'
                 for name, _, phase, answer in FILTERS]
        for face in (*REFUSING, "old"):
            chain = ", ".join(f'"{name}"' for name, of, *_ in FILTERS if of == face)
            lines.append(f'filter "on-{face}" chain {{ {chain} }}')
        lines += [f"listen on {self.address(name)} port {self.lab.mx} {options}"
                  for name, options in RECEIVERS.items()]
        lines += [f"listen on {self.address(name)} port {port} {options}"
                  for name, (port, options) in RELAYS.items()]
        self.write("/etc/smtpd.conf", CONFIG.format(
            few=FEW, domains=", ".join(f'"{d}"' for d in DOMAINS), listeners="\n".join(lines)))
        self.write("/etc/mail/users", "".join(f"{u} vmail\n" for u in self.users()))
        hashed = self.chroot("smtpctl", "encrypt", self.PASSWORD).strip()
        self.write("/etc/mail/logins", f"{self.USER} {hashed}\n")
        self.chroot("sh", "-c", "id vmail >/dev/null 2>&1 ||"
                    " useradd -u 5000 -d /var/vmail -s /bin/sh vmail")
        self.chroot("sh", "-c", "rm -rf /var/spool/smtpd/*/*")
        return self.start_in_root("smtpd", "-d", log=f"{self.name}.log")

    def log(self):
        return self.lab.text(f"{self.name}.log")

    def recipients_per_message(self, sender):
        ids = re.findall(f"envelope evpid=(.{{8}}).{{8}} from=<{sender}>", self.log())
        return list(collections.Counter(ids).values())

    def login_of(self, sender):
        session = re.search(f"(.{{16}}) smtp envelope .* from=<{sender}>", self.log()).group(1)
        login = re.search(f"{session} smtp authentication user=(.*) result=ok", self.log())
        return "not told", login.group(1)


class OpensmtpdOfDebian12(Opensmtpd):
    """6.8.0, built against OpenSSL 3: offers STARTTLS, and every handshake breaks (OpenSMTPD's
    issues 1171, 1239). There are thousands of them."""

    name = "opensmtpd-6.8"
    packages = ("opensmtpd", "nsd")
