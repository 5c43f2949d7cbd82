# SPDX-License-Identifier: ISC
"""Exim: one daemon on all addresses, whose access lists ask on which one a client came."""

import re

from peers.base import FEW, REFUSING, Peer

CONFIG = """primary_hostname = peer.test
qualify_domain = peer.test
local_interfaces = @INTERFACES@
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
log_selector = +pipelining
rfc1413_query_timeout = 0s
smtp_accept_queue_per_connection = 0
never_users = root
keep_environment =
FACE = ${lookup{$received_ip_address}lsearch{/etc/exim4/faces}{$value}}
IS_SUBMISSION = or{{eq{$received_port}{587}}{eq{$received_port}{465}}}
MAILBOX = ${lookup{$local_part@$domain}lsearch{/etc/exim4/users}{$value}}
tls_certificate = /etc/mail/cert.pem
tls_privatekey = /etc/mail/key.pem
tls_on_connect_ports = 465
tls_advertise_hosts = ${if match{FACE}{^(tls|encrypted|misnamed|relay|foreign)\\$}{*}}
pipelining_advertise_hosts = ${if eq{FACE}{plodding}{}{*}}
chunking_advertise_hosts = ${if eq{FACE}{plodding}{}{*}}
smtputf8_advertise_hosts = ${if eq{FACE}{plodding}{}{*}}
message_size_limit = ${if eq{FACE}{small}{20000}{50M}}
recipients_max = @FEW@
acl_smtp_connect = greeting
acl_smtp_helo = ehlo
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt
acl_smtp_predata = data
acl_smtp_data = eod

begin acl
@ACLS@

begin routers
all:
  driver = accept
  condition = ${lookup{$local_part@$domain}lsearch{/etc/exim4/users}{yes}{no}}
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = /var/vmail/MAILBOX
  maildir_format
  create_directory
  return_path_add
  user = 5000
  group = 5000

begin authenticators
@AUTHENTICATORS@
"""

# Stage by stage; "for now" and "for good", each with the code that Exim itself gives.
ACL = """@STAGE@:
  defer message = Come back later
    condition = ${if eq{FACE}{@STAGE@4}}@WHO@
  deny message = Not today
    condition = ${if eq{FACE}{@STAGE@5}}@WHO@
@MORE@  accept
"""
# Of the two recipients there, one is refused.
WHO = {"rcpt": "\n    local_parts = anna"}
STAGES = ("greeting", "ehlo", "mail", "rcpt", "data", "eod")
MORE = {
    "mail": """  deny message = 530 5.7.0 Authentication required
    condition = ${if IS_SUBMISSION}
    !authenticated = *
""",
    "rcpt": "  require verify = recipient\n",
}

AUTHENTICATORS = """plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if eq{$auth3}{${lookup{$auth2}lsearch{/etc/exim4/logins}{$value}fail}}}
  server_set_id = $auth2
  server_advertise_condition = ${if match{FACE}{^(relay|smtps|naked|misnamed)\\$}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if eq{$auth2}{${lookup{$auth1}lsearch{/etc/exim4/logins}{$value}fail}}}
  server_set_id = $auth1
  server_advertise_condition = ${if match{FACE}{^(relay|smtps|naked|misnamed)\\$}}
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${lookup{$auth1}lsearch{/etc/exim4/logins}{$value}fail}
  server_set_id = $auth1
  server_advertise_condition = ${if eq{FACE}{relay}}
scram:
  driver = cyrus_sasl
  public_name = SCRAM-SHA-256
  server_mech = SCRAM-SHA-256
  server_realm = peer.test
  server_set_id = $auth1
  server_advertise_condition = ${if eq{FACE}{relay}}
ntlm:
  driver = spa
  public_name = NTLM
  server_password = ${lookup{$auth1}lsearch{/etc/exim4/logins}{$value}fail}
  server_set_id = $auth1
  server_advertise_condition = ${if eq{FACE}{foreign}}
"""

RECEIVERS = ["src", "clear", "tls", "encrypted", "misnamed", "plodding", "few", "small", *REFUSING]
RELAYS = {"relay": 587, "smtps": 465, "naked": 587, "foreign": 587, "misnamed": 587}
SASL = """pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: SCRAM-SHA-256
"""


# What the log calls by the name above.
NAMES_OF = {"plain": "PLAIN", "login": "LOGIN", "cram": "CRAM-MD5", "scram": "SCRAM-SHA-256"}
REPLIES = {name: "451 Come back later" if name[-1] == "4" else "550 Not today" for name in REFUSING}
REPLIES["nobody"] = "550 Unrouteable address"


def fill(text, **values):
    """Exim's own braces make format() hard to read: @NAME@ is replaced instead."""
    for name, value in values.items():
        text = text.replace(f"@{name.upper()}@", str(value))
    return text


class Exim(Peer):
    name = "exim"
    faces = RECEIVERS
    relays = RELAYS
    mechanisms = ("SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5")
    replies = REPLIES
    bad_words = "protocol|syntax error|panic"
    reads_key_unprivileged = True
    packages = ("exim4-daemon-heavy", "nsd", "sasl2-bin", "libsasl2-modules",
                "libsasl2-modules-db")

    def start(self):
        self.start_names()
        places = ([f"{self.address(name)}.{self.lab.mx}" for name in RECEIVERS]
                  + [f"{self.address(name)}.{port}" for name, port in RELAYS.items()])
        self.write("/etc/exim4/exim4.conf", fill(
            CONFIG, few=FEW, interfaces=" : ".join(places), authenticators=AUTHENTICATORS,
            acls="".join(fill(ACL, stage=stage, who=WHO.get(stage, ""), more=MORE.get(stage, ""))
                         for stage in STAGES)))
        faces = sorted({*RECEIVERS, *RELAYS})
        self.write("/etc/exim4/faces", "".join(f"{self.address(f)}: {f}\n" for f in faces))
        self.write("/etc/exim4/users", "".join(f"{u}: {u}\n" for u in self.users()))
        self.write("/etc/exim4/logins", f"{self.USER}: {self.PASSWORD}\n")
        self.write("/usr/lib/sasl2/exim.conf", SASL)
        self.chroot("saslpasswd2", "-p", "-c", "-u", "peer.test", self.USER, text_in=self.PASSWORD)
        self.chroot("chgrp", "Debian-exim", "/etc/sasldb2")
        self.chroot("chmod", "640", "/etc/sasldb2")
        self.chroot("sh", "-c", "rm -rf /var/spool/exim4/*/* /var/log/exim4/*")
        return self.start_in_root("exim4", "-bdf", log="exim.log")

    def log(self):
        return self.read("/var/log/exim4/mainlog")

    def recipients_per_message(self, sender):
        ids = re.findall(f"(\\S+) <= {sender} ", self.log())
        return [len(re.findall(f"{i} [=-]> ", self.log())) for i in ids]

    def login_of(self, sender):
        found = re.search(f"<= {sender} .* A=([^: ]+):(\\S+)", self.log())
        return NAMES_OF[found.group(1)], found.group(2).removesuffix("@peer.test")
