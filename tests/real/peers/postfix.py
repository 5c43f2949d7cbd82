# SPDX-License-Identifier: ISC
"""Postfix, with Cyrus SASL and with Dovecot behind it: one smtpd of master.cf for each name."""

import base64
import hashlib
import hmac
import json
import os
import re
import time

from lab import wait_for
from peers.base import DOMAINS, FEW, Peer

LATER, NEVER = "static:{451 4.7.1 Come back later}", "static:{550 5.7.1 Not today}"
TLS = "-o smtpd_tls_security_level=may"
NOW = "-o smtpd_delay_reject=no"
# What makes each smtpd different; the rest of master.cf and main.cf is for all.
RECEIVERS = {
    "src": "",
    "clear": "",
    "tls": TLS,
    "encrypted": TLS,
    "misnamed": TLS,
    # Who pipelines where that is not offered is refused.
    "plodding": "-o smtpd_discard_ehlo_keywords=pipelining,chunking,dsn,smtputf8,size,8bitmime"
                " -o smtpd_data_restrictions=reject_unauth_pipelining",
    "few": f"-o smtpd_recipient_limit={FEW}",
    "small": "-o message_size_limit=20000",
    "greeting4": f"{NOW} -o {{smtpd_client_restrictions=check_client_access "
                 "static:{421 4.7.0 Too busy}}",
    "greeting5": f"{NOW} -o {{smtpd_client_restrictions=check_client_access {NEVER}}}",
    "ehlo4": f"{NOW} -o {{smtpd_helo_restrictions=check_helo_access {LATER}}}",
    "ehlo5": f"{NOW} -o {{smtpd_helo_restrictions=check_helo_access {NEVER}}}",
    "mail4": f"{NOW} -o {{smtpd_sender_restrictions=check_sender_access {LATER}}}",
    "mail5": f"{NOW} -o {{smtpd_sender_restrictions=check_sender_access {NEVER}}}",
    "rcpt4": f"-o {{smtpd_recipient_restrictions=check_recipient_access inline:{{"
             "{anna@rcpt4.test=450 4.2.1 Mailbox busy}}}",
    "rcpt5": f"-o {{smtpd_recipient_restrictions=check_recipient_access inline:{{"
             "{anna@rcpt5.test=550 5.2.1 Mailbox disabled}}}",
    "data4": f"-o {{smtpd_data_restrictions=check_sender_access {LATER}}}",
    "data5": f"-o {{smtpd_data_restrictions=check_sender_access {NEVER}}}",
    "eod4": f"-o {{smtpd_end_of_data_restrictions=check_sender_access {LATER}}}",
    "eod5": f"-o {{smtpd_end_of_data_restrictions=check_sender_access {NEVER}}}",
}

HOST = r"<unknown\[127.0.0.1\]>: Client host rejected: "
SENDER = "<anna@src.test>: Sender address rejected: "
REPLIES = {
    "greeting4": f"421 4.7.0 {HOST}Too busy",
    "greeting5": f"550 5.7.1 {HOST}Not today",
    "ehlo4": "451 4.7.1 <mail.src.test>: Helo command rejected: Come back later",
    "ehlo5": "550 5.7.1 <mail.src.test>: Helo command rejected: Not today",
    "mail4": f"451 4.7.1 {SENDER}Come back later",
    "mail5": f"550 5.7.1 {SENDER}Not today",
    "rcpt4": "450 4.2.1 <anna@rcpt4.test>: Recipient address rejected: Mailbox busy",
    "rcpt5": "550 5.2.1 <anna@rcpt5.test>: Recipient address rejected: Mailbox disabled",
    "data4": f"451 4.7.1 {SENDER}Come back later",
    "data5": f"550 5.7.1 {SENDER}Not today",
    "eod4": f"451 4.7.1 {SENDER}Come back later",
    "eod5": f"550 5.7.1 {SENDER}Not today",
    "nobody": "550 5.1.1 <nobody@src.test>: Recipient address rejected: User unknown in virtual"
              " mailbox table",
}

LOGIN = ("-o smtpd_sasl_auth_enable=yes -o smtpd_sasl_local_domain=peer.test"
         " -o smtpd_client_restrictions=permit_sasl_authenticated,reject")
ENCRYPTED = f"{LOGIN} -o smtpd_tls_security_level=encrypt"
RELAYS = {
    "relay": (587, f"{ENCRYPTED} -o smtpd_sasl_path=relay"),
    "smtps": (465, f"{LOGIN} -o smtpd_sasl_path=relay -o smtpd_tls_wrappermode=yes"),
    "naked": (587, f"{LOGIN} -o smtpd_sasl_path=naked"),
    "foreign": (587, f"{ENCRYPTED} -o smtpd_sasl_path=foreign"),
    "misnamed": (587, f"{ENCRYPTED} -o smtpd_sasl_path=relay"),
    "dovecot": (587, f"{ENCRYPTED} -o smtpd_sasl_type=dovecot -o smtpd_sasl_path=private/auth"),
}
# Cyrus SASL: smtpd_sasl_path names the file.
MECHANISMS = {
    "relay": "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256",
    "naked": "PLAIN LOGIN",
    "foreign": "SCRAM-SHA-1 DIGEST-MD5",
}
SASL = """pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: {}
"""

