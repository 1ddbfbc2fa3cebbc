#include "tests/sandbox/query.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static int query_hex(char digit)
{
    return isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10;
}

void query_decode(char *text, bool is_plus_space)
{
    char *out = text;

    while (*text) {
        char c = *text++;

        if (c == '%' && isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1])) {
            c = (char)(query_hex(text[0]) * 16 + query_hex(text[1]));
            c = c != '\0' ? c : '?';
            text += 2;
        } else if (c == '+' && is_plus_space) {
            c = ' ';
        }
        *out++ = c;
    }
    *out = '\0';
}

int query_init(Query *ret_query, const char *text)
{
    Query query = {.memory = strdup(text)};
    char *rest = query.memory;

    if (!query.memory)
        return -ENOMEM;
    while (rest && query.n_parameters < QUERY_PARAMETERS_MAX) {
        char *name = strsep(&rest, "&");
        char *value = name;

        if (!*name)
            continue;
        (void)strsep(&value, "=");
        value = value ? value : name + strlen(name);
        query_decode(name, true);
        if (value > name + strlen(name))
            query_decode(value, true);
        query.parameters[query.n_parameters++] = (QueryParameter){name, value};
    }
    *ret_query = query;
    return 0;
}

void query_deinit(Query *query)
{
    free(TAKE_PTR(query->memory));
    query->n_parameters = 0;
}

const char *query_find(const Query *query, const char *name)
{
    for (size_t i = 0; i < query->n_parameters; i++)
        if (strcmp(query->parameters[i].name, name) == 0)
            return query->parameters[i].value;
    return NULL;
}
