#include "tests/sandbox/http_answer.h"

#include <string.h>
#include <time.h>

#include "base/cleanup.h"

typedef struct HttpReason {
    unsigned status;
    const char *reason;
} HttpReason;

static const HttpReason http_reasons[] = {
    {200, "OK"},
    {202, "Accepted"},
    {302, "Found"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Payload Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Entity"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *http_answer_reason(unsigned status)
{
    for (size_t i = 0; i < N_ELEMENTS(http_reasons); i++)
        if (http_reasons[i].status == status)
            return http_reasons[i].reason;
    return "Status";
}

void http_answer_deinit(HttpAnswer *answer)
{
    buffer_deinit(&answer->headers);
    buffer_deinit(&answer->body);
    *answer = HTTP_ANSWER_INIT;
}

int http_answer_add_header(HttpAnswer *answer, const char *name, const char *value)
{
    int r;

    r = buffer_printf(&answer->headers, "%.*s: %.*s\r\n", (int)strcspn(name, "\r\n"), name,
                      (int)strcspn(value, "\r\n"), value);
    return r;
}

int http_answer_format_head(const HttpAnswer *answer, Buffer *head)
{
    uint64_t size = buffer_size(&answer->body) + answer->filler;
    time_t now = time(NULL);
    char date[64] = "";
    struct tm tm;
    int r;

    if (gmtime_r(&now, &tm))
        (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    r = buffer_printf(head, "HTTP/1.1 %u %s\r\nDate: %s\r\n", answer->status,
                      http_answer_reason(answer->status), date);
    if (r == 0 && (size > 0 || answer->content_type))
        r = buffer_printf(head, "Content-Type: %s\r\n",
                          answer->content_type ? answer->content_type
                                               : "application/json;charset=UTF-8");
    if (r == 0 && answer->is_chunked)
        r = buffer_append_string(head, "Transfer-Encoding: chunked\r\n");
    else if (r == 0)
        r = buffer_printf(head, "Content-Length: %llu\r\n", (unsigned long long)size);
    if (r == 0 && answer->is_closing)
        r = buffer_append_string(head, "Connection: close\r\n");
    if (r == 0)
        r = buffer_append(head, buffer_data(&answer->headers), buffer_size(&answer->headers));
    return r == 0 ? buffer_append_string(head, "\r\n") : r;
}
