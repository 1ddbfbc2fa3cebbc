#include "ipc/client/ctl_text.h"

#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
    uint32_t first;
    uint32_t last;
} ctl_text_controls[] = {
    {0x0000, 0x001f}, /* C0 */
    {0x007f, 0x009f}, /* DEL and C1: CSI is U+009B */
    {0x061c, 0x061c}, /* bidirectional, here and below */
    {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
};

/* The character that `text` begins with, not NUL, and how many bytes it has; 0: it is not UTF-8. */
static size_t ctl_text_decode(const char *text, uint32_t *ret_character)
{
    static const struct {
        unsigned char mask;
        unsigned char lead;
        uint32_t min; /* shorter forms are for less */
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    const unsigned char *bytes = (const unsigned char *)text;

    for (size_t n = 0; n < N_ELEMENTS(forms); n++) {
        uint32_t character = bytes[0] & (unsigned char)~forms[n].mask;

        if ((bytes[0] & forms[n].mask) != forms[n].lead)
            continue;
        for (size_t i = 1; i <= n; i++) {
            if ((bytes[i] & 0xc0) != 0x80)
                return 0;
            character = character << 6 | (bytes[i] & 0x3f);
        }
        if (character < forms[n].min || character > 0x10ffff ||
            (character >= 0xd800 && character <= 0xdfff))
            return 0;
        *ret_character = character;
        return n + 1;
    }
    return 0;
}

static bool ctl_text_is_control(uint32_t character)
{
    for (size_t i = 0; i < N_ELEMENTS(ctl_text_controls); i++)
        if (character >= ctl_text_controls[i].first && character <= ctl_text_controls[i].last)
            return true;
    return false;
}

int ctl_text_append(Buffer *buffer, const char *text)
{
    while (*text) {
        uint32_t character;
        size_t size = ctl_text_decode(text, &character);
        bool is_plain = size > 0 && !ctl_text_is_control(character);
        int r = buffer_append(buffer, is_plain ? text : "?", is_plain ? size : 1);

        if (r != 0)
            return r;
        text += size > 0 ? size : 1;
    }
    return 0;
}

int ctl_text_append_json(Buffer *buffer, const char *json, size_t size)
{
    const char *end = json + size;

    while (json < end) {
        uint32_t character;
        size_t n = ctl_text_decode(json, &character);
        int r;

        /* All that is not ASCII stands within a string, where an escape is the same. */
        if (n > 0 && *json != '\n' && ctl_text_is_control(character))
            r = buffer_printf(buffer, "\\u%04x", character);
        else
            r = buffer_append(buffer, json, n > 0 ? n : 1);
        if (r != 0)
            return r;
        json += n > 0 ? n : 1;
    }
    return 0;
}

bool ctl_text_is_plain(const char *text)
{
    while (*text) {
        uint32_t character;
        size_t size = ctl_text_decode(text, &character);

        if (size == 0 || ctl_text_is_control(character))
            return false;
        text += size;
    }
    return true;
}

size_t ctl_text_cut(const char *text, size_t width)
{
    const char *at = text;

    while (*at && width > 0) {
        uint32_t character;
        size_t size = ctl_text_decode(at, &character);

        at += size > 0 ? size : 1;
        width--;
    }
    return (size_t)(at - text);
}

size_t ctl_text_width(const char *text)
{
    size_t width = 0;

    for (; *text; width++)
        text += ctl_text_cut(text, 1);
    return width;
}
