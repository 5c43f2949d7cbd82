/* SPDX-License-Identifier: ISC */
/*
 * Feeds every file of the given folders to a fuzz target, once: so that what a fuzzer ever found is
 * an ordinary test, with gcc too. libFuzzer has a main of its own and does not link this.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define INPUT_MAX (4u * 1024 * 1024)

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    /* The exact size, so that the sanitizer sees a read behind the end. */
    unsigned char *all = malloc(INPUT_MAX), *data;
    size_t n;

    if (!f || !all) {
        perror(path);
        return 1;
    }
    n = fread(all, 1, INPUT_MAX, f);
    fclose(f);
    data = malloc(n ? n : 1);
    if (!data)
        return 1;
    memcpy(data, all, n);
    free(all);
    LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 0;
}

static int replay_folder(const char *folder, unsigned *count)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    int failed = 0;

    if (!d) {
        perror(folder);
        return 1;
    }
    while ((e = readdir(d)) != NULL) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        fprintf(stderr, "%s\n", e->d_name); /* the last one printed is the one that failed */
        failed |= replay_file(path);
        ++*count;
    }
    closedir(d);
    return failed;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    int failed = 0;

    for (int i = 1; i < argc; i++)
        failed |= replay_folder(argv[i], &count);
    LLVMFuzzerTestOneInput((const unsigned char *)"", 0);
    fprintf(stderr, "%u inputs\n", count);
    /* An empty corpus is a wrong path, not a success. */
    return failed || count == 0;
}
