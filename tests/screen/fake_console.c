/* SPDX-License-Identifier: ISC */
/* The console on the fake feed, as a program: fake_console FEED [--read-only] [--theme NAME]. */
#include "tests/screen/fake_feed.h"
#include "tui/console_run.h"

int main(int argc, char **argv)
{
    struct console_conf conf = {.hostname = "mta1.example"};
    struct feed_source source;

    if (argc < 2 || !fake_feed_choose(argv[1])) {
        fprintf(stderr, "usage: fake_console FEED [--read-only] [--theme NAME]\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--read-only") == 0)
            conf.read_only = true;
        else if (strcmp(argv[i], "--theme") == 0 && i + 1 < argc)
            conf.theme = argv[++i];
    }
    source = fake_feed_source();
    return console_run_with(&conf, &source, fake_clock());
}
