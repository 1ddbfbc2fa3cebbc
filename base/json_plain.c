#include "base/json_plain.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define JSON_PLAIN_BYTES(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Of eight bytes, how many come before the first that is not plain ASCII. Where no top bit is set, one is after a subtraction
 * of 1 from each byte if that was 0, and of 0x20 if it was below; what is borrowed then spoils only the bytes behind it.
 */
static size_t json_plain_count(const char *text)
{
    uint64_t word, quote, backslash, found;

    memcpy(&word, text, sizeof(word));
    word = le64toh(word); /* the first byte is the lowest */
    quote = (word ^ JSON_PLAIN_BYTES('"')) - JSON_PLAIN_BYTES(1);
    backslash = (word ^ JSON_PLAIN_BYTES('\\')) - JSON_PLAIN_BYTES(1);
    found = (word | (word - JSON_PLAIN_BYTES(0x20)) | quote | backslash) & JSON_PLAIN_BYTES(0x80);
    return found == 0 ? sizeof(word) : (size_t)__builtin_ctzll(found) / 8;
}

size_t json_plain_size(const char *text, size_t size, bool *ret_is_ascii)
{
    unsigned char all = 0;
    size_t n = 0;

    while (n < size) {
        unsigned char c;

        if (size - n >= sizeof(uint64_t)) {
            size_t count = json_plain_count(text + n);

            n += count;
            if (count == sizeof(uint64_t))
                continue;
        }
        c = (unsigned char)text[n];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        all |= c;
        n++;
    }
    if (ret_is_ascii)
        *ret_is_ascii = all < 0x80;
    return n;
}
