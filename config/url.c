#include "config/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

#define URL_DIGITS     "0123456789"
#define URL_LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define URL_HOST_CHARS URL_LETTERS URL_DIGITS "-._"
#define URL_PATH_CHARS URL_LETTERS URL_DIGITS "-._~/!$&'()*+,;=:@%"

/* Longer than any name that the DNS has, or any IPv6 address. */
#define URL_HOST_SIZE 256

typedef struct UrlScheme {
    const char *prefix;
    bool is_loopback_only;
} UrlScheme;

static const UrlScheme url_schemes[] = {
    {"https://", false},
    {"http://", true},
};

static const UrlScheme *url_find_scheme(const char *text)
{
    for (size_t i = 0; i < N_ELEMENTS(url_schemes); i++)
        if (strncasecmp(text, url_schemes[i].prefix, strlen(url_schemes[i].prefix)) == 0)
            return &url_schemes[i];
    return NULL;
}

/* A name or an IPv4 address: labels of letters, digits, "-" and "_", none of them empty. */
static bool url_host_is_valid(const char *host)
{
    size_t size = strlen(host);

    return size > 0 && strspn(host, URL_HOST_CHARS) == size && host[0] != '.' &&
           host[size - 1] != '.' && !strstr(host, "..");
}

/* "127.1" and "0x7f.0.0.1" are understood by some readers and not by others: not loopback here. */
static bool url_host_is_loopback(const char *host)
{
    struct in_addr address;

    if (inet_pton(AF_INET, host, &address) == 1)
        return (ntohl(address.s_addr) >> 24) == 127;
    return strcasecmp(host, "localhost") == 0;
}

static bool url_address_is_loopback(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address);
}

/* ":PORT" or nothing. */
static bool url_port_is_valid(const char *text, size_t size)
{
    unsigned port = 0;

    if (size == 0)
        return true;
    if (text[0] != ':' || size < 2 || size > 6)
        return false;
    for (size_t i = 1; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = 10 * port + (unsigned)(text[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

/* What is wrong with "HOST[:PORT]", or NULL. */
static const char *url_check_authority(const char *text, size_t size, bool is_loopback_only)
{
    bool is_address = size > 0 && text[0] == '[';
    const char *end = memchr(text, is_address ? ']' : ':', size);
    size_t host_size = end ? (size_t)(end - text) - is_address : size;
    char host[URL_HOST_SIZE];
    struct in6_addr address;
    bool is_loopback;

    if (memchr(text, '@', size))
        return "must not hold a user name or password";
    if (host_size >= sizeof(host) || (is_address && !end))
        return "has no valid host";
    memcpy(host, text + is_address, host_size);
    host[host_size] = '\0';
    if (is_address ? inet_pton(AF_INET6, host, &address) != 1 : !url_host_is_valid(host))
        return "has no valid host";
    if (end && !url_port_is_valid(end + is_address, size - (size_t)(end + is_address - text)))
        return "has no valid port";
    is_loopback = is_address ? url_address_is_loopback(&address) : url_host_is_loopback(host);
    if (is_loopback_only && !is_loopback)
        return "must begin with https://, since secrets are sent to it (http:// only to localhost, "
               "127.0.0.0/8 and [::1])";
    return NULL;
}

/* What is wrong with the URL whose scheme is known, or NULL. */
static const char *url_check(const char *text, const UrlScheme *scheme)
{
    const char *authority = text + strlen(scheme->prefix);
    size_t size = strcspn(authority, "/?#");
    const char *path = authority + size;

    if (strchr(path, '?') || strchr(path, '#'))
        return "must not hold a query or fragment (\"?\" or \"#\")";
    if (strspn(path, URL_PATH_CHARS) != strlen(path))
        return "has a character in its path that must be written with %";
    return url_check_authority(authority, size, scheme->is_loopback_only);
}

int url_parse(const char *text, char **ret_url, const char **ret_reason)
{
    const UrlScheme *scheme;
    const char *reason;
    size_t size = strlen(text);
    char *url;

    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] >= 0x7F) {
            *ret_reason = "must not hold spaces, control characters or other than ASCII characters";
            return -EINVAL;
        }
    scheme = url_find_scheme(text);
    reason = scheme ? url_check(text, scheme) : "must begin with https://";
    if (reason) {
        *ret_reason = reason;
        return -EINVAL;
    }
    while (text[size - 1] == '/')
        size--;
    url = strndup(text, size);
    if (!url)
        return -ENOMEM;
    memcpy(url, scheme->prefix, strlen(scheme->prefix));
    *ret_url = url;
    return 0;
}
