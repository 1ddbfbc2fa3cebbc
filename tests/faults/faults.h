#pragma once

/*
 * Fault injection at the boundary between an unmodified program and its system calls, by LD_PRELOAD.
 *
 * Rules say at which call of which function what goes wrong. They come from $ELEMENTD_FAULTS and from the
 * file that $ELEMENTD_FAULTS_FILE names, which may be replaced (by rename) while the program runs. They are
 * separated by white space or ";":
 *
 *     fsync:delay=500ms                          every fsync() takes half a second longer
 *     fsync:path=records.json.new:count=2:error=EIO
 *     renameat:n=3:kill=before                   SIGKILL at the third call, not carried out
 *     @(send|sendto|sendmsg):path=tcp*:kill=after
 *     writev:error=ENOSPC:short=10               the first 10 bytes are written, the next call fails
 *     clock_gettime:offset=-3600s                the wall clock stands an hour behind
 *
 * The function is a glob (fnmatch(3) with FNM_EXTMATCH), and so is path, which is matched against the whole
 * object of the call and the last part of it. The object is the absolute path (the new one of a rename or a
 * link), or tcp:ADDRESS:PORT of the other end, or unix:PATH of either end. n is the first matching call that
 * is meant, count how many from there on; without it, all of them. Calls are counted by each rule for itself
 * and from when it was read.
 *
 * elementd and the elementd-http that it starts are one program here: with $ELEMENTD_FAULTS_FILE their calls are
 * counted together (in files beside that one), and what kills the one kills the other. A process that shares the
 * memory of elementd (ipc/guard.h) is elementd too: its calls are counted there, and kill elementd, but not itself.
 *
 * $ELEMENTD_FAULTS_LOG names a file to which each call is added before it is carried out, as one line:
 *
 *     boot-time microseconds, thread, function, object, bytes, verdict (separated by tabs)
 *
 * $ELEMENTD_FAULTS_RECORD names a file to which each change of files and each message to a UNIX socket is added
 * with its content: a message before it is sent, a change after it was made, so that whatever stands above a line
 * has happened when that line's has. One line each:
 *
 *     realtime microseconds, function, object, from, inode, offset, result (-errno), content in hex (tabs between)
 *
 * Nothing is allocated and no lock is taken, so that a call from a signal handler is as good as another. What
 * libc calls within itself (stdio, the resolver) is not seen.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Ours must neither hide nor be hidden by what the program calls so. */
#pragma GCC visibility push(hidden)

#define FAULTS_RULES_MAX  64
#define FAULTS_GLOB_MAX   256
#define FAULTS_OBJECT_MAX 4352

typedef enum FaultsKill {
    FAULTS_KILL_NONE,
    FAULTS_KILL_BEFORE,
    FAULTS_KILL_AFTER,
} FaultsKill;

typedef struct FaultsRule {
    char function[FAULTS_GLOB_MAX];
    char path[FAULTS_GLOB_MAX]; /* "": any */
    int64_t n;
    int64_t count; /* -1: all */
    int64_t delay_usec;
    int64_t offset_usec; /* of the wall clock */
    size_t short_max;    /* SIZE_MAX: all */
    int error;           /* 0: none */
    FaultsKill kill;
    _Atomic int64_t *n_seen;
} FaultsRule;

typedef struct FaultsTable {
    FaultsRule rules[FAULTS_RULES_MAX];
    size_t n_rules;
    bool has_path;           /* some rule asks for the object */
    _Atomic int64_t *n_seen; /* of each rule; shared with the other process where there is one */
    _Atomic int64_t n_seen_alone[FAULTS_RULES_MAX];
} FaultsTable;

/* What is to happen to one call. */
typedef struct FaultsVerdict {
    int64_t delay_usec;
    size_t short_max;
    int error;
    FaultsKill kill;
} FaultsVerdict;

#define FAULTS_VERDICT_INIT ((FaultsVerdict){.short_max = SIZE_MAX})

/* ---- rules.c: pure, but for the counters ---- */

/* Adds the rules of `text`, which it cuts to pieces; `n_seen` is set already. 0, or -1 with *ret_wrong the piece that makes no sense. */
int faults_rules_parse(FaultsTable *table, char *text, const char **ret_wrong);

void faults_rules_apply(FaultsTable *table, const char *function, const char *object,
                        FaultsVerdict *verdict);

int64_t faults_rules_clock_offset(FaultsTable *table);

/* ---- inject.c: the rules that are in force, the log, and what a verdict does ---- */

/*
 * Before the call: sleeps, dies, or returns what is left to be done to it. errno is left alone.
 * `fd` and `path` as in openat(2); either may be absent (-1, NULL).
 */
FaultsVerdict faults_begin(const char *function, int fd, const char *path, size_t size);
FaultsVerdict faults_begin_address(const char *function, const struct sockaddr *address,
                                   socklen_t address_size, size_t size);

/* After the call: dies, or returns its result (-1 with errno where the verdict says so). */
long faults_end(const FaultsVerdict *verdict, long result);

int64_t faults_clock_offset(void);

/* The object of a call, in at least FAULTS_OBJECT_MAX bytes; `fd` and `path` as in openat(2), or `path` NULL. */
void faults_format_object(int fd, const char *path, char *ret_object);

/* ---- record.c ---- */

typedef struct FaultsDeed {
    const char *function;
    int fd; /* and `path`: as in openat(2) */
    const char *path;
    int from_fd;
    const char *from; /* NULL: it has no second path */
    int file_fd;      /* whose inode it is about; -1: none */
    const struct iovec *pieces;
    size_t n_pieces;
    int64_t offset; /* of the content; -1: it ends where the file stands now */
    bool is_before; /* told before the call, which is kept for messages */
    long result;    /* that of the call, -errno, or the size of the message */
} FaultsDeed;

void faults_record(const FaultsDeed *deed);

#pragma GCC visibility pop
