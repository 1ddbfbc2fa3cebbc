/*
 * The frames between elementd and elementd-http: each as it is, cut everywhere, and each field at its ceiling and one past
 * it, whoever wrote it.
 */

#include "fetch/http_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/declared.h"

#define ROOM (2 * HTTP_WIRE_TO_FAR_BYTES_MAX)

static char *text_of(size_t size)
{
    char *text = malloc(size + 1);

    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static Secret *secret_of(size_t size)
{
    _cleanup_(freep) char *text = text_of(size);
    Secret *secret;

    assert_int_equal(secret_new(text, size, &secret), 0);
    return secret;
}

/* A whole frame of each type; the caller's. */
static Buffer frame_of(HttpWireType type)
{
    _cleanup_(secret_unrefp) Secret *authorization = declared_secret("User u");
    _cleanup_(secret_unrefp) Secret *body = declared_secret("{\"a\":1}");
    const HttpRequest request = {
        .method = "POST",
        .url = "https://a/b",
        .authorization = authorization,
        .body = body,
        .ca_file = "/etc/ca.pem",
        .timeout = 5 * USEC_PER_SEC,
    };
    const HttpAnswer answer = {
        .status = 503,
        .is_sent = true,
        .failure = HTTP_FAILURE_CERTIFICATE_TIME,
        .retry_after = 7,
        .next_page = (char *)"p",
        .problem = (char *)"no",
    };
    Buffer frame = BUFFER_INIT(ROOM);

    switch (type) {
    case HTTP_WIRE_REQUEST:
        assert_int_equal(http_wire_put_request(&frame, 42, &request), 0);
        assert_int_equal(buffer_append_string(&frame, secret_reveal(body)), 0);
        break;
    case HTTP_WIRE_CANCEL:
        assert_int_equal(http_wire_put_cancel(&frame, 42), 0);
        break;
    case HTTP_WIRE_CONNECTIONS:
    case HTTP_WIRE_HELLO:
        assert_int_equal(http_wire_put_number(&frame, type, 17), 0);
        break;
    case HTTP_WIRE_PIECE:
        assert_int_equal(http_wire_put_piece(&frame, 42, "bytes", 5), 0);
        break;
    case HTTP_WIRE_END:
        assert_int_equal(http_wire_put_end(&frame, 42, &answer), 0);
        break;
    }
    return frame;
}

static const HttpWireType types[] = {
    HTTP_WIRE_REQUEST, HTTP_WIRE_CANCEL, HTTP_WIRE_CONNECTIONS,
    HTTP_WIRE_HELLO,   HTTP_WIRE_PIECE,  HTTP_WIRE_END,
};

static HttpWireEnd end_of(HttpWireType type)
{
    return type < HTTP_WIRE_HELLO ? HTTP_WIRE_FAR : HTTP_WIRE_NEAR;
}

static int parse(const Buffer *frame, HttpWireEnd end)
{
    HttpWireFrame parsed;
    size_t size;

    return http_wire_parse(frame, end, &parsed, &size);
}

static void test_frames(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(types); i++) {
        _cleanup_(buffer_deinit) Buffer frame = frame_of(types[i]);
        size_t whole = buffer_size(&frame), size;
        HttpWireFrame f;

        assert_int_equal(buffer_append(&frame, "more", 4), 0); /* of the next one */
        assert_int_equal(http_wire_parse(&frame, end_of(types[i]), &f, &size), 0);
        assert_int_equal(size, whole);
        assert_int_equal(f.type, types[i]);
        switch (types[i]) {
        case HTTP_WIRE_REQUEST:
            assert_int_equal(f.id, 42);
            assert_string_equal(f.method.data, "POST");
            assert_string_equal(f.url.data, "https://a/b");
            assert_string_equal(f.ca_file.data, "/etc/ca.pem");
            assert_int_equal(f.authorization.size, 6);
            assert_memory_equal(f.authorization.data, "User u", 6);
            assert_int_equal(f.body.size, 7);
            assert_memory_equal(f.body.data, "{\"a\":1}", 7);
            assert_int_equal(f.timeout, 5 * USEC_PER_SEC);
            break;
        case HTTP_WIRE_CANCEL:
            assert_int_equal(f.id, 42);
            break;
        case HTTP_WIRE_CONNECTIONS:
        case HTTP_WIRE_HELLO:
            assert_int_equal(f.number, 17);
            break;
        case HTTP_WIRE_PIECE:
            assert_int_equal(f.body.size, 5);
            assert_memory_equal(f.body.data, "bytes", 5);
            break;
        case HTTP_WIRE_END:
            assert_int_equal(f.status, 503);
            assert_true(f.is_sent);
            assert_false(f.is_complete);
            assert_int_equal(f.failure, HTTP_FAILURE_CERTIFICATE_TIME);
            assert_int_equal(f.retry_after, 7);
            assert_memory_equal(f.next_page.data, "p", f.next_page.size);
            assert_memory_equal(f.problem.data, "no", f.problem.size);
            break;
        }
    }
}

