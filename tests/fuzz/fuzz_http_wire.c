/*
 * What elementd and elementd-http say to each other. The first byte says to which end, the rest is what comes there. Each
 * frame that is taken is within the ceilings, and is the one that writing what it says would give.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "fetch/http_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_put_request(Buffer *output, const HttpWireFrame *frame)
{
    _cleanup_(secret_unrefp) Secret *authorization = NULL, *body = NULL;
    HttpRequest request = {
        .method = frame->method.data,
        .url = frame->url.data,
        .ca_file = frame->ca_file.data,
        .timeout = frame->timeout,
    };
    int r;

    assert(strlen(frame->method.data) == frame->method.size &&
           frame->method.size <= HTTP_METHOD_BYTES_MAX);
    assert(strlen(frame->url.data) == frame->url.size && frame->url.size <= HTTP_URL_BYTES_MAX);
    assert(secret_new(frame->authorization.data, frame->authorization.size, &authorization) == 0);
    if (frame->body.data)
        assert(secret_new(frame->body.data, frame->body.size, &body) == 0);
    request.authorization = authorization;
    request.body = body;
    r = http_wire_put_request(output, frame->id, &request);
    return r == 0 ? buffer_append(output, secret_reveal(body), secret_size(body)) : r;
}

static char *fuzz_copy(HttpWireBytes bytes)
{
    if (bytes.data)
        assert(utf8_is_valid(bytes.data, bytes.size) && !memchr(bytes.data, '\0', bytes.size));
    return bytes.data ? strndup(bytes.data, bytes.size) : NULL;
}

static int fuzz_put_end(Buffer *output, const HttpWireFrame *frame)
{
    _cleanup_(freep) char *next_page = fuzz_copy(frame->next_page);
    _cleanup_(freep) char *problem = fuzz_copy(frame->problem);
    const HttpAnswer answer = {
        .status = frame->status,
        .is_complete = frame->is_complete,
        .is_sent = frame->is_sent,
        .retry_after = frame->retry_after,
        .next_page = next_page,
        .problem = problem,
    };

    assert(frame->retry_after <= RETRY_AFTER_MAX_USEC && frame->status < 1000);
    return http_wire_put_end(output, frame->id, &answer);
}

static int fuzz_put(Buffer *output, const HttpWireFrame *frame)
{
    switch (frame->type) {
    case HTTP_WIRE_REQUEST:
        return fuzz_put_request(output, frame);
    case HTTP_WIRE_CANCEL:
        return http_wire_put_cancel(output, frame->id);
    case HTTP_WIRE_CONNECTIONS:
    case HTTP_WIRE_HELLO:
        return http_wire_put_number(output, frame->type, frame->number);
    case HTTP_WIRE_PIECE:
        return http_wire_put_piece(output, frame->id, frame->body.data, frame->body.size);
    case HTTP_WIRE_END:
        return fuzz_put_end(output, frame);
    }
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(buffer_deinit) Buffer input = BUFFER_INIT(size + 1);
    HttpWireFrame frame;
    HttpWireEnd end;
    size_t taken;

    if (size == 0)
        return 0;
    end = data[0] & 1 ? HTTP_WIRE_NEAR : HTTP_WIRE_FAR;
    assert(buffer_append(&input, data + 1, size - 1) == 0);
    while (http_wire_parse(&input, end, &frame, &taken) == 0) {
        _cleanup_(buffer_deinit) Buffer output = BUFFER_INIT(taken);

        assert(taken <= buffer_size(&input));
        assert(fuzz_put(&output, &frame) == 0 && buffer_size(&output) == taken);
        assert(memcmp(buffer_data(&output), buffer_data(&input), taken) == 0);
        buffer_consume(&input, taken);
    }
    return 0;
}
