#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Make a C array of a text file: explain_embed.py IN OUT. Every octet is kept, so that line numbers in
messages are those of the file."""
import sys

with open(sys.argv[1], "rb") as f:
    data = f.read()
lines = [", ".join(str(c - 256 if c > 127 else c) for c in data[i:i + 24]) + "," for i in range(0, len(data), 24)]
with open(sys.argv[2], "w", encoding="ascii") as f:
    f.write('/* Made of explain.rules by explain_embed.py. */\n#include "core/mail/explain_private.h"\n\n')
    f.write("const char explain_builtin[] = {\n" + "\n".join(lines) + "\n0};\n")
    f.write("const size_t explain_builtin_n = sizeof(explain_builtin) - 1;\n")
