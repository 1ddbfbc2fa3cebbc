#pragma once

/*
 * Table: rows of cells in columns that are as wide as their widest cell.
 *
 * Header and columns are the same on a terminal and in a pipe; columns stand apart by two spaces, and an empty
 * cell is "-", so that fields can be counted. On a terminal the last column is cut to what is left of the width.
 *
 * Limits: CTL_OUTPUT_BYTES_MAX
 */

#include "base/arena.h"
#include "ipc/client/ctl_output.h"

#define CTL_TABLE_COLUMNS_MAX 12

typedef struct CtlCell {
    const char *text; /* in the table's arena, safe for a terminal */
    CtlColour colour;
} CtlCell;

typedef struct CtlTable {
    const char *const *titles; /* borrowed */
    size_t n_columns;
    Arena arena;
    CtlCell *cells; /* row by row */
    size_t n_cells;
    size_t capacity;
    int error;
} CtlTable;

/* CTL_TABLE_COLUMNS_MAX columns at most. */
void ctl_table_init(CtlTable *table, const char *const *titles, size_t n_columns);
void ctl_table_deinit(CtlTable *table);

/* The next cell, from left to right; NULL and "" are empty. The first failure sticks until ctl_table_print(). */
void ctl_table_add(CtlTable *table, const char *text, CtlColour colour);
void ctl_table_add_number(CtlTable *table, int64_t number);

/* Adds all to `output`, or its failure. `width` 0: no column is cut. */
void ctl_table_print(const CtlTable *table, size_t width, CtlOutput *output);
