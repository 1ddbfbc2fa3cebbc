#include "config/unit_file.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/paths.h"

#define UNIT_FILE_BLANKS " \t\r"

typedef struct UnitFileLine {
    const char *file;
    JsonPosition at;
} UnitFileLine;

/* ---- the keys ---- */

static void unit_file_set_type(UnitFile *unit, const UnitFileLine *line, const char *value)
{
    (void)line;
    unit->has_type = *value != '\0';
    unit->is_type_early = strcmp(value, "simple") == 0 || strcmp(value, "idle") == 0;
}

static void unit_file_set_bus_name(UnitFile *unit, const UnitFileLine *line, const char *value)
{
    (void)line;
    unit->has_bus_name = *value != '\0';
}

static void unit_file_set_start(UnitFile *unit, const UnitFileLine *line, const char *value)
{
    (void)line;
    unit->has_start = *value != '\0';
}

/* ID:PATH, as a whole in quotes or not; "%t" is the folder of what lives as long as this boot. */
static bool unit_file_is_ours(const char *value)
{
    static const char *const paths[] = {
        "/run/elementd/" PATHS_CREDENTIAL,
        "%t/elementd/" PATHS_CREDENTIAL,
    };
    const char *path = strchr(value, ':');
    size_t size = path ? strlen(++path) : 0;

    if (*value == '"' && size > 0 && path[size - 1] == '"')
        size--;
    for (size_t i = 0; i < N_ELEMENTS(paths); i++)
        if (size == strlen(paths[i]) && memcmp(path, paths[i], size) == 0)
            return true;
    return false;
}

static void unit_file_load(UnitFile *unit, const UnitFileLine *line, const char *value)
{
    if (*value == '\0') {
        unit->consumer = NULL;
    } else if (!unit->consumer && unit_file_is_ours(value)) {
        unit->consumer = line->file;
        unit->at = line->at;
    }
}

static const struct {
    const char *name;
    void (*set)(UnitFile *unit, const UnitFileLine *line, const char *value);
} unit_file_keys[] = {
    {"Type", unit_file_set_type},
    {"BusName", unit_file_set_bus_name},
    {"ExecStart", unit_file_set_start},
    {"LoadCredential", unit_file_load},
    {"LoadCredentialEncrypted", unit_file_load},
};

/* ---- the lines ---- */

/* Without blanks at both ends. */
static char *unit_file_trim(char *text)
{
    size_t size;

    text += strspn(text, UNIT_FILE_BLANKS);
    size = strlen(text);
    while (size > 0 && strchr(UNIT_FILE_BLANKS, text[size - 1]))
        size--;
    text[size] = '\0';
    return text;
}

static bool unit_file_is_comment(const char *line)
{
    line += strspn(line, UNIT_FILE_BLANKS);
    return *line == '#' || *line == ';';
}

/*
 * The line that begins at `text`, with those that continue it, as a string of its own; what follows it is *ret_next, or
 * NULL at the end. Comments between are not taken for a continuation. *ret_lines is how many they are.
 */
static char *unit_file_next_line(char *text, char **ret_next, unsigned *ret_lines)
{
    char *end = text, *line = text;

    for (*ret_lines = 1;; (*ret_lines)++) {
        char *newline = strchr(end, '\n');
        size_t size;

        *ret_next = newline ? newline + 1 : NULL;
        if (newline)
            *newline = '\0';
        size = strlen(end);
        if (*ret_lines > 1 && unit_file_is_comment(end)) {
            /* It is passed over, and what is behind it still continues what is before it. */
            memset(end, ' ', size);
        } else if (size > 0 && end[size - 1] == '\\' && !unit_file_is_comment(line)) {
            end[size - 1] = ' ';
        } else {
            return line;
        }
        if (!newline)
            return line;
        *newline = ' ';
        end = newline + 1;
    }
}

static void unit_file_take(UnitFile *unit, const UnitFileLine *line, char *text)
{
    char *value = strchr(text, '=');

    if (!value)
        return;
    *value++ = '\0';
    text = unit_file_trim(text);
    for (size_t i = 0; i < N_ELEMENTS(unit_file_keys); i++)
        if (strcmp(unit_file_keys[i].name, text) == 0)
            unit_file_keys[i].set(unit, line, unit_file_trim(value));
}

void unit_file_parse(UnitFile *unit, const char *name, char *text, size_t size)
{
    UnitFileLine line = {.file = name, .at = {1, 1}};
    bool is_service = false;
    unsigned n_lines;

    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    for (char *next; text; text = next, line.at.line += n_lines) {
        char *words = unit_file_trim(unit_file_next_line(text, &next, &n_lines));

        if (*words == '[')
            is_service = strcmp(words, "[Service]") == 0;
        else if (is_service && *words && !unit_file_is_comment(words))
            unit_file_take(unit, &line, words);
    }
}

bool unit_file_is_early(const UnitFile *unit)
{
    if (unit->has_type)
        return unit->is_type_early;
    /* What systemd takes where nothing is said: dbus, simple, oneshot. */
    return !unit->has_bus_name && unit->has_start;
}
