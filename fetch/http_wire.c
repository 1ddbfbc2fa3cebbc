#include "fetch/http_wire.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/utf8.h"

/* ---- numbers ---- */

static uint64_t http_wire_get_bytes(const char *bytes, size_t n)
{
    uint64_t number = 0;

    while (n-- > 0)
        number = number << 8 | (unsigned char)bytes[n];
    return number;
}

static void http_wire_set_bytes(char *bytes, size_t n, uint64_t number)
{
    for (size_t i = 0; i < n; i++, number >>= 8)
        bytes[i] = (char)(number & 0xff);
}

/* ---- reading: a cursor that remembers the first breach ---- */

typedef struct HttpWireCursor {
    const char *at;
    size_t left;
    bool is_broken;
} HttpWireCursor;

static HttpWireBytes http_wire_take(HttpWireCursor *cursor, size_t size)
{
    HttpWireBytes bytes = {cursor->at, size};

    if (size > cursor->left) {
        cursor->is_broken = true;
        return (HttpWireBytes){"", 0};
    }
    cursor->at += size;
    cursor->left -= size;
    return bytes;
}

static uint64_t http_wire_take_number(HttpWireCursor *cursor, size_t n, uint64_t max)
{
    HttpWireBytes bytes = http_wire_take(cursor, n);
    uint64_t number = http_wire_get_bytes(bytes.data, bytes.size);

    if (number > max)
        cursor->is_broken = true;
    return number > max ? 0 : number;
}

/* Absent is one more than the largest size. */
static HttpWireBytes http_wire_take_bytes(HttpWireCursor *cursor, size_t max)
{
    uint64_t size = http_wire_take_number(cursor, 4, (uint64_t)max + 1);

    return size > max ? (HttpWireBytes){NULL, 0} : http_wire_take(cursor, (size_t)size);
}

static HttpWireBytes http_wire_take_present(HttpWireCursor *cursor, size_t max)
{
    HttpWireBytes bytes = http_wire_take_bytes(cursor, max);

    if (!bytes.data) {
        cursor->is_broken = true;
        bytes.data = "";
    }
    return bytes;
}

/* A text that ends with a NUL, so that it can be used where it lies. */
static HttpWireBytes http_wire_take_string(HttpWireCursor *cursor, size_t max, bool is_optional)
{
    HttpWireBytes bytes = http_wire_take_bytes(cursor, max + 1);

    if (!bytes.data && is_optional)
        return bytes;
    if (!bytes.data || bytes.size == 0 ||
        memchr(bytes.data, '\0', bytes.size) != bytes.data + bytes.size - 1) {
        cursor->is_broken = true;
        return (HttpWireBytes){"", 0};
    }
    bytes.size--;
    return bytes;
}

/* How much of it is UTF-8 without control characters. */
static size_t http_wire_clean_prefix(const char *text, size_t size)
{
    size_t done = 0, n;
    uint32_t character;

    while ((n = utf8_decode(text + done, size - done, &character)) > 0 && character != 0 &&
           !utf8_is_control(character))
        done += n;
    return done;
}

static HttpWireBytes http_wire_take_clean(HttpWireCursor *cursor, size_t max)
{
    HttpWireBytes bytes = http_wire_take_bytes(cursor, max);

    if (bytes.data && http_wire_clean_prefix(bytes.data, bytes.size) != bytes.size)
        cursor->is_broken = true;
    return bytes;
}

static void http_wire_take_request(HttpWireCursor *cursor, HttpWireFrame *frame)
{
    frame->timeout = http_wire_take_number(cursor, 8, HTTP_TIMEOUT_MAX_USEC);
    frame->method = http_wire_take_string(cursor, HTTP_METHOD_BYTES_MAX, false);
    frame->url = http_wire_take_string(cursor, HTTP_URL_BYTES_MAX, false);
    frame->ca_file = http_wire_take_string(cursor, HTTP_CA_FILE_BYTES_MAX, true);
    frame->authorization = http_wire_take_present(cursor, HTTP_AUTHORIZATION_BYTES_MAX);
    frame->body = http_wire_take_bytes(cursor, HTTP_REQUEST_BODY_BYTES_MAX);
}

#define HTTP_WIRE_IS_COMPLETE 1
#define HTTP_WIRE_IS_SENT     2
#define HTTP_WIRE_FAILURE     2 /* bits by which an HttpFailure stands higher than those two */
#define HTTP_WIRE_FLAGS_MAX                                                                        \
    (HTTP_WIRE_IS_COMPLETE | HTTP_WIRE_IS_SENT | HTTP_FAILURE_CERTIFICATE_TIME << HTTP_WIRE_FAILURE)

