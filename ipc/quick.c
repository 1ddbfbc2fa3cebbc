#include "ipc/quick.h"

#include <errno.h>
#include <string.h>

#include "base/json_plain.h"

/* As many as the method with the most has; with more the general parser does as well. */
#define QUICK_MEMBERS_MAX 2

/* No number of so many digits has a meaning that the general parser would have to see to. */
#define QUICK_DIGITS_MAX 18

/* All that comes of a message, in one piece of the arena. */
typedef struct QuickCall {
    JsonValue parameters;
    JsonValue members[QUICK_MEMBERS_MAX];
    char text[]; /* the message, with a NUL behind each string and number */
} QuickCall;

typedef struct QuickReader {
    const char *at;
    const char *end;
} QuickReader;

typedef struct QuickText {
    const char *start; /* in the message */
    size_t size;
} QuickText;

typedef struct QuickMember {
    QuickText key;
    QuickText value;
    JsonType type;
} QuickMember;

/* Blanks as json.dumps() of Python writes them; clients that write others are rare. */
static void quick_skip(QuickReader *reader)
{
    while (reader->at < reader->end && *reader->at == ' ')
        reader->at++;
}

static bool quick_take(QuickReader *reader, char c)
{
    quick_skip(reader);
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    quick_skip(reader);
    return true;
}

/* A string of ASCII without escapes: its bytes are what it says, and are UTF-8. */
static bool quick_take_string(QuickReader *reader, QuickText *ret_text)
{
    const char *start = reader->at + 1;
    bool is_ascii;
    size_t size;

    if (reader->at == reader->end || *reader->at != '"')
        return false;
    size = json_plain_size(start, (size_t)(reader->end - start), &is_ascii);
    if (!is_ascii || start + size == reader->end || start[size] != '"')
        return false;
    *ret_text = (QuickText){start, size};
    reader->at = start + size + 1;
    return true;
}

/* Digits without sign, fraction, exponent and needless zeros. What ends them is for the caller to see. */
static bool quick_take_digits(QuickReader *reader, QuickText *ret_text)
{
    const char *start = reader->at, *at = start;

    while (at < reader->end && *at >= '0' && *at <= '9')
        at++;
    if (at == start || at - start > QUICK_DIGITS_MAX || (*start == '0' && at - start > 1))
        return false;
    *ret_text = (QuickText){start, (size_t)(at - start)};
    reader->at = at;
    return true;
}

/* A key that is known, `quoted` as it is in the message: it is compared, and not looked through first. */
static inline bool quick_take_key(QuickReader *reader, const char *quoted)
{
    size_t size = strlen(quoted);

    if ((size_t)(reader->end - reader->at) < size || memcmp(reader->at, quoted, size) != 0)
        return false;
    reader->at += size;
    return quick_take(reader, ':');
}

static bool quick_take_member(QuickReader *reader, QuickMember *ret_member)
{
    if (!quick_take_string(reader, &ret_member->key) || !quick_take(reader, ':'))
        return false;
    if (quick_take_string(reader, &ret_member->value))
        ret_member->type = JSON_STRING;
    else if (quick_take_digits(reader, &ret_member->value))
        ret_member->type = JSON_NUMBER;
    else
        return false;
    return true;
}

/* Behind `{`, up to and with `}`; one member at least. */
static bool quick_take_members(QuickReader *reader, QuickMember *members, size_t *ret_n)
{
    size_t n = 0;

    do {
        if (n == QUICK_MEMBERS_MAX || !quick_take_member(reader, &members[n]))
            return false;
        n++;
    } while (quick_take(reader, ','));
    *ret_n = n;
    return quick_take(reader, '}');
}

/* `text` in the copy that the call has of the message, and ended there. */
static const char *quick_text(QuickCall *call, const char *message, const QuickText *text)
{
    char *start = call->text + (text->start - message);

    start[text->size] = '\0';
    return start;
}