/* What is not there is told apart from what is empty. */
static void test_absent(void **state)
{
    _cleanup_(secret_unrefp) Secret *nothing = secret_of(0);
    HttpRequest request = {.method = "GET", .url = "http://a", .authorization = nothing};
    _cleanup_(buffer_deinit) Buffer frame = BUFFER_INIT(ROOM);
    const HttpAnswer answer = {.status = 200, .is_complete = true};
    HttpWireFrame f;
    size_t size;

    (void)state;
    for (int has_body = 0; has_body < 2; has_body++) {
        request.body = has_body ? nothing : NULL;
        buffer_clear(&frame);
        assert_int_equal(http_wire_put_request(&frame, 1, &request), 0);
        assert_int_equal(http_wire_parse(&frame, HTTP_WIRE_FAR, &f, &size), 0);
        assert_int_equal(!f.body.data, !has_body);
        assert_null(f.ca_file.data);
        assert_non_null(f.authorization.data);
    }
    buffer_clear(&frame);
    assert_int_equal(http_wire_put_end(&frame, 1, &answer), 0);
    assert_int_equal(http_wire_parse(&frame, HTTP_WIRE_NEAR, &f, &size), 0);
    assert_null(f.next_page.data);
    assert_null(f.problem.data);
}

static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(types); i++) {
        _cleanup_(buffer_deinit) Buffer frame = frame_of(types[i]);
        size_t whole = buffer_size(&frame);

        for (size_t size = 0; size < whole; size++) {
            _cleanup_(buffer_deinit) Buffer part = BUFFER_INIT(ROOM);
            char length[4] = {(char)(size - 4), 0, 0, 0};

            assert_int_equal(buffer_append(&part, buffer_data(&frame), size), 0);
            assert_int_equal(parse(&part, end_of(types[i])), HTTP_WIRE_E_MORE);
            /* The same, but as if it were all. */
            if (size < 4)
                continue;
            memcpy(buffer_data(&part), length, sizeof(length));
            assert_int_equal(parse(&part, end_of(types[i])), HTTP_WIRE_E_BROKEN);
        }
        /* And a byte that belongs to nothing. */
        assert_int_equal(buffer_append(&frame, "x", 1), 0);
        buffer_data(&frame)[0]++;
        assert_int_equal(parse(&frame, end_of(types[i])), HTTP_WIRE_E_BROKEN);
    }
}

static void test_for_whom(void **state)
{
    (void)state;
    for (int type = 0; type < 256; type++)
        for (int end = HTTP_WIRE_FAR; end <= (int)HTTP_WIRE_NEAR; end++) {
            _cleanup_(buffer_deinit) Buffer frame = frame_of(HTTP_WIRE_CANCEL);
            int expected = HTTP_WIRE_E_BROKEN;

            buffer_data(&frame)[4] = (char)type;
            if (type == HTTP_WIRE_CANCEL && end == HTTP_WIRE_FAR)
                expected = 0;
            assert_int_equal(parse(&frame, (HttpWireEnd)end), expected);
        }
    for (size_t i = 0; i < N_ELEMENTS(types); i++) {
        _cleanup_(buffer_deinit) Buffer frame = frame_of(types[i]);
        bool has_id = types[i] != HTTP_WIRE_HELLO && types[i] != HTTP_WIRE_CONNECTIONS;

        assert_int_equal(parse(&frame, end_of(types[i])), 0);
        assert_int_equal(
            parse(&frame, end_of(types[i]) == HTTP_WIRE_FAR ? HTTP_WIRE_NEAR : HTTP_WIRE_FAR),
            HTTP_WIRE_E_BROKEN);
        buffer_data(&frame)[5] = has_id ? 0 : 1; /* 0 is nobody's id, and only nobody has it */
        assert_int_equal(parse(&frame, end_of(types[i])), HTTP_WIRE_E_BROKEN);
    }
}

/* Refused when it is announced, so that nothing is kept for it. */
static void test_announced_size(void **state)
{
    static const size_t max[] = {[HTTP_WIRE_FAR] = HTTP_WIRE_TO_FAR_BYTES_MAX,
                                 [HTTP_WIRE_NEAR] = HTTP_WIRE_TO_NEAR_BYTES_MAX};

    (void)state;
    for (int end = HTTP_WIRE_FAR; end <= (int)HTTP_WIRE_NEAR; end++)
        for (size_t n_over = 0; n_over < 2; n_over++) {
            _cleanup_(buffer_deinit) Buffer frame = BUFFER_INIT(ROOM);
            uint32_t size = (uint32_t)(max[end] - 4 + n_over);
            unsigned char bytes[4] = {size & 0xff, size >> 8 & 0xff, size >> 16 & 0xff, size >> 24};

            assert_int_equal(buffer_append(&frame, bytes, 4), 0);
            assert_int_equal(parse(&frame, (HttpWireEnd)end),
                             n_over == 0 ? HTTP_WIRE_E_MORE : HTTP_WIRE_E_BROKEN);
        }
}

