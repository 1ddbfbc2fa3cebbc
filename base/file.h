#pragma once

/*
 * Files: read within bounds and with their owner and mode looked at; replaced whole.
 *
 * Blocking: for start, reload and the store's thread, never for the serving path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/buffer.h"

enum {
    FILE_E_TOO_BIG = 1, /* more bytes than `max` */
    FILE_E_NOT_REGULAR, /* a directory, device, socket or pipe */
};

/*
 * Reads all of `path` (relative to `dirfd`, symbolic links followed) into `buffer`, whose ceiling is the
 * limit. Never blocks on a pipe. *ret_stat, which may be NULL, describes the file that was read: it is
 * also filled in with FILE_E_*. 0, FILE_E_* or -errno (-ENOENT when there is none). After FILE_E_TOO_BIG or
 * -errno the buffer may hold a part of the file.
 */
int file_read(int dirfd, const char *path, Buffer *buffer, struct stat *ret_stat);

/* Whether others than the owner, or an owner other than root and ourselves, may write the file. */
bool file_is_foreign(const struct stat *st);

/*
 * Replaces `name` in the directory `dirfd` by the `n` pieces, durably: they are written to "NAME.new",
 * synced, what `name` was is kept as "NAME~" (unless `keep_old` is false: then "NAME~" stays what it is), then
 * renamed, and the directory synced. Whatever moment the machine stops at, `name` is the old or the new
 * document, whole, and so is "NAME~" of its own two (or already the new one). Mode 0600. An empty "NAME.new" is
 * left for the next time. 0, or -errno with `name` unchanged (or, after a failed last sync, already the new one, but
 * unsettled). Source: rename(2), RENAME_EXCHANGE, where the file system has it.
 */
int file_replace(int dirfd, const char *name, bool keep_old, struct iovec *pieces, size_t n);

/*
 * Whether file_replace() has not got as far as to know the document to be durable: who was killed there leaves one
 * that can be read and may be gone after a power cut. (Its mode says so: 0400.)
 */
bool file_is_unsettled(const struct stat *st);

/* Makes such a document durable after all. 0 or -errno. */
int file_settle(int dirfd, const char *name);

/* Makes the names in a directory durable; `path` as in openat(2). 0 or -errno. */
int file_sync_directory(int dirfd, const char *path);

/*
 * Makes the directory `path`, whatever the umask, and with it those above it that are missing (mode 0755).
 * 0, also when it is there, whatever its mode; or -errno.
 */
int file_make_directory(const char *path, mode_t mode);