static void http_wire_take_end(HttpWireCursor *cursor, HttpWireFrame *frame)
{
    uint64_t flags;

    frame->status = (int)http_wire_take_number(cursor, 2, 999);
    flags = http_wire_take_number(cursor, 1, HTTP_WIRE_FLAGS_MAX);
    frame->is_complete = flags & HTTP_WIRE_IS_COMPLETE;
    frame->is_sent = flags & HTTP_WIRE_IS_SENT;
    frame->failure = (HttpFailure)(flags >> HTTP_WIRE_FAILURE);
    frame->retry_after = http_wire_take_number(cursor, 8, RETRY_AFTER_MAX_USEC);
    frame->next_page = http_wire_take_clean(cursor, HTTP_NEXT_PAGE_BYTES_MAX);
    frame->problem = http_wire_take_clean(cursor, HTTP_PROBLEM_BYTES_MAX);
    if (frame->is_complete && (frame->status == 0 || frame->problem.data))
        cursor->is_broken = true;
}

static void http_wire_take_fields(HttpWireCursor *cursor, HttpWireFrame *frame)
{
    switch (frame->type) {
    case HTTP_WIRE_REQUEST:
        http_wire_take_request(cursor, frame);
        return;
    case HTTP_WIRE_CANCEL:
        return;
    case HTTP_WIRE_CONNECTIONS:
    case HTTP_WIRE_HELLO:
        frame->number = (uint32_t)http_wire_take_number(cursor, 4, UINT32_MAX);
        return;
    case HTTP_WIRE_PIECE:
        frame->body = http_wire_take_present(cursor, HTTP_PIECE_BYTES_MAX);
        return;
    case HTTP_WIRE_END:
        http_wire_take_end(cursor, frame);
        return;
    }
    cursor->is_broken = true;
}

static bool http_wire_is_for(uint64_t type, HttpWireEnd end)
{
    return end == HTTP_WIRE_FAR ? type >= HTTP_WIRE_REQUEST && type <= HTTP_WIRE_CONNECTIONS
                                : type >= HTTP_WIRE_HELLO && type <= HTTP_WIRE_END;
}

static bool http_wire_has_id(HttpWireType type)
{
    return type != HTTP_WIRE_CONNECTIONS && type != HTTP_WIRE_HELLO;
}

int http_wire_parse(const Buffer *input, HttpWireEnd end, HttpWireFrame *ret_frame,
                    size_t *ret_size)
{
    size_t max = end == HTTP_WIRE_FAR ? HTTP_WIRE_TO_FAR_BYTES_MAX : HTTP_WIRE_TO_NEAR_BYTES_MAX;
    size_t held = buffer_size(input), size;
    const char *data = buffer_data(input);
    HttpWireFrame frame = {};
    HttpWireCursor cursor;
    uint64_t type;

    if (held < 4)
        return HTTP_WIRE_E_MORE;
    size = 4 + (size_t)http_wire_get_bytes(data, 4);
    /* Before it has come: nothing is kept for who announces what may not be. */
    if (size > max || size < HTTP_WIRE_PREFIX_BYTES)
        return HTTP_WIRE_E_BROKEN;
    if (held < size)
        return HTTP_WIRE_E_MORE;
    cursor = (HttpWireCursor){data + 4, size - 4, false};
    type = http_wire_take_number(&cursor, 1, UINT8_MAX);
    if (!http_wire_is_for(type, end))
        return HTTP_WIRE_E_BROKEN;
    frame.type = (HttpWireType)type;
    frame.id = http_wire_take_number(&cursor, 8, UINT64_MAX);
    if ((frame.id != 0) != http_wire_has_id(frame.type))
        return HTTP_WIRE_E_BROKEN;
    http_wire_take_fields(&cursor, &frame);
    if (cursor.is_broken || cursor.left > 0)
        return HTTP_WIRE_E_BROKEN;
    *ret_frame = frame;
    *ret_size = size;
    return 0;
}

/* ---- writing: the first failure counts ---- */

typedef struct HttpWireWriter {
    Buffer *output;
    size_t begin; /* of the frame */
    int r;
} HttpWireWriter;

static void http_wire_write(HttpWireWriter *writer, const void *data, size_t size)
{
    if (writer->r == 0)
        writer->r = buffer_append(writer->output, data, size);
}

static void http_wire_write_number(HttpWireWriter *writer, size_t n, uint64_t number)
{
    char bytes[8];

    http_wire_set_bytes(bytes, n, number);
    http_wire_write(writer, bytes, n);
}

static void http_wire_write_size(HttpWireWriter *writer, bool is_there, size_t size, size_t max)
{
    if (is_there && size > max && writer->r == 0)
        writer->r = BUFFER_E_FULL;
    http_wire_write_number(writer, 4, is_there ? size : max + 1);
}