/* ---- ceilings ---- */

typedef struct Sizes {
    size_t method, url, ca_file, authorization, body;
    usec_t timeout;
} Sizes;

static int put_sized(Buffer *frame, const Sizes *sizes)
{
    _cleanup_(freep) char *method = text_of(sizes->method);
    _cleanup_(freep) char *url = text_of(sizes->url);
    _cleanup_(freep) char *ca_file = text_of(sizes->ca_file);
    _cleanup_(secret_unrefp) Secret *authorization = secret_of(sizes->authorization);
    _cleanup_(secret_unrefp) Secret *body = secret_of(sizes->body);
    const HttpRequest request = {
        .method = method,
        .url = url,
        .ca_file = ca_file,
        .authorization = authorization,
        .body = body,
        .timeout = sizes->timeout,
    };
    int r = http_wire_put_request(frame, 1, &request);

    if (r == 0)
        assert_int_equal(buffer_append(frame, secret_reveal(body), secret_size(body)), 0);
    return r;
}

static void test_request_ceilings(void **state)
{
    static const Sizes most = {
        HTTP_METHOD_BYTES_MAX,        HTTP_URL_BYTES_MAX,          HTTP_CA_FILE_BYTES_MAX,
        HTTP_AUTHORIZATION_BYTES_MAX, HTTP_REQUEST_BODY_BYTES_MAX, HTTP_TIMEOUT_MAX_USEC,
    };
    _cleanup_(buffer_deinit) Buffer frame = BUFFER_INIT(ROOM);
    Sizes over[] = {most, most, most, most, most, most};

    (void)state;
    assert_int_equal(put_sized(&frame, &most), 0);
    assert_in_range(buffer_size(&frame), 0, HTTP_WIRE_TO_FAR_BYTES_MAX);
    assert_int_equal(parse(&frame, HTTP_WIRE_FAR), 0);
    buffer_clear(&frame);
    over[0].method++;
    over[1].url++;
    over[2].ca_file++;
    over[3].authorization++;
    over[4].body++;
    over[5].timeout++;
    for (size_t i = 0; i < N_ELEMENTS(over); i++) {
        assert_int_equal(put_sized(&frame, &over[i]), BUFFER_E_FULL);
        assert_int_equal(buffer_size(&frame), 0);
    }
}

static void test_answer_ceilings(void **state)
{
    _cleanup_(freep) char *piece = text_of(HTTP_PIECE_BYTES_MAX + 1);
    _cleanup_(freep) char *page = text_of(HTTP_NEXT_PAGE_BYTES_MAX);
    _cleanup_(freep) char *long_page = text_of(HTTP_NEXT_PAGE_BYTES_MAX + 1);
    _cleanup_(freep) char *problem = text_of(HTTP_PROBLEM_BYTES_MAX + 1);
    _cleanup_(buffer_deinit) Buffer frame = BUFFER_INIT(ROOM);
    HttpAnswer answer = {.status = 999, .retry_after = RETRY_AFTER_MAX_USEC, .next_page = page};
    HttpWireFrame f;
    size_t size;

    (void)state;
    assert_int_equal(http_wire_put_piece(&frame, 1, piece, HTTP_PIECE_BYTES_MAX + 1),
                     BUFFER_E_FULL);
    assert_int_equal(buffer_size(&frame), 0);
    assert_int_equal(http_wire_put_piece(&frame, 1, piece, HTTP_PIECE_BYTES_MAX), 0);
    assert_int_equal(parse(&frame, HTTP_WIRE_NEAR), 0);
    buffer_clear(&frame);
    answer.problem = problem;
    assert_int_equal(http_wire_put_end(&frame, 1, &answer), 0);
    assert_in_range(buffer_size(&frame), 0, HTTP_WIRE_TO_NEAR_BYTES_MAX);
    assert_int_equal(http_wire_parse(&frame, HTTP_WIRE_NEAR, &f, &size), 0);
    assert_int_equal(f.next_page.size, HTTP_NEXT_PAGE_BYTES_MAX);
    assert_int_equal(f.problem.size, HTTP_PROBLEM_BYTES_MAX); /* cut: it is for people */
    buffer_clear(&frame);
    answer.next_page = long_page;
    assert_int_equal(http_wire_put_end(&frame, 1, &answer), BUFFER_E_FULL);
    assert_int_equal(buffer_size(&frame), 0);
}

