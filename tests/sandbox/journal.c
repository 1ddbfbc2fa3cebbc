#include "tests/sandbox/journal.h"

#include <fcntl.h>
#include <libgen.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

static int journal_replay_line(const char *line, size_t size, JournalHandler handler,
                               void *userdata)
{
    Arena arena = ARENA_INIT(json_value_arena_max(size));
    JsonValue *document;
    int r;

    r = json_value_parse(&arena, line, size, 0, &document, NULL);
    if (r == 0)
        r = handler(userdata, document);
    arena_deinit(&arena);
    return r < 0 ? r : 0;
}

int journal_replay(const char *path, JournalHandler handler, void *userdata)
{
    Buffer text = BUFFER_INIT(JOURNAL_BYTES_MAX);
    const char *line, *end;
    int r;

    r = file_read(AT_FDCWD, path, &text, NULL);
    if (r == -ENOENT)
        return 0;
    if (r > 0)
        r = r == FILE_E_TOO_BIG ? -EFBIG : -EINVAL;
    line = buffer_data(&text);
    end = line + buffer_size(&text);
    while (r == 0 && line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *next = newline ? newline + 1 : end;

        r = journal_replay_line(line, (size_t)(next - line), handler, userdata);
        line = next;
    }
    buffer_deinit(&text);
    return r;
}

int journal_start(Journal *journal, const char *path, Buffer *lines)
{
    _cleanup_(freep) char *directory = strdup(path);
    _cleanup_(freep) char *name = strdup(path);
    _cleanup_(closep) int dirfd = -1;
    struct iovec piece = {buffer_data(lines), buffer_size(lines)};
    int r;

    if (!directory || !name)
        return -ENOMEM;
    dirfd = open(dirname(directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return error_errno();
    r = file_replace(dirfd, basename(name), true, &piece, 1);
    if (r < 0)
        return r;
    journal->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    return journal->fd < 0 ? error_errno() : 0;
}

int journal_append(Journal *journal, const Buffer *line)
{
    ssize_t n;

    if (journal->fd < 0)
        return 0;
    n = write(journal->fd, buffer_data(line), buffer_size(line));
    if (n < 0)
        return error_errno();
    return (size_t)n == buffer_size(line) ? 0 : -ENOSPC;
}

void journal_deinit(Journal *journal)
{
    closep(&journal->fd);
    journal->fd = -1;
}
