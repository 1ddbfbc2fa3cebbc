/*
 * Stands in for libFuzzer where only known inputs are replayed: gives each file
 * that is named, or lies in a folder that is named, to the target once. Prints
 * one line of TAP.
 *
 *   fuzz_NAME FILE|FOLDER...
 *
 * All inputs run in one child process. Only when it dies are they run again, a
 * child each, to tell which of them kill it; so a sound corpus costs one fork,
 * and leaks of the whole run are reported once by whoever watches for them.
 */

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

enum {
    REPLAY_INPUTS_MAX = 100000,
    REPLAY_BYTES_MAX = 16 << 20,
    REPLAY_SECONDS_MAX = 300, /* an input that hangs the target is a finding as well */
    REPLAY_FTW_FDS = 16,
};

static char *replay_inputs[REPLAY_INPUTS_MAX];
static size_t replay_n_inputs;

static int replay_on_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type != FTW_F)
        return 0;
    if (replay_n_inputs == REPLAY_INPUTS_MAX) {
        fprintf(stderr, "more than %d inputs\n", REPLAY_INPUTS_MAX);
        return -1;
    }
    replay_inputs[replay_n_inputs] = strdup(path);
    return replay_inputs[replay_n_inputs++] ? 0 : -1;
}

static int replay_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads the file into memory of just its size, so that reading past its end is seen. */
static void replay_one(const char *path)
{
    FILE *file = fopen(path, "re");
    uint8_t *data;
    long size;

    if (!file || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0 ||
        size > REPLAY_BYTES_MAX) {
        fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        exit(EXIT_FAILURE);
    }
    rewind(file);
    data = malloc(size > 0 ? (size_t)size : 1);
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
}

/* Replays inputs [from, to) in a child; true if it came through. */
static bool replay_range(size_t from, size_t to)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        alarm(REPLAY_SECONDS_MAX);
        for (size_t i = from; i < to; i++)
            replay_one(replay_inputs[i]);
        exit(EXIT_SUCCESS); /* not _exit(): leaks are looked for at exit */
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror("fork or wait");
        exit(EXIT_FAILURE);
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    size_t n_bad = 0;

    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        if (nftw(argv[i], replay_on_file, REPLAY_FTW_FDS, 0) != 0) {
            fprintf(stderr, "cannot read %s\n", argv[i]);
            return EXIT_FAILURE;
        }
    }
    qsort(replay_inputs, replay_n_inputs, sizeof(*replay_inputs), replay_compare);

    printf("1..1\n");
    if (replay_n_inputs == 0) {
        printf("not ok 1 - there is no input to replay\n");
        return EXIT_FAILURE;
    }
    if (replay_range(0, replay_n_inputs)) {
        printf("ok 1 - %zu inputs\n", replay_n_inputs);
        return EXIT_SUCCESS;
    }
    printf("not ok 1 - %zu inputs\n", replay_n_inputs);
    for (size_t i = 0; i < replay_n_inputs; i++) {
        if (!replay_range(i, i + 1)) {
            printf("# killed by %s\n", replay_inputs[i]);
            n_bad++;
        }
    }
    if (n_bad == 0)
        printf("# no single input does it: something carries over from one to the next\n");
    return EXIT_FAILURE;
}