static void quick_fill(QuickCall *call, const char *message, const QuickMember *members, size_t n)
{
    call->parameters.type = JSON_OBJECT;
    call->parameters.n_children = n;
    call->parameters.first = &call->members[0];
    call->parameters.last = &call->members[n - 1];
    for (size_t i = 0; i < n; i++) {
        JsonValue *value = &call->members[i];

        value->type = members[i].type;
        value->key = quick_text(call, message, &members[i].key);
        value->key_size = members[i].key.size;
        value->text = quick_text(call, message, &members[i].value);
        value->size = members[i].value.size;
        value->next = i + 1 < n ? value + 1 : NULL;
    }
}

/* What is around the name in a call of GetToken without a timeout, as libelementd and varlinkctl write it. */
#define QUICK_BEFORE_METHOD "{\"method\":\""
#define QUICK_METHOD        "io.elementd.GetToken"
#define QUICK_BEFORE_KEY    "\",\"parameters\":{\""
#define QUICK_KEY           "instance"
#define QUICK_BEFORE_NAME   "\":\""
#define QUICK_BEHIND_NAME   "\"}}"

#define QUICK_SIZE(literal) (sizeof(literal) - 1)

/* Such a call is compared rather than read. */
static bool quick_take_token_call(const char *text, size_t size, QuickText *ret_method,
                                  QuickMember *ret_member)
{
    static const char head[] =
        QUICK_BEFORE_METHOD QUICK_METHOD QUICK_BEFORE_KEY QUICK_KEY QUICK_BEFORE_NAME;
    static const char tail[] = QUICK_BEHIND_NAME;
    const char *name, *key;
    bool is_ascii;
    size_t name_size;

    if (size < QUICK_SIZE(head) + QUICK_SIZE(tail) || memcmp(text, head, QUICK_SIZE(head)) != 0 ||
        memcmp(text + size - QUICK_SIZE(tail), tail, QUICK_SIZE(tail)) != 0)
        return false;
    name = text + QUICK_SIZE(head);
    name_size = size - QUICK_SIZE(head) - QUICK_SIZE(tail);
    if (json_plain_size(name, name_size, &is_ascii) != name_size || !is_ascii)
        return false;
    key = name - QUICK_SIZE(QUICK_KEY QUICK_BEFORE_NAME);
    *ret_method = (QuickText){text + QUICK_SIZE(QUICK_BEFORE_METHOD), QUICK_SIZE(QUICK_METHOD)};
    *ret_member = (QuickMember){
        .key = {key, QUICK_SIZE(QUICK_KEY)}, .value = {name, name_size}, .type = JSON_STRING};
    return true;
}

static bool quick_take_call(const char *text, size_t size, QuickText *ret_method,
                            QuickMember *members, size_t *ret_n)
{
    QuickReader reader = {.at = text, .end = text + size};

    return quick_take(&reader, '{') && quick_take_key(&reader, "\"method\"") &&
           quick_take_string(&reader, ret_method) && quick_take(&reader, ',') &&
           quick_take_key(&reader, "\"parameters\"") && quick_take(&reader, '{') &&
           quick_take_members(&reader, members, ret_n) && quick_take(&reader, '}') &&
           reader.at == reader.end;
}

int quick_parse_call(Arena *arena, const char *text, size_t size, VarlinkCall *ret_call)
{
    QuickMember members[QUICK_MEMBERS_MAX];
    QuickText method;
    QuickCall *call;
    size_t n = 1;

    if (!quick_take_token_call(text, size, &method, &members[0]) &&
        !quick_take_call(text, size, &method, members, &n))
        return QUICK_E_OTHER;
    call = arena_alloc(arena, sizeof(*call) + size + 1);
    if (!call)
        return -ENOMEM;
    memcpy(call->text, text, size);
    quick_fill(call, text, members, n);
    *ret_call = (VarlinkCall){
        .method = quick_text(call, text, &method),
        .parameters = &call->parameters,
    };
    return 0;
}
