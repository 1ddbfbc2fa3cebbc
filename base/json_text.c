#include "base/json_text.h"

#include <assert.h>
#include <string.h>

bool json_text_is_blank(char c)
{
    return c == ' ' ||
           (c >= '\t' && c <= '\r'); /* yajl's idea of it, wider than the RFC's: \v and \f too */
}

bool json_text_is_comment(const JsonText *text, size_t offset)
{
    return text->size - offset >= 2 && memcmp(text->bytes + offset, "/*", 2) == 0;
}

/* Skips the comment that `offset` is at; stays where there is none, or none that is closed. */
static size_t json_text_skip_comment(const JsonText *text, size_t offset)
{
    const char *start = text->bytes + offset, *end;
    size_t left = text->size - offset;

    if (left < 2 || start[0] != '/')
        return offset;
    if (start[1] == '/') {
        end = memchr(start, '\n', left);
        return end ? (size_t)(end - text->bytes) + 1 : text->size;
    }
    if (start[1] == '*') {
        end = memmem(start + 2, left - 2, "*/", 2);
        if (end)
            return (size_t)(end - text->bytes) + 2;
    }
    return offset;
}

size_t json_text_skip_blank(const JsonText *text, size_t offset)
{
    while (offset < text->size) {
        size_t next;

        if (json_text_is_blank(text->bytes[offset])) {
            offset++;
            continue;
        }
        next = text->has_comments ? json_text_skip_comment(text, offset) : offset;
        if (next == offset)
            break;
        offset = next;
    }
    return offset;
}

size_t json_text_skip_between(const JsonText *text, size_t offset)
{
    offset = json_text_skip_blank(text, offset);
    while (offset < text->size && (text->bytes[offset] == ',' || text->bytes[offset] == ':'))
        offset = json_text_skip_blank(text, offset + 1);
    return offset;
}

size_t json_text_string_start(const JsonText *text, size_t end)
{
    size_t start = end - 1, n_escapes;

    do {
        n_escapes = 0;
        while (start > 0 && text->bytes[start - 1] != '"')
            start--;
        if (start == 0)
            break;
        start--;
        while (n_escapes < start && text->bytes[start - 1 - n_escapes] == '\\')
            n_escapes++;
    } while (n_escapes % 2 != 0);
    return start;
}

static bool json_text_is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '-' || c == '.';
}

size_t json_text_word_start(const JsonText *text, size_t start, size_t end)
{
    while (end > start && json_text_is_word(text->bytes[end - 1]))
        end--;
    return end;
}

static unsigned json_text_parse_hex4(const char *digits)
{
    unsigned number = 0;

    for (size_t i = 0; i < 4; i++) {
        char c = digits[i];

        number = number << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return number;
}

size_t json_text_find_half_pair(const JsonText *text, size_t start, size_t end)
{
    const char *bytes = text->bytes;
    size_t i = start;

    while (i < end) {
        unsigned unit = 0;

        if (bytes[i] != '\\') {
            i++;
            continue;
        }
        if (bytes[i + 1] != 'u') {
            i += 2;
            continue;
        }
        unit = json_text_parse_hex4(bytes + i + 2);
        if ((unit & 0xF800) != 0xD800) {
            i += 6;
            continue;
        }
        if ((unit & 0x0400) != 0 || end - i < 12 || memcmp(bytes + i + 6, "\\u", 2) != 0 ||
            (json_text_parse_hex4(bytes + i + 8) & 0xFC00) != 0xDC00)
            return i;
        i += 12;
    }
    return end;
}
