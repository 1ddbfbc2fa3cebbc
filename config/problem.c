#include "config/problem.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/utf8.h"

#define PROBLEM_ELLIPSIS "…"

static void problem_deinit(Problem *problem)
{
    free(problem->file);
    free(problem->message);
    *problem = (Problem){};
}

void problems_deinit(Problems *problems)
{
    for (size_t i = 0; i < problems->n_items; i++)
        problem_deinit(&problems->items[i]);
    free(problems->items);
    *problems = (Problems){};
}

/* Puts "?" for what is not UTF-8 or would not stay on its line. */
static void problem_clean(char *text)
{
    size_t size = strlen(text), end = 0;

    for (size_t i = 0; i < size;) {
        uint32_t character;
        size_t n = utf8_decode(text + i, size - i, &character);

        if (n == 0 || utf8_is_control(character)) {
            text[end++] = '?';
            i += n > 0 ? n : 1;
        } else {
            memmove(text + end, text + i, n);
            end += n;
            i += n;
        }
    }
    text[end] = '\0';
}

/* Cuts a message at PROBLEM_BYTES_MAX, between two characters. */
static void problem_shorten(char *text)
{
    size_t size = PROBLEM_BYTES_MAX - strlen(PROBLEM_ELLIPSIS);

    if (strlen(text) <= PROBLEM_BYTES_MAX)
        return;
    while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80)
        size--;
    memcpy(text + size, PROBLEM_ELLIPSIS, strlen(PROBLEM_ELLIPSIS) + 1);
}

static int problem_init(Problem *problem, const char *file, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

static int problem_init(Problem *problem, const char *file, const char *format, va_list arguments)
{
    problem->file = strdup(file);
    if (!problem->file || vasprintf(&problem->message, format, arguments) < 0) {
        problem->message = NULL; /* vasprintf(3) leaves it undefined */
        problem_deinit(problem);
        return -1;
    }
    problem_clean(problem->file);
    problem_clean(problem->message);
    problem_shorten(problem->message);
    return 0;
}

/* Drops one problem so that there is room for an error: the last of the warnings, if there is one. */
static bool problems_drop_warning(Problems *problems)
{
    for (size_t i = problems->n_items; i-- > 0;) {
        if (problems->items[i].severity != PROBLEM_WARNING)
            continue;
        problem_deinit(&problems->items[i]);
        problems->n_items--;
        memmove(&problems->items[i], &problems->items[i + 1],
                (problems->n_items - i) * sizeof(*problems->items));
        return true;
    }
    return false;
}

static int problems_grow(Problems *problems)
{
    size_t capacity = problems->capacity > 0 ? 2 * problems->capacity : 4;
    Problem *items;

    if (problems->n_items < problems->capacity)
        return 0;
    items = reallocarray(problems->items, capacity, sizeof(*items));
    if (!items)
        return -ENOMEM;
    problems->items = items;
    problems->capacity = capacity;
    return 0;
}

/* Whether there is room for one more, where need be since another one goes. */
static bool problems_make_room(Problems *problems, ProblemSeverity severity)
{
    if (problems->n_items < PROBLEMS_MAX)
        return true;
    problems->n_dropped++;
    return severity == PROBLEM_ERROR && problems_drop_warning(problems);
}

/* Takes over what `problem` points at, also when there is no room for it. */
static void problems_append(Problems *problems, Problem *problem)
{
    if (!problems_make_room(problems, problem->severity)) {
        problem_deinit(problem);
        return;
    }
    if (problems_grow(problems) < 0) {
        problems->is_out_of_memory = true;
        problem_deinit(problem);
        return;
    }
    problems->items[problems->n_items++] = *problem;
    *problem = (Problem){};
}

static void problems_add_list(Problems *problems, Problem *problem, const char *file,
                              const char *format, va_list arguments)
    __attribute__((format(printf, 4, 0)));

/* Severity, kind and place are in `problem` already. */
static void problems_add_list(Problems *problems, Problem *problem, const char *file,
                              const char *format, va_list arguments)
{
    if (problem->at.line == 0)
        problem->at = (JsonPosition){1, 1};
    if (problem->severity == PROBLEM_ERROR)
        problems->n_errors++;
    if (!problems_make_room(problems, problem->severity))
        return; /* before it costs anything: a hostile file may have as many as it has keys */
    if (problem_init(problem, file, format, arguments) < 0)
        problems->is_out_of_memory = true;
    else
        problems_append(problems, problem);
}

void problems_add(Problems *problems, ProblemSeverity severity, const char *file, JsonPosition at,
                  const char *format, ...)
{
    Problem problem = {.severity = severity, .at = at, .trouble = TROUBLE_CONFIGURATION};
    va_list arguments;

    va_start(arguments, format);
    problems_add_list(problems, &problem, file, format, arguments);
    va_end(arguments);
}

void problems_add_of(Problems *problems, ProblemSeverity severity, Trouble trouble,
                     const char *file, JsonPosition at, const char *format, ...)
{
    Problem problem = {.severity = severity, .at = at, .trouble = trouble};
    va_list arguments;

    va_start(arguments, format);
    problems_add_list(problems, &problem, file, format, arguments);
    va_end(arguments);
}

static bool problem_is_before(const Problem *a, const Problem *b)
{
    if (a->at.line != b->at.line)
        return a->at.line < b->at.line;
    return a->at.column < b->at.column;
}

/* By insertion: nearly all files have fewer than ten, and none keeps more than PROBLEMS_MAX. */
static void problems_sort(Problems *problems)
{
    for (size_t i = 1; i < problems->n_items; i++) {
        Problem problem = problems->items[i];
        size_t k = i;

        for (; k > 0 && problem_is_before(&problem, &problems->items[k - 1]); k--)
            problems->items[k] = problems->items[k - 1];
        problems->items[k] = problem;
    }
}

void problems_move(Problems *to, Problems *from)
{
    to->n_errors += from->n_errors;
    to->n_dropped += from->n_dropped;
    to->is_out_of_memory |= from->is_out_of_memory;
    for (size_t i = 0; i < from->n_items; i++)
        problems_append(to, &from->items[i]);
    problems_deinit(from);
}

char *problem_format(const Problem *problem)
{
    char *text;

    if (asprintf(&text, "%s:%u:%u: %s%s", problem->file, problem->at.line, problem->at.column,
                 problem->severity == PROBLEM_WARNING ? "warning: " : "", problem->message) < 0)
        return NULL;
    return text;
}

int problems_close(Problems *problems, char **ret_error, Trouble *ret_trouble)
{
    const Problem *first = NULL;

    if (problems->is_out_of_memory)
        return -ENOMEM;
    problems_sort(problems);
    for (size_t i = 0; i < problems->n_items && !first; i++)
        if (problems->items[i].severity == PROBLEM_ERROR)
            first = &problems->items[i];
    assert(first || problems->n_errors == 0);
    *ret_error = first ? problem_format(first) : NULL;
    *ret_trouble = first ? first->trouble : TROUBLE_NONE;
    return first && !*ret_error ? -ENOMEM : 0;
}
