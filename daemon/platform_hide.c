#include "daemon/platform_hide.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/json.h"

/* Stands for a hidden byte until all are found; those that a message has itself are taken out first. */
#define HIDE_MARK '\x01'

static void hide_bytes(char *text, const char *bytes, size_t size)
{
    size_t left = strlen(text);
    char *found;

    if (size < HIDE_BYTES_MIN)
        return;
    while ((found = memmem(text, left, bytes, size))) {
        memset(found, HIDE_MARK, size);
        left -= (size_t)(found - text) + size;
        text = found + size;
    }
}

static void hide_secret(char *text, const Secret *secret)
{
    hide_bytes(text, secret_reveal(secret), secret_size(secret));
}

static int hide_on_event(void *userdata, const JsonEvent *event)
{
    static const char parent[] = "/configuration/";

    if (event->path && event->text && /* strings, and numbers by their digits */
        strncmp(event->path, parent, strlen(parent)) == 0)
        hide_bytes(userdata, event->text, event->size);
    return 0;
}

/* Makes "***" of each run of marks, none of which is shorter. */
static void hide_collapse(char *text)
{
    char *to = text;

    for (const char *from = text; *from;) {
        if (*from != HIDE_MARK) {
            *to++ = *from++;
            continue;
        }
        from += strspn(from, (const char[]){HIDE_MARK, '\0'});
        memcpy(to, "***", 3);
        to += 3;
    }
    *to = '\0';
}

int platform_hide(const PlatformQuestion *question, char *text)
{
    int r = 0;

    for (char *mark = text; (mark = strchr(mark, HIDE_MARK));)
        *mark = ' ';
    if (question->account) {
        hide_secret(text, question->account->user);
        hide_secret(text, question->account->organization);
    }
    hide_secret(text, question->token);
    if (question->body)
        r = json_read(secret_reveal(question->body), secret_size(question->body), 0, hide_on_event,
                      text, NULL);
    hide_collapse(text);
    return r < 0 ? r : 0;
}
