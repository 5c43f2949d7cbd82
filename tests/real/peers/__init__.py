# SPDX-License-Identifier: ISC
"""Debian's mail servers as receivers and as relays: base.py is what they share, then a file for each."""