DOVECOT = """protocols =
ssl = no
log_path = /var/log/dovecot.log
auth_verbose = yes
auth_mechanisms = plain login cram-md5 scram-sha-256 oauthbearer xoauth2
disable_plaintext_auth = no
passdb {
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = /etc/dovecot/token.conf
}
passdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=/
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
"""
# The token is proven by a key, without asking anybody (RFC 7519).
TOKEN_CONF = """introspection_mode = local
local_validation_key_dict = fs:posix:prefix=/etc/dovecot/keys/
username_attribute = sub
"""
TOKEN_KEY = b"known to the issuer and to Dovecot"


def token(user):
    """An access token as Dovecot wants it."""
    def part(octets):
        return base64.urlsafe_b64encode(octets).rstrip(b"=")
    now = int(time.time())
    signed = (part(b'{"alg":"HS256","typ":"JWT"}') + b"."
              + part(json.dumps({"sub": user, "iat": now - 60, "exp": now + 3600}).encode()))
    return (signed + b"." + part(hmac.digest(TOKEN_KEY, signed, hashlib.sha256))).decode()


class Postfix(Peer):
    name = "postfix"
    packages = ("postfix", "nsd", "sasl2-bin", "libsasl2-modules", "libsasl2-modules-db",
                "dovecot-core")
    faces = RECEIVERS
    relays = RELAYS
    mechanisms = ("SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5", "OAUTHBEARER", "XOAUTH2")
    asks_for_login = False
    replies = REPLIES
    # A probe of ours ends after CONNECT; a handshake that fails ends in silence.
    bad_words = ("improper command pipelining|non-SMTP|fatal:|panic:"
                 "|lost connection after (?!CONNECT|STARTTLS)")

    def start(self):
        self.start_names()
        self.write("/etc/postfix/main.cf", "")
        self.write_services()
        self.write("/etc/postfix/vmailbox", "".join(f"{u} {u}/\n" for u in self.users()))
        self.write("/var/log/postfix.log", "")
        self.write_logins()
        self.chroot("sh", "-c", "rm -rf /var/spool/postfix/*/* /var/lib/postfix/*lock")
        self.chroot("postconf", "-e", "compatibility_level=3.6", "myhostname=peer.test",
                    "maillog_file=/var/log/postfix.log", "mydestination=", "alias_maps=",
                    "inet_protocols=all", "mynetworks=", "smtpd_peername_lookup=no",
                    "virtual_mailbox_domains=" + ",".join((*DOMAINS, *self.more_domains)),
                    "virtual_mailbox_maps=texthash:/etc/postfix/vmailbox",
                    "virtual_mailbox_base=/var/vmail", "virtual_uid_maps=static:5000",
                    "virtual_gid_maps=static:5000", "virtual_minimum_uid=100",
                    "smtpd_tls_cert_file=/etc/mail/cert.pem",
                    "smtpd_tls_key_file=/etc/mail/key.pem", "smtputf8_enable=yes",
                    "smtpd_relay_restrictions=permit_sasl_authenticated,reject_unauth_destination")
        self.chroot("postconf", "-F", "*/*/chroot=n")
        self.start_dovecot()
        self.chroot("postfix", "start")

    def write_services(self):
        where = {f"{self.address(name)}:{self.lab.mx}": options for name, options in RECEIVERS.items()}
        where |= {f"{self.address(name)}:{port}": options for name, (port, options) in RELAYS.items()}
        where[f"[::1]:{self.lab.mx}"] = TLS
        with open(self.root + "/usr/share/postfix/master.cf.dist", encoding="utf-8") as f:
            others = [line for line in f if not line.startswith("smtp      inet")]
        self.write("/etc/postfix/master.cf", "".join(
            f"{place} inet n - n - - smtpd {options}\n" for place, options in where.items())
            + "".join(others))

    def write_logins(self):
        for name, mechanisms in MECHANISMS.items():
            self.write(f"/etc/postfix/sasl/{name}.conf", SASL.format(mechanisms))
        self.chroot("saslpasswd2", "-p", "-c", "-u", "peer.test", self.USER, text_in=self.PASSWORD)
        self.chroot("chgrp", "postfix", "/etc/sasldb2")
        self.chroot("chmod", "640", "/etc/sasldb2")

    def start_dovecot(self):
        self.write("/var/log/dovecot.log", "")
        self.write("/etc/dovecot/test.conf", DOVECOT)
        self.write("/etc/dovecot/users", f"{self.USER}:{{PLAIN}}{self.PASSWORD}::::::\n")
        self.write("/etc/dovecot/token.conf", TOKEN_CONF)
        self.write("/etc/dovecot/keys/default/HS256/default",
                   base64.b64encode(TOKEN_KEY).decode())
        self.start_in_root("dovecot", "-F", "-c", "/etc/dovecot/test.conf", log="dovecot.log")
        wait_for(lambda: os.path.exists(self.root + "/var/spool/postfix/private/auth"), 20,
                 "for Dovecot")

    def log(self):
        return self.read("/var/log/postfix.log")

    def recipients_per_message(self, sender):
        return [int(n) for n in re.findall(f"from=<{sender}>, size=[0-9]+, nrcpt=([0-9]+)", self.log())]

    def login_of(self, sender):
        """By which mechanism, and as whom, the client that sent this was let in."""
        queue_id = re.search(f"/qmgr.*: (\\S+): from=<{sender}>", self.log()).group(1)
        found = re.search(f"{queue_id}: client=.*, sasl_method=(.*), sasl_username=(.*)", self.log())
        method, user = found.groups()
        return method, user.removesuffix("@peer.test")
