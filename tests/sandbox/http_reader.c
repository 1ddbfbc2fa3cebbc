#include "tests/sandbox/http_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Moved at a time. */
#define HTTP_READER_PIECE 65536

typedef enum HttpReaderStep {
    HTTP_READER_AGAIN, /* the next state may go on */
    HTTP_READER_MORE,  /* bytes are needed */
    HTTP_READER_DONE,
    HTTP_READER_BAD,
} HttpReaderStep;

void http_reader_deinit(HttpReader *reader)
{
    (void)http_request_free(reader->request);
    *reader = (HttpReader){};
}

HttpRequest *http_reader_take(HttpReader *reader)
{
    HttpRequest *request = TAKE_PTR(reader->request);

    *reader = (HttpReader){};
    return request;
}

bool http_reader_wants_continue(HttpReader *reader)
{
    bool is_wanted = reader->is_continue_wanted;

    reader->is_continue_wanted = false;
    return is_wanted;
}

static HttpReaderStep http_reader_refuse(HttpReader *reader, unsigned status, const char *message)
{
    reader->status = status;
    reader->message = message;
    return HTTP_READER_BAD;
}

/* One line without its end; HTTP_READER_AGAIN means that there is one. The caller frees it. */
static HttpReaderStep http_reader_line(HttpReader *reader, struct evbuffer *input, char **ret_line)
{
    _cleanup_(freep) char *line = NULL;
    size_t size = 0;

    line = evbuffer_readln(input, &size, EVBUFFER_EOL_CRLF);
    if (reader->head_size + (line ? size : evbuffer_get_length(input)) > HTTP_REQUEST_HEAD_MAX)
        return http_reader_refuse(reader, 431, "The request's head is too large.");
    if (!line)
        return HTTP_READER_MORE;
    reader->head_size += size + 2;
    if (strlen(line) != size)
        return http_reader_refuse(reader, 400, "The request's head holds a NUL.");
    *ret_line = TAKE_PTR(line);
    return HTTP_READER_AGAIN;
}

static HttpReaderStep http_reader_step_line(HttpReader *reader, struct evbuffer *input)
{
    _cleanup_(freep) char *line = NULL;
    HttpReaderStep step;

    reader->head_size = 0;
    step = http_reader_line(reader, input, &line);
    if (step != HTTP_READER_AGAIN || !*line) /* empty lines before a request are skipped */
        return step;
    if (http_request_new(&reader->request) < 0)
        return http_reader_refuse(reader, 500, "Out of memory.");
    if (http_request_parse_line(reader->request, line) != 0)
        return http_reader_refuse(reader, 400, "The request line is malformed.");
    reader->state = HTTP_READER_HEADERS;
    return HTTP_READER_AGAIN;
}

static bool http_reader_parse_size(const char *text, int radix, uint64_t *ret_size)
{
    unsigned long long size;
    char *end;

    errno = 0;
    size = strtoull(text, &end, radix);
    if (errno != 0 || end == text || strchr("+- \t", *text) || !strchr("; \t", *end))
        return false;
    *ret_size = size;
    return true;
}

/* The head is complete: what follows? */
static HttpReaderStep http_reader_begin_body(HttpReader *reader)
{
    HttpRequest *request = reader->request;
    const char *length = http_request_find_header(request, "Content-Length");
    const char *encoding = http_request_find_header(request, "Transfer-Encoding");

    request->started = clock_realtime();
    if (http_request_has_word(request, "Connection", "close"))
        request->is_keep_alive = false;
    reader->left = 0;
    if (encoding && (length || strcasecmp(encoding, "chunked") != 0))
        return http_reader_refuse(reader, 400, "The transfer encoding is not supported.");
    if (length && !http_reader_parse_size(length, 10, &reader->left))
        return http_reader_refuse(reader, 400, "The content length is malformed.");
    if (reader->left > HTTP_REQUEST_BODY_MAX)
        return http_reader_refuse(reader, 413, "The request is larger than 8 MB.");
    if (!encoding && reader->left == 0)
        return HTTP_READER_DONE;
    reader->is_continue_wanted = http_request_has_word(request, "Expect", "100-continue");
    reader->state = encoding ? HTTP_READER_CHUNK_SIZE : HTTP_READER_BODY;
    return HTTP_READER_AGAIN;
}

