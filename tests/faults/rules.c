/* Rules of the fault injection: text to table, and which of them a call meets. */

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/faults.h"

#define RULES_SEPARATORS " \t\r\n;"

/* ---- reading ---- */

static int rules_parse_number(const char *text, int64_t min, int64_t *ret_number)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end || number < min)
        return -1;
    *ret_number = number;
    return 0;
}

/* With a unit, since 5 could be anything: us, ms, s. */
static int rules_parse_time(const char *text, int64_t *ret_usec)
{
    static const struct {
        const char *unit;
        int64_t usec;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || number > INT64_MAX / 1000000 || number < INT64_MIN / 1000000)
        return -1;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].unit) == 0) {
            *ret_usec = number * units[i].usec;
            return 0;
        }
    return -1;
}

static int rules_parse_error(const char *text, int *ret_error)
{
    for (int error = 1; error < 256; error++) {
        const char *name = strerrorname_np(error);

        if (name && strcmp(name, text) == 0) {
            *ret_error = error;
            return 0;
        }
    }
    return -1;
}

static int rules_parse_kill(const char *text, FaultsKill *ret_kill)
{
    if (strcmp(text, "before") == 0)
        *ret_kill = FAULTS_KILL_BEFORE;
    else if (strcmp(text, "after") == 0)
        *ret_kill = FAULTS_KILL_AFTER;
    else
        return -1;
    return 0;
}

static int rules_parse_glob(const char *text, char *ret_glob)
{
    size_t size = strlen(text);

    if (size == 0 || size >= FAULTS_GLOB_MAX)
        return -1;
    memcpy(ret_glob, text, size + 1);
    return 0;
}

static int rules_parse_member(FaultsRule *rule, const char *key, const char *value)
{
    int64_t number;
    int r;

    if (strcmp(key, "path") == 0)
        return rules_parse_glob(value, rule->path);
    if (strcmp(key, "n") == 0)
        return rules_parse_number(value, 1, &rule->n);
    if (strcmp(key, "count") == 0)
        return rules_parse_number(value, 0, &rule->count);
    if (strcmp(key, "delay") == 0)
        return rules_parse_time(value, &rule->delay_usec);
    if (strcmp(key, "offset") == 0)
        return rules_parse_time(value, &rule->offset_usec);
    if (strcmp(key, "error") == 0)
        return rules_parse_error(value, &rule->error);
    if (strcmp(key, "kill") == 0)
        return rules_parse_kill(*value ? value : "before", &rule->kill);
    if (strcmp(key, "short") != 0)
        return -1;
    r = rules_parse_number(value, 1, &number);
    if (r == 0)
        rule->short_max = (size_t)number;
    return r;
}

/* Leaves *ret_wrong where it stopped. */
static int rules_parse_rule(FaultsRule *rule, char *text, const char **ret_wrong)
{
    char *rest = text, *member = strsep(&rest, ":");

    *rule = (FaultsRule){.n = 1, .count = -1, .short_max = SIZE_MAX};
    *ret_wrong = member;
    if (rules_parse_glob(member, rule->function) < 0)
        return -1;
    while ((member = strsep(&rest, ":"))) {
        char *value = member, *key = strsep(&value, "=");

        *ret_wrong = key;
        if (rules_parse_member(rule, key, value ? value : "") < 0)
            return -1;
    }
    return 0;
}

int faults_rules_parse(FaultsTable *table, char *text, const char **ret_wrong)
{
    char *state, *piece;

    for (piece = strtok_r(text, RULES_SEPARATORS, &state); piece;
         piece = strtok_r(NULL, RULES_SEPARATORS, &state)) {
        FaultsRule *rule = &table->rules[table->n_rules];

        *ret_wrong = "too many rules";
        if (table->n_rules == FAULTS_RULES_MAX || rules_parse_rule(rule, piece, ret_wrong) < 0)
            return -1;
        rule->n_seen = &table->n_seen[table->n_rules];
        table->has_path = table->has_path || rule->path[0];
        table->n_rules++;
    }
    return 0;
}

/* ---- matching ---- */

static bool rules_match(const FaultsRule *rule, const char *function, const char *object)
{
    const char *last;

    if (fnmatch(rule->function, function, FNM_EXTMATCH) != 0)
        return false;
    if (!rule->path[0])
        return true;
    last = strrchr(object, '/');
    return fnmatch(rule->path, object, FNM_EXTMATCH) == 0 ||
           (last && fnmatch(rule->path, last + 1, FNM_EXTMATCH) == 0);
}

/* Counts the call, and says whether it is one of those that are meant. */
static bool rules_count(FaultsRule *rule)
{
    int64_t number = atomic_fetch_add(rule->n_seen, 1) + 1;

    return number >= rule->n && (rule->count < 0 || number - rule->n < rule->count);
}

void faults_rules_apply(FaultsTable *table, const char *function, const char *object,
                        FaultsVerdict *verdict)
{
    for (size_t i = 0; i < table->n_rules; i++) {
        FaultsRule *rule = &table->rules[i];
        bool is_first;

        if (rule->offset_usec != 0 || !rules_match(rule, function, object) || !rules_count(rule))
            continue;
        is_first = atomic_load(rule->n_seen) == rule->n;
        verdict->delay_usec += rule->delay_usec;
        if (rule->kill != FAULTS_KILL_NONE)
            verdict->kill = rule->kill;
        /* A full disk takes what still fits, and then nothing. */
        if (rule->short_max != SIZE_MAX && (is_first || rule->error == 0))
            verdict->short_max = rule->short_max;
        else if (rule->error != 0)
            verdict->error = rule->error;
    }
}

int64_t faults_rules_clock_offset(FaultsTable *table)
{
    int64_t sum = 0;

    for (size_t i = 0; i < table->n_rules; i++)
        sum += table->rules[i].offset_usec;
    return sum;
}
