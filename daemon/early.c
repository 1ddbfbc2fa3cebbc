#include "daemon/early.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/adopt.h"
#include "daemon/loader.h"

/*
 * What was looked up while the configuration was read is not older than this when it is used: else tokens that have changed
 * meanwhile would be served until they are verified.
 */
#define EARLY_MAX_USEC (5 * USEC_PER_SEC)

struct Early {
    Reconciler *reconciler; /* its `common` is ours, once it is read and until the end */
    Loader *loader;
    Config *common;
    bool is_over;
};

/* ---- looking up ---- */

/* One that fails pauses the account, as any. Without memory for it, it comes with the rest. */
static void early_look_up(Early *early)
{
    Reconciler *reconciler = early->reconciler;
    Gates *gates = reconciler->gates;

    assert(!reconciler->registry->config);
    if (early->common->settings.problem || gates_apply(gates, early->common) < 0)
        return;
    reconciler->common = early->common;
    if (gates->n_items == 1)
        adopt_look_up(reconciler, gates->items[0], clock_boottime());
}

static void early_on_begun(void *userdata)
{
    (void)userdata;
}

/* Only while the rest is being read: else the look-up comes with that. */
static void early_on_common(void *userdata, uint64_t number, Config *common, int error)
{
    Early *early = userdata;

    (void)number;
    if (error < 0 || early->is_over)
        return;
    early->common = config_ref(common);
    early_look_up(early);
}

static const LoaderOperations early_loads = {
    .begun = early_on_begun,
    .done = early_on_common,
};

/* ---- using what was found ---- */

static bool early_is_needed(const Registry *registry, const Gate *gate)
{
    for (size_t i = 0; i < registry->n_entries; i++) {
        const Entry *entry = registry->entries[i];

        if (entry->gate == gate && entry->want && !entry->want->problem)
            return true;
    }
    return false;
}

static void early_end_gate(Reconciler *reconciler, Gate *gate, usec_t now)
{
    if (!early_is_needed(reconciler->registry, gate)) /* nor would anybody end its pause */
        gate_renew(gate);
    else if (gate->looked_up != 0 && now - gate->looked_up > EARLY_MAX_USEC)
        gate_forget_look_up(gate);
    else if (gate->looked_up != 0)
        (void)adopt_match(reconciler, gate, now);
}

/* ---- what the header says ---- */

int early_start(const Paths *paths, const Snapshot *records, struct event_base *base,
                Reconciler *reconciler, Early **ret_early)
{
    _cleanup_(early_freep) Early *early = NULL;
    int r;

    if (records->n_records > 0 || records->n_orphans > 0 || records->n_pauses > 0) {
        *ret_early = NULL;
        return 0;
    }
    early = calloc(1, sizeof(*early));
    if (!early)
        return -ENOMEM;
    early->reconciler = reconciler;
    r = loader_new(paths, &records->key, base, config_load_common, &early_loads, early,
                   &early->loader);
    if (r == 0)
        r = loader_start_first(early->loader);
    if (r < 0)
        return r;
    *ret_early = TAKE_PTR(early);
    return 0;
}

void early_stop(Early *early)
{
    if (early)
        early->is_over = true;
}

void early_check(Early *early, const Config *config)
{
    const Config *common = early ? early->reconciler->common : NULL;
    const char *owner = config->settings.owner;

    if (common && (!owner || strcmp(owner, common->settings.owner) != 0))
        gates_renew(early->reconciler->gates);
}

void early_end(Early *early, usec_t now)
{
    Reconciler *reconciler = early ? early->reconciler : NULL;

    bool is_used = early && reconciler->common;

    early_stop(early);
    if (!early)
        return;
    reconciler->common = NULL;
    early->common = config_unref(early->common);
    for (size_t i = 0; i < reconciler->gates->n_items && is_used; i++)
        early_end_gate(reconciler, reconciler->gates->items[i], now);
}

Early *early_free(Early *early)
{
    if (!early)
        return NULL;
    loader_free(early->loader);
    config_unref(early->common);
    free(early);
    return NULL;
}
