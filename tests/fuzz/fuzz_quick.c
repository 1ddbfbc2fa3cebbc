/*
 * The quick parser of calls against the general one: what the quick one takes, the general one takes, and makes the same
 * of it, to the last member, but for the offsets, which nobody asks for. What it leaves is none of its business.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "ipc/quick.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_compare_text(const char *a, size_t a_size, const char *b, size_t b_size)
{
    assert((a != NULL) == (b != NULL) && a_size == b_size);
    assert(!a || (memcmp(a, b, a_size) == 0 && a[a_size] == '\0' && b[b_size] == '\0'));
}

static void fuzz_compare(const JsonValue *a, const JsonValue *b)
{
    const JsonValue *other = b->first;

    assert(a->type == b->type && a->boolean == b->boolean && a->n_children == b->n_children);
    fuzz_compare_text(a->text, a->size, b->text, b->size);
    assert((a->last != NULL) == (b->last != NULL));
    JSON_VALUE_FOREACH(child, a) {
        assert(other);
        fuzz_compare_text(child->key, child->key_size, other->key, other->key_size);
        fuzz_compare(child, other);
        assert((child == a->last) == (other == b->last));
        other = other->next;
    }
    assert(!other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(arena_deinit) Arena quick_arena = ARENA_INIT(json_value_arena_max(size));
    _cleanup_(arena_deinit) Arena arena = ARENA_INIT(json_value_arena_max(size));
    const char *text = (const char *)data;
    VarlinkCall quick, call;
    int r;

    if (size > REQUEST_BYTES_MAX || quick_parse_call(&quick_arena, text, size, &quick) != 0)
        return 0;
    r = varlink_parse_any_call(&arena, text, size, &call);
    assert(r == 0);
    assert(strcmp(quick.method, call.method) == 0);
    assert(quick.more == call.more && quick.oneway == call.oneway && quick.upgrade == call.upgrade);
    assert((quick.parameters != NULL) == (call.parameters != NULL));
    if (quick.parameters)
        fuzz_compare(quick.parameters, call.parameters);
    return 0;
}