static HttpReaderStep http_reader_step_headers(HttpReader *reader, struct evbuffer *input)
{
    _cleanup_(freep) char *line = NULL;
    HttpReaderStep step;
    int r;

    step = http_reader_line(reader, input, &line);
    if (step != HTTP_READER_AGAIN)
        return step;
    if (!*line)
        return http_reader_begin_body(reader);
    r = http_request_parse_header(reader->request, line);
    if (r == HTTP_REQUEST_E_TOO_MANY)
        return http_reader_refuse(reader, 431, "The request has too many headers.");
    if (r != 0)
        return http_reader_refuse(reader, 400, "A header line is malformed.");
    return HTTP_READER_AGAIN;
}

/* Takes what there is of `left`; HTTP_READER_AGAIN means that all of it was there. */
static HttpReaderStep http_reader_bytes(HttpReader *reader, struct evbuffer *input)
{
    while (reader->left > 0) {
        size_t size = evbuffer_get_length(input);
        char *space;
        int n;

        size = size < reader->left ? size : (size_t)reader->left;
        size = size < HTTP_READER_PIECE ? size : HTTP_READER_PIECE;
        if (size == 0)
            return HTTP_READER_MORE;
        if (buffer_reserve(&reader->request->body, size, &space) != 0)
            return http_reader_refuse(reader, 413, "The request is larger than 8 MB.");
        n = evbuffer_remove(input, space, size);
        if (n <= 0)
            return HTTP_READER_MORE;
        buffer_commit(&reader->request->body, (size_t)n);
        reader->left -= (uint64_t)n;
    }
    return HTTP_READER_AGAIN;
}

static HttpReaderStep http_reader_step_body(HttpReader *reader, struct evbuffer *input)
{
    HttpReaderStep step = http_reader_bytes(reader, input);

    return step == HTTP_READER_AGAIN ? HTTP_READER_DONE : step;
}

static HttpReaderStep http_reader_step_chunk_size(HttpReader *reader, struct evbuffer *input)
{
    _cleanup_(freep) char *line = NULL;
    HttpReaderStep step;

    reader->head_size = 0;
    step = http_reader_line(reader, input, &line);
    if (step != HTTP_READER_AGAIN)
        return step;
    if (!http_reader_parse_size(line, 16, &reader->left))
        return http_reader_refuse(reader, 400, "A chunk's size is malformed.");
    reader->state = reader->left > 0 ? HTTP_READER_CHUNK_DATA : HTTP_READER_TRAILERS;
    return HTTP_READER_AGAIN;
}

static HttpReaderStep http_reader_step_chunk_data(HttpReader *reader, struct evbuffer *input)
{
    HttpReaderStep step = http_reader_bytes(reader, input);

    if (step == HTTP_READER_AGAIN)
        reader->state = HTTP_READER_CHUNK_END;
    return step;
}

static HttpReaderStep http_reader_step_chunk_end(HttpReader *reader, struct evbuffer *input)
{
    _cleanup_(freep) char *line = NULL;
    HttpReaderStep step = http_reader_line(reader, input, &line);

    if (step != HTTP_READER_AGAIN)
        return step;
    if (*line)
        return http_reader_refuse(reader, 400, "A chunk does not end where it said.");
    reader->state = HTTP_READER_CHUNK_SIZE;
    return HTTP_READER_AGAIN;
}

static HttpReaderStep http_reader_step_trailers(HttpReader *reader, struct evbuffer *input)
{
    _cleanup_(freep) char *line = NULL;
    HttpReaderStep step = http_reader_line(reader, input, &line);

    if (step != HTTP_READER_AGAIN)
        return step;
    return *line ? HTTP_READER_AGAIN : HTTP_READER_DONE;
}

static HttpReaderStep (*const http_reader_steps[])(HttpReader *reader, struct evbuffer *input) = {
    [HTTP_READER_LINE] = http_reader_step_line,
    [HTTP_READER_HEADERS] = http_reader_step_headers,
    [HTTP_READER_BODY] = http_reader_step_body,
    [HTTP_READER_CHUNK_SIZE] = http_reader_step_chunk_size,
    [HTTP_READER_CHUNK_DATA] = http_reader_step_chunk_data,
    [HTTP_READER_CHUNK_END] = http_reader_step_chunk_end,
    [HTTP_READER_TRAILERS] = http_reader_step_trailers,
};

HttpReaderResult http_reader_read(HttpReader *reader, struct evbuffer *input)
{
    HttpReaderStep step;

    do
        step = http_reader_steps[reader->state](reader, input);
    while (step == HTTP_READER_AGAIN);
    return step == HTTP_READER_DONE   ? HTTP_READER_COMPLETE
           : step == HTTP_READER_MORE ? HTTP_READER_WAITS
                                      : HTTP_READER_REFUSES;
}
