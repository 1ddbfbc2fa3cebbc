#include "tests/sandbox/http_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/sandbox/http_conn.h"

int http_request_new(HttpRequest **ret_request)
{
    HttpRequest *request = calloc(1, sizeof(*request));

    if (!request)
        return -ENOMEM;
    buffer_init(&request->body, HTTP_REQUEST_BODY_MAX);
    *ret_request = request;
    return 0;
}

HttpRequest *http_request_free(HttpRequest *request)
{
    if (!request)
        return NULL;
    if (request->conn)
        http_conn_forget(request->conn);
    free(request->method);
    free(request->target);
    free(request->path);
    free(request->query);
    for (size_t i = 0; i < request->n_headers; i++) {
        free(request->headers[i].name);
        free(request->headers[i].value);
    }
    free(request->headers);
    buffer_deinit(&request->body);
    free(request);
    return NULL;
}

/* Some clients send the whole URL, as they would to a proxy. */
static const char *http_request_skip_origin(const char *target)
{
    const char *slash;

    if (strncmp(target, "http://", 7) != 0 && strncmp(target, "https://", 8) != 0)
        return target;
    slash = strchr(strstr(target, "://") + 3, '/');
    return slash ? slash : "/";
}

int http_request_parse_line(HttpRequest *request, const char *line)
{
    size_t method_size = strcspn(line, " ");
    const char *target = line + method_size + 1;
    const char *path;
    size_t target_size, path_size;

    if (method_size == 0 || line[method_size] != ' ')
        return HTTP_REQUEST_E_MALFORMED;
    target_size = strcspn(target, " ");
    if (target_size == 0 || strncmp(target + target_size, " HTTP/1.", 8) != 0)
        return HTTP_REQUEST_E_MALFORMED;
    request->is_keep_alive = strcmp(target + target_size, " HTTP/1.1") == 0;
    request->method = strndup(line, method_size);
    request->target = strndup(target, target_size);
    if (!request->method || !request->target)
        return -ENOMEM;
    path = http_request_skip_origin(request->target);
    path_size = strcspn(path, "?#");
    request->path = strndup(path, path_size);
    request->query = strdup(path[path_size] == '?' ? path + path_size + 1 : "");
    return request->path && request->query ? 0 : -ENOMEM;
}

int http_request_parse_header(HttpRequest *request, const char *line)
{
    size_t name_size = strcspn(line, ": \t");
    const char *value = line + name_size + 1;
    HttpHeader *headers, *header;
    size_t value_size;

    if (name_size == 0 || line[name_size] != ':')
        return HTTP_REQUEST_E_MALFORMED;
    if (request->n_headers == HTTP_REQUEST_HEADERS_MAX)
        return HTTP_REQUEST_E_TOO_MANY;
    headers = reallocarray(request->headers, request->n_headers + 1, sizeof(*headers));
    if (!headers)
        return -ENOMEM;
    request->headers = headers;
    header = &headers[request->n_headers];
    value += strspn(value, " \t");
    value_size = strlen(value);
    while (value_size > 0 && strchr(" \t", value[value_size - 1]))
        value_size--;
    header->name = strndup(line, name_size);
    header->value = strndup(value, value_size);
    request->n_headers++; /* before the check, so that the half of it is freed too */
    return header->name && header->value ? 0 : -ENOMEM;
}

const char *http_request_find_header(const HttpRequest *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

bool http_request_has_word(const HttpRequest *request, const char *name, const char *word)
{
    const char *value = http_request_find_header(request, name);
    size_t size = strlen(word);

    while (value && *value) {
        value += strspn(value, " \t,");
        if (strncasecmp(value, word, size) == 0 && strcspn(value, " \t,;") == size)
            return true;
        value += strcspn(value, ",");
    }
    return false;
}
