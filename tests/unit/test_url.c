#include "config/url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static void test_accepted(void **state)
{
    static const char *const rows[][2] = {
        {"https://api.cloud-elements.com/elements/api-v2",
         "https://api.cloud-elements.com/elements/api-v2"},
        {"https://api.cloud-elements.com/elements/api-v2/",
         "https://api.cloud-elements.com/elements/api-v2"},
        {"https://a///", "https://a"},
        {"HTTPS://A.example/X", "https://A.example/X"},
        {"https://a:443", "https://a:443"},
        {"https://a:1/", "https://a:1"},
        {"https://a:65535/", "https://a:65535"},
        {"https://192.0.2.1/x", "https://192.0.2.1/x"},
        {"https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x"},
        {"https://a/b%20c/@d:e", "https://a/b%20c/@d:e"},
        {"http://localhost", "http://localhost"},
        {"http://LocalHost:8080/", "http://LocalHost:8080"},
        {"HTTP://127.0.0.1:8080/elements/api-v2", "http://127.0.0.1:8080/elements/api-v2"},
        {"http://127.255.255.254/", "http://127.255.255.254"},
        {"http://[::1]/", "http://[::1]"},
        {"http://[::1]:9/", "http://[::1]:9"},
        {"http://[0:0:0:0:0:0:0:1]:9/", "http://[0:0:0:0:0:0:0:1]:9"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(freep) char *url = NULL;
        const char *reason = NULL;

        assert_int_equal(url_parse(rows[i][0], &url, &reason), 0);
        assert_string_equal(url, rows[i][1]);
        assert_null(reason);
    }
}

#define NOT_HTTPS                                                                                  \
    "must begin with https://, since secrets are sent to it (http:// only to localhost, "          \
    "127.0.0.0/8 and [::1])"
#define NO_SCHEME "must begin with https://"
#define NO_HOST   "has no valid host"
#define NO_PORT   "has no valid port"
#define HAS_USER  "must not hold a user name or password"
#define HAS_QUERY "must not hold a query or fragment (\"?\" or \"#\")"
#define BAD_CHAR  "must not hold spaces, control characters or other than ASCII characters"
#define BAD_PATH  "has a character in its path that must be written with %"

/* Each with what is said of it. */
static const char *const refused[][2] = {
    {"", NO_SCHEME},
    {"api.cloud-elements.com", NO_SCHEME},
    {"https:/a", NO_SCHEME},
    {"https:a", NO_SCHEME},
    {"//a", NO_SCHEME},
    {"ftp://localhost", NO_SCHEME},
    {"file:///etc/passwd", NO_SCHEME},
    {"httpss://a", NO_SCHEME},
    {"xhttp://localhost", NO_SCHEME},

    {"http://a.example", NOT_HTTPS},
    {"HTTP://a.example", NOT_HTTPS},
    {"http://127.0.0.1.evil.com", NOT_HTTPS},
    {"http://localhost.evil.com", NOT_HTTPS},
    {"http://evil.localhost", NOT_HTTPS},
    {"http://127.0.0.1x", NOT_HTTPS},
    {"http://127.1", NOT_HTTPS},
    {"http://0x7f.0.0.1", NOT_HTTPS},
    {"http://2130706433", NOT_HTTPS},
    {"http://0177.0.0.1", NOT_HTTPS},
    {"http://127.0.0.01", NOT_HTTPS},
    {"http://128.0.0.1", NOT_HTTPS},
    {"http://126.255.255.255", NOT_HTTPS},
    {"http://0.0.0.0", NOT_HTTPS},
    {"http://[::]", NOT_HTTPS},
    {"http://[::2]", NOT_HTTPS},
    {"http://[::ffff:127.0.0.1]", NOT_HTTPS},
    {"http://[fe80::1]", NOT_HTTPS},

    {"http://localhost@evil.com", HAS_USER},
    {"http://localhost:80@evil.com", HAS_USER},
    {"https://user:pw@a", HAS_USER},
    {"https://@a", HAS_USER},
    {"http://[::1]@evil.com", HAS_USER},

    {"https://", NO_HOST},
    {"https:///x", NO_HOST},
    {"https://:443", NO_HOST},
    {"https://.a", NO_HOST},
    {"https://a.", NO_HOST},
    {"https://a..b", NO_HOST},
    {"http://localhost.", NO_HOST},
    {"https://a%2eb", NO_HOST},
    {"https://a\\b", NO_HOST},
    {"http://localhost\\@evil.com/", HAS_USER},
    {"http://localhost\\.evil.com/", NO_HOST},
    {"https://a,b", NO_HOST},
    {"https://[::1", NO_HOST},
    {"https://[]", NO_HOST},
    {"https://[::1%25lo]", NO_HOST},
    {"https://[127.0.0.1]", NO_HOST},
    {"https://::1", NO_HOST},

    {"https://a:", NO_PORT},
    {"https://a:0", NO_PORT},
    {"https://a:65536", NO_PORT},
    {"https://a:000443", NO_PORT},
    {"https://a:+1", NO_PORT},
    {"https://a:1:2", NO_PORT},
    {"https://[::1]x", NO_PORT},
    {"http://[::1].evil.com", NO_PORT},
    {"http://127.0.0.1:80.evil.com", NO_PORT},

    {"https://a?x", HAS_QUERY},
    {"https://a/?", HAS_QUERY},
    {"https://a/#x", HAS_QUERY},
    {"http://evil.com#@localhost", HAS_QUERY},
    {"http://evil.com?localhost", HAS_QUERY},

    {" https://a", BAD_CHAR},
    {"https://a ", BAD_CHAR},
    {"https://a/ b", BAD_CHAR},
    {"https://a\n", BAD_CHAR},
    {"https://a\r\nX: y", BAD_CHAR},
    {"https://a\x01", BAD_CHAR},
    {"https://a\x7F", BAD_CHAR},
    {"https://\xC3\xA9", BAD_CHAR},
    {"https://a\xE3\x80\x82"
     "b",
     BAD_CHAR},

    {"https://a/\\b", BAD_PATH},
    {"https://a/<b>", BAD_PATH},
    {"https://a/[b]", BAD_PATH},
    {"https://a/\"", BAD_PATH},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(refused); i++) {
        _cleanup_(freep) char *url = NULL;
        const char *reason = "";

        if (url_parse(refused[i][0], &url, &reason) != -EINVAL)
            fail_msg("accepted: %s", refused[i][0]);
        assert_null(url);
        if (strcmp(reason, refused[i][1]) != 0)
            fail_msg("%s: %s", refused[i][0], reason);
    }
}

/* A host of 255 bytes fits, one of 256 does not. */
static void test_longest_host(void **state)
{
    char text[8 + 256 + 1] = "https://";

    (void)state;
    for (size_t n = 255; n <= 256; n++) {
        _cleanup_(freep) char *url = NULL;
        const char *reason;

        memset(text + 8, 'a', n);
        text[8 + n] = '\0';
        assert_int_equal(url_parse(text, &url, &reason), n == 255 ? 0 : -EINVAL);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_longest_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