static void http_wire_write_bytes(HttpWireWriter *writer, const char *data, size_t size, size_t max)
{
    http_wire_write_size(writer, data, size, max);
    if (data)
        http_wire_write(writer, data, size);
}

static void http_wire_write_string(HttpWireWriter *writer, const char *text, size_t max)
{
    http_wire_write_bytes(writer, text, text ? strlen(text) + 1 : 0, max + 1);
}

static HttpWireWriter http_wire_begin(Buffer *output, HttpWireType type, uint64_t id)
{
    HttpWireWriter writer = {output, buffer_size(output), 0};

    http_wire_write_number(&writer, 4, 0);
    http_wire_write_number(&writer, 1, type);
    http_wire_write_number(&writer, 8, id);
    return writer;
}

/* `more` bytes of the frame come from elsewhere. */
static int http_wire_end(HttpWireWriter *writer, size_t more)
{
    size_t size = buffer_size(writer->output) - writer->begin;

    if (writer->r != 0)
        buffer_truncate(writer->output, writer->begin);
    else
        http_wire_set_bytes(buffer_data(writer->output) + writer->begin, 4, size - 4 + more);
    return writer->r;
}

int http_wire_put_number(Buffer *output, HttpWireType type, uint32_t number)
{
    HttpWireWriter writer = http_wire_begin(output, type, 0);

    http_wire_write_number(&writer, 4, number);
    return http_wire_end(&writer, 0);
}

int http_wire_put_cancel(Buffer *output, uint64_t id)
{
    HttpWireWriter writer = http_wire_begin(output, HTTP_WIRE_CANCEL, id);

    return http_wire_end(&writer, 0);
}

int http_wire_put_piece(Buffer *output, uint64_t id, const char *data, size_t size)
{
    HttpWireWriter writer = http_wire_begin(output, HTTP_WIRE_PIECE, id);

    http_wire_write_bytes(&writer, data ? data : "", size, HTTP_PIECE_BYTES_MAX);
    return http_wire_end(&writer, 0);
}

int http_wire_put_request(Buffer *output, uint64_t id, const HttpRequest *request)
{
    HttpWireWriter writer = http_wire_begin(output, HTTP_WIRE_REQUEST, id);
    size_t body_size = secret_size(request->body);

    http_wire_write_number(&writer, 8, request->timeout);
    if (request->timeout > HTTP_TIMEOUT_MAX_USEC && writer.r == 0)
        writer.r = BUFFER_E_FULL;
    http_wire_write_string(&writer, request->method, HTTP_METHOD_BYTES_MAX);
    http_wire_write_string(&writer, request->url, HTTP_URL_BYTES_MAX);
    http_wire_write_string(&writer, request->ca_file, HTTP_CA_FILE_BYTES_MAX);
    http_wire_write_bytes(&writer, secret_reveal(request->authorization),
                          secret_size(request->authorization), HTTP_AUTHORIZATION_BYTES_MAX);
    http_wire_write_size(&writer, request->body, body_size, HTTP_REQUEST_BODY_BYTES_MAX);
    return http_wire_end(&writer, body_size);
}

int http_wire_put_end(Buffer *output, uint64_t id, const HttpAnswer *answer)
{
    HttpWireWriter writer = http_wire_begin(output, HTTP_WIRE_END, id);
    const char *page = answer->next_page, *problem = answer->problem;
    size_t page_size = page ? strlen(page) : 0, problem_size = problem ? strlen(problem) : 0;

    if (problem_size > HTTP_PROBLEM_BYTES_MAX)
        problem_size = HTTP_PROBLEM_BYTES_MAX;
    problem_size = http_wire_clean_prefix(problem ? problem : "", problem_size);
    if (http_wire_clean_prefix(page ? page : "", page_size) != page_size && writer.r == 0)
        writer.r = BUFFER_E_FULL;
    http_wire_write_number(&writer, 2, (uint64_t)answer->status);
    http_wire_write_number(&writer, 1,
                           (answer->is_complete ? HTTP_WIRE_IS_COMPLETE : 0) |
                               (answer->is_sent ? HTTP_WIRE_IS_SENT : 0) |
                               (uint64_t)answer->failure << HTTP_WIRE_FAILURE);
    http_wire_write_number(&writer, 8, answer->retry_after);
    http_wire_write_bytes(&writer, page, page_size, HTTP_NEXT_PAGE_BYTES_MAX);
    http_wire_write_bytes(&writer, problem, problem_size, HTTP_PROBLEM_BYTES_MAX);
    return http_wire_end(&writer, 0);
}
