#include "tests/sandbox/base64.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/evp.h>

char *base64_format(const void *data, size_t size)
{
    char *text;

    if (size > INT_MAX / 2)
        return NULL;
    text = malloc((size + 2) / 3 * 4 + 1);
    if (text)
        (void)EVP_EncodeBlock((unsigned char *)text, data, (int)size);
    return text;
}

int base64_parse(const char *text, size_t size, Buffer *buffer)
{
    size_t n_padding = 0;
    char *space;
    int n;

    if (size % 4 != 0 || size > INT_MAX)
        return BASE64_E_MALFORMED;
    while (n_padding < 2 && n_padding < size && text[size - 1 - n_padding] == '=')
        n_padding++;
    if (buffer_reserve(buffer, size / 4 * 3, &space) != 0)
        return -ENOMEM;
    if (size == 0)
        return 0;
    n = EVP_DecodeBlock((unsigned char *)space, (const unsigned char *)text, (int)size);
    if (n < 0)
        return BASE64_E_MALFORMED;
    buffer_commit(buffer, (size_t)n - n_padding);
    return 0;
}
