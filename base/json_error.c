#include "base/json_error.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/utf8.h"

/* Number to string literal, of what a macro stands for. */
#define JSON_ERROR_QUOTE(number)  #number
#define JSON_ERROR_DIGITS(number) JSON_ERROR_QUOTE(number)

static const char *json_error_refusal_words(JsonErrorRefusal refusal)
{
    switch (refusal) {
    case JSON_ERROR_NOT_REFUSED:
        break;
    case JSON_ERROR_BAD_UTF8:
        return "bytes that are not UTF-8";
    case JSON_ERROR_HALF_PAIR:
        return "half of a surrogate pair: \\uD800 to \\uDFFF come in twos";
    case JSON_ERROR_TOO_DEEP:
        return "nested deeper than " JSON_ERROR_DIGITS(JSON_DEPTH_MAX) " levels";
    case JSON_ERROR_OPEN_COMMENT:
        return "a comment that is not closed";
    case JSON_ERROR_TRAILING:
        return "trailing garbage";
    }
    assert(false);
    return NULL;
}

/* ---- look-alikes ---- */

typedef struct JsonErrorLookalike {
    const char *bytes;
    const char *words;
    bool is_double_quote; /* so that it may be why a string did not end where it was meant to */
} JsonErrorLookalike;

/* What word processors and web pages put where JSON wants plain characters. */
static const JsonErrorLookalike json_error_lookalikes[] = {
    {"\xE2\x80\x9C", "left curly quote U+201C: use the straight quote \"", true},
    {"\xE2\x80\x9D", "right curly quote U+201D: use the straight quote \"", true},
    {"\xE2\x80\x9E", "low quote U+201E: use the straight quote \"", true},
    {"\xC2\xAB", "guillemet U+00AB: use the straight quote \"", true},
    {"\xC2\xBB", "guillemet U+00BB: use the straight quote \"", true},
    {"\xE2\x80\x98", "left single curly quote U+2018: use the straight double quote \"", false},
    {"\xE2\x80\x99", "right single curly quote U+2019: use the straight double quote \"", false},
    {"'", "single quote: use the straight double quote \"", false},
    {"\xC2\xA0", "no-break space U+00A0: use a plain space", false},
    {"\xE2\x80\x8B", "zero-width space U+200B: remove it", false},
    {"\xEF\xBB\xBF", "byte order mark U+FEFF: remove it", false},
};

static const JsonErrorLookalike *json_error_find_lookalike(const JsonText *text, size_t offset)
{
    for (size_t i = 0; i < N_ELEMENTS(json_error_lookalikes); i++) {
        size_t n = strlen(json_error_lookalikes[i].bytes);

        if (n <= text->size - offset &&
            memcmp(text->bytes + offset, json_error_lookalikes[i].bytes, n) == 0)
            return &json_error_lookalikes[i];
    }
    return NULL;
}

/* The double quote that is none between two offsets; *ret_offset tells where. */
static const JsonErrorLookalike *json_error_find_quote(const JsonText *text, size_t start,
                                                       size_t end, size_t *ret_offset)
{
    for (size_t i = start; i < end; i++) {
        const JsonErrorLookalike *lookalike = json_error_find_lookalike(text, i);

        if (lookalike && lookalike->is_double_quote) {
            *ret_offset = i;
            return lookalike;
        }
    }
    return NULL;
}

/*
 * The look-alike that explains an error at `offset`. A string that a curly quote was to close runs on: to
 * the end of its line, which is an error, or to the next straight quote, which was to open another string.
 * Then what that other string holds stands right behind it, where nothing but a separator may.
 */
static const JsonErrorLookalike *json_error_find_cause(const JsonErrorFacts *facts, size_t offset,
                                                       size_t *ret_offset)
{
    const JsonText *text = facts->text;
    const JsonErrorLookalike *lookalike = json_error_find_lookalike(text, offset);
    size_t last = facts->token_end, next = json_text_skip_between(text, last);

    if (lookalike) {
        *ret_offset = offset;
        return lookalike;
    }
    if (next < offset && text->bytes[next] == '"')
        lookalike = json_error_find_quote(text, next + 1, offset, ret_offset);
    if (!lookalike && last > 0 && last < text->size && text->bytes[last - 1] == '"' &&
        !json_text_is_blank(text->bytes[last]) && !memchr(",:]}/", text->bytes[last], 5))
        lookalike = json_error_find_quote(text, json_text_string_start(text, last), last,
                                          ret_offset);
    return lookalike;
}

