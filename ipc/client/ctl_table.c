#include "ipc/client/ctl_table.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "ipc/client/ctl_text.h"

#define CTL_TABLE_GAP 2

/* Less is no use: then the terminal wraps. */
#define CTL_TABLE_CUT_MIN 16

void ctl_table_init(CtlTable *table, const char *const *titles, size_t n_columns)
{
    assert(n_columns > 0 && n_columns <= CTL_TABLE_COLUMNS_MAX);
    *table = (CtlTable){
        .titles = titles,
        .n_columns = n_columns,
        .arena = ARENA_INIT(CTL_OUTPUT_BYTES_MAX),
    };
}

void ctl_table_deinit(CtlTable *table)
{
    arena_deinit(&table->arena);
    free(table->cells);
    table->cells = NULL;
    table->n_cells = table->capacity = 0;
}

/* A copy that is safe for a terminal, and so has its width; NULL without memory. */
static char *ctl_table_copy(CtlTable *table, const char *text)
{
    _cleanup_(buffer_deinit) Buffer safe = BUFFER_INIT(CTL_OUTPUT_BYTES_MAX);

    if (ctl_text_append(&safe, text && *text ? text : "-") != 0)
        return NULL;
    return arena_strndup(&table->arena, buffer_data(&safe), buffer_size(&safe));
}

static int ctl_table_grow(CtlTable *table)
{
    size_t capacity = table->capacity > 0 ? table->capacity * 2 : 64;
    CtlCell *cells;

    if (table->n_cells < table->capacity)
        return 0;
    cells = reallocarray(table->cells, capacity, sizeof(*cells));
    if (!cells)
        return -ENOMEM;
    table->cells = cells;
    table->capacity = capacity;
    return 0;
}

void ctl_table_add(CtlTable *table, const char *text, CtlColour colour)
{
    const char *copy;

    if (table->error != 0)
        return;
    copy = ctl_table_copy(table, text);
    if (!copy || ctl_table_grow(table) < 0) {
        table->error = -ENOMEM;
        return;
    }
    table->cells[table->n_cells++] = (CtlCell){.text = copy, .colour = colour};
}

void ctl_table_add_number(CtlTable *table, int64_t number)
{
    char digits[24];

    (void)snprintf(digits, sizeof(digits), "%" PRId64, number);
    ctl_table_add(table, digits, CTL_COLOUR_NONE);
}

/* One row. The last column is not padded, and takes `room` columns at most; 0: all it needs. */
static void ctl_table_print_row(const CtlTable *table, const CtlCell *cells, const size_t *widths,
                                size_t room, CtlOutput *output)
{
    char *cut;

    for (size_t i = 0; i + 1 < table->n_columns; i++) {
        ctl_output_text(output, cells[i].text, cells[i].colour);
        ctl_output_spaces(output, widths[i] - ctl_text_width(cells[i].text) + CTL_TABLE_GAP);
    }
    cells += table->n_columns - 1;
    if (room == 0 || ctl_text_width(cells->text) <= room) {
        ctl_output_text(output, cells->text, cells->colour);
    } else {
        cut = strndup(cells->text, ctl_text_cut(cells->text, room - 1));
        ctl_output_text(output, cut ? cut : "", cells->colour);
        ctl_output_text(output, "…", cells->colour);
        free(cut);
    }
    ctl_output_printf(output, "\n");
}

void ctl_table_print(const CtlTable *table, size_t width, CtlOutput *output)
{
    CtlCell titles[CTL_TABLE_COLUMNS_MAX];
    size_t widths[CTL_TABLE_COLUMNS_MAX];
    size_t used = 0, room = 0;

    if (table->error != 0) {
        if (output->error == 0)
            output->error = table->error;
        return;
    }
    assert(table->n_cells % table->n_columns == 0);
    for (size_t i = 0; i < table->n_columns; i++) {
        titles[i] = (CtlCell){.text = table->titles[i], .colour = CTL_COLOUR_TITLE};
        widths[i] = ctl_text_width(titles[i].text);
    }
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t cell = ctl_text_width(table->cells[i].text);

        if (cell > widths[i % table->n_columns])
            widths[i % table->n_columns] = cell;
    }
    for (size_t i = 0; i + 1 < table->n_columns; i++)
        used += widths[i] + CTL_TABLE_GAP;
    if (width >= used + CTL_TABLE_CUT_MIN)
        room = width - used;
    ctl_table_print_row(table, titles, widths, room, output);
    for (size_t i = 0; i < table->n_cells; i += table->n_columns)
        ctl_table_print_row(table, &table->cells[i], widths, room, output);
}
