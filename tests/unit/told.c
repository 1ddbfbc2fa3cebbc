#include "tests/unit/told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

/* The problems as lines; the caller frees. */
static char *told_lines(const Problems *problems, const char *root)
{
    char *lines = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&lines, &size);

    assert_non_null(stream);
    for (size_t i = 0; i < problems->n_items; i++) {
        _cleanup_(freep) char *text = problem_format(&problems->items[i]);

        assert_non_null(text);
        if (root && strncmp(text, root, strlen(root)) == 0)
            (void)fprintf(stream, "ROOT%s\n", text + strlen(root));
        else
            (void)fprintf(stream, "%s\n", text);
    }
    assert_int_equal(fclose(stream), 0);
    return lines;
}

void told_assert(const Problems *problems, const char *root, const char *expected)
{
    _cleanup_(freep) char *lines = told_lines(problems, root);

    assert_false(problems->is_out_of_memory);
    assert_string_equal(lines, expected);
}

void told_assert_all(Problems *problems, const char *root, const char *expected)
{
    told_assert(problems, root, expected);
    problems_deinit(problems);
}