/* Where the fields of an end stand. */
#define AT_STATUS      13
#define AT_FLAGS       15
#define AT_RETRY_AFTER 16
#define AT_PAGE        28
#define AT_PROBLEM     33

static void test_end_values(void **state)
{
    static const struct {
        size_t at;
        size_t size;
        uint64_t value;
        int expected;
    } rows[] = {
        {AT_STATUS, 2, 999, 0},
        {AT_STATUS, 2, 1000, HTTP_WIRE_E_BROKEN},
        {AT_FLAGS, 1, 0, 0},
        {AT_FLAGS, 1, 2 << 2, 0},
        {AT_FLAGS, 1, 3 << 2, HTTP_WIRE_E_BROKEN}, /* no such failure */
        {AT_FLAGS, 1, 3, HTTP_WIRE_E_BROKEN},      /* complete, and with a problem */
        {AT_RETRY_AFTER, 8, RETRY_AFTER_MAX_USEC, 0},
        {AT_RETRY_AFTER, 8, RETRY_AFTER_MAX_USEC + 1, HTTP_WIRE_E_BROKEN},
        {AT_PAGE, 1, '\0', HTTP_WIRE_E_BROKEN},
        {AT_PAGE, 1, '\n', HTTP_WIRE_E_BROKEN},
        {AT_PAGE, 1, 0xff, HTTP_WIRE_E_BROKEN},
        {AT_PAGE, 1, 'q', 0},
        {AT_PROBLEM, 1, '\0', HTTP_WIRE_E_BROKEN},
        {AT_PROBLEM, 1, 0x1b, HTTP_WIRE_E_BROKEN},
        {AT_PROBLEM, 1, 0xc3, HTTP_WIRE_E_BROKEN},
        {AT_PROBLEM, 2, 0xa9c3, 0}, /* é */
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(buffer_deinit) Buffer frame = frame_of(HTTP_WIRE_END);

        for (size_t j = 0; j < rows[i].size; j++)
            buffer_data(&frame)[rows[i].at + j] = (char)(rows[i].value >> 8 * j & 0xff);
        if (parse(&frame, HTTP_WIRE_NEAR) != rows[i].expected)
            fail_msg("row %zu", i);
    }
}

/* A problem goes as far as it is clean; a page that is not does not go at all. */
static void test_unclean(void **state)
{
    HttpAnswer answer = {.problem = (char *)"a\xc3\xa9 b\x1b[2J"};
    _cleanup_(buffer_deinit) Buffer frame = BUFFER_INIT(ROOM);
    HttpWireFrame f;
    size_t size;

    (void)state;
    assert_int_equal(http_wire_put_end(&frame, 1, &answer), 0);
    assert_int_equal(http_wire_parse(&frame, HTTP_WIRE_NEAR, &f, &size), 0);
    assert_int_equal(f.problem.size, 5);
    answer.next_page = (char *)"a\x1b";
    assert_int_equal(http_wire_put_end(&frame, 1, &answer), BUFFER_E_FULL);
    assert_int_equal(buffer_size(&frame), size);
}

/* Texts of a request are texts: no NUL within, one at the end. */
static void test_request_texts(void **state)
{
    /* Method, url and CA file: their sizes are in the 4 bytes before. */
    static const size_t ends[] = {13 + 8 + 4 + 5 - 1, 13 + 8 + 4 + 5 + 4 + 12 - 1,
                                  13 + 8 + 4 + 5 + 4 + 12 + 4 + 12 - 1};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
        _cleanup_(buffer_deinit) Buffer frame = frame_of(HTTP_WIRE_REQUEST);

        assert_int_equal(buffer_data(&frame)[ends[i]], '\0');
        buffer_data(&frame)[ends[i]] = 'x';
        assert_int_equal(parse(&frame, HTTP_WIRE_FAR), HTTP_WIRE_E_BROKEN);
        buffer_data(&frame)[ends[i]] = '\0';
        buffer_data(&frame)[ends[i] - 1] = '\0';
        assert_int_equal(parse(&frame, HTTP_WIRE_FAR), HTTP_WIRE_E_BROKEN);
    }
}

/* No room: nothing of it is left behind. */
static void test_full(void **state)
{
    (void)state;
    for (size_t max = 0; max < HTTP_WIRE_PREFIX_BYTES; max++) {
        _cleanup_(buffer_deinit) Buffer frame = BUFFER_INIT(max);

        assert_int_equal(http_wire_put_cancel(&frame, 1), BUFFER_E_FULL);
        assert_int_equal(buffer_size(&frame), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_for_whom),
        cmocka_unit_test(test_announced_size),
        cmocka_unit_test(test_request_ceilings),
        cmocka_unit_test(test_answer_ceilings),
        cmocka_unit_test(test_end_values),
        cmocka_unit_test(test_unclean),
        cmocka_unit_test(test_request_texts),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