/* ---- yajl's words ---- */

/* Where the token begins that ends at `end` and that stands where it may not. */
static size_t json_error_token_start(const JsonErrorFacts *facts, size_t end)
{
    const JsonText *text = facts->text;
    size_t start = json_text_word_start(text, facts->token_end, end);

    if (end == 0 || start < end)
        return start;
    return text->bytes[end - 1] == '"' ? json_text_string_start(text, end) : end - 1;
}

/*
 * yajl's words for the error without "parse error: " before and a full stop behind them. *ret_offset is
 * where the mistake begins: a token in the wrong place was read to its end.
 */
static void json_error_format_yajl(const JsonErrorFacts *facts, size_t *ret_offset,
                                   char *ret_message, size_t size)
{
    const JsonText *text = facts->text;
    const char *words = facts->words, *colon = words ? strstr(words, ": ") : NULL;
    bool is_lexical = words && strncmp(words, "lexical", 7) == 0;
    size_t offset = facts->read_end, n;

    words = colon ? colon + 2 : "invalid JSON";
    if (strncmp(words, "after key and value", 19) == 0 || strncmp(words, "trailing", 8) == 0) {
        offset = json_text_skip_blank(text, facts->token_end);
    } else if (!is_lexical) {
        offset = json_error_token_start(facts, offset);
    } else if (strncmp(words, "invalid char in", 15) == 0) {
        offset -= offset > 0;
    } else if (strncmp(words, "invalid string in", 17) == 0) {
        offset = json_text_word_start(text, facts->token_end, offset);
        words = "a word that is none of true, false and null";
    } else if (strncmp(words, "invalid bytes", 13) == 0) {
        size_t start = json_text_skip_between(text, facts->token_end);

        offset = start + utf8_prefix(text->bytes + start, offset - start);
        words = json_error_refusal_words(JSON_ERROR_BAD_UTF8);
    }
    n = strcspn(words, "\n");
    n -= n > 0 && words[n - 1] == '.';
    (void)snprintf(ret_message, size, "%.*s", (int)n, words);
    *ret_offset = offset;
}

/* ---- the error ---- */

/* The words for a text that ends too early; *ret_offset is what they point to. */
static const char *json_error_unfinished_words(const JsonErrorFacts *facts, size_t *ret_offset)
{
    const JsonText *text = facts->text;
    size_t offset = json_text_skip_between(text, facts->token_end);

    if (json_text_is_comment(text, offset)) {
        *ret_offset = offset;
        return json_error_refusal_words(JSON_ERROR_OPEN_COMMENT);
    }
    *ret_offset = text->size;
    return "the document ends before it is complete";
}

void json_error_explain(const JsonErrorFacts *facts, JsonError *ret_error)
{
    const JsonText *text = facts->text;
    const JsonErrorLookalike *lookalike = NULL;
    const char *words = NULL;
    size_t offset = 0;

    if (facts->refusal != JSON_ERROR_NOT_REFUSED) {
        words = json_error_refusal_words(facts->refusal);
        offset = facts->refused_at;
    } else if (json_text_skip_blank(text, 0) == text->size) {
        words = "empty document";
    } else if (facts->is_unfinished) {
        words = json_error_unfinished_words(facts, &offset);
    } else {
        json_error_format_yajl(facts, &offset, ret_error->message, sizeof(ret_error->message));
    }
    if (facts->refusal == JSON_ERROR_NOT_REFUSED)
        lookalike = json_error_find_cause(facts, offset, &offset);
    if (lookalike)
        words = lookalike->words;
    if (words)
        (void)snprintf(ret_error->message, sizeof(ret_error->message), "%s", words);
    ret_error->at = json_locate(text->bytes, 0, (JsonPosition){1, 1}, offset);
}
