#pragma once

/*
 * Query: the parameters of a URL, decoded.
 *
 * Limits: QUERY_PARAMETERS_MAX; what comes after is left out
 * Source: WHATWG URL, application/x-www-form-urlencoded parsing
 */

#include <stdbool.h>
#include <stddef.h>

#define QUERY_PARAMETERS_MAX 64

typedef struct QueryParameter {
    const char *name;
    const char *value; /* "" where there is none */
} QueryParameter;

typedef struct Query {
    char *memory;
    QueryParameter parameters[QUERY_PARAMETERS_MAX];
    size_t n_parameters;
} Query;

/* 0 or -ENOMEM; release with query_deinit(). An encoded NUL becomes a "?". */
int query_init(Query *ret_query, const char *text);
void query_deinit(Query *query);

/* The first of that name, or NULL. Borrowed. */
const char *query_find(const Query *query, const char *name);

/* Decodes %XX in place, and + where it stands for a space. */
void query_decode(char *text, bool is_plus_space);
