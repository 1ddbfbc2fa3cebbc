#pragma once

/*
 * Loader: reads the configuration anew, on a thread of its own, since files and names may take their time.
 *
 * One load at a time; what is asked for meanwhile is one more behind it, that sees all that was changed before it was asked
 * for. Loads are numbered, so that whoever has asked knows which one is his.
 */

#include <event2/event.h>

#include "base/paths.h"
#include "config/config.h"

typedef struct Loader Loader;

/* Called on the loop: a load has begun; or load `number` is over: `config`, borrowed, or -errno. */
typedef struct LoaderOperations {
    void (*begun)(void *userdata);
    void (*done)(void *userdata, uint64_t number, Config *config, int error);
} LoaderOperations;

/* What is loaded: config_load() or config_load_common(). */
typedef int (*LoaderRead)(const Paths *paths, const DigestKey *key, Config **ret_config);

/* `paths` and `key` are copied; `operations` must live as long as the loader. 0 or -errno. */
int loader_new(const Paths *paths, const DigestKey *key, struct event_base *base, LoaderRead read,
               const LoaderOperations *operations, void *userdata, Loader **ret_loader);

/*
 * Nobody is called any more. Waits for a load that is under way, but not for one that hangs: that goes on until the process
 * ends. NULL is fine. Returns NULL.
 */
Loader *loader_free(Loader *loader);

DEFINE_FREEP(Loader, loader_free)

/*
 * Begins load 1, of which begun() is told from within this call: for a start that has more to do before its loop runs. Before any
 * other is asked for. 0, or -errno: then nothing has begun.
 */
int loader_start_first(Loader *loader);

/* Asks for a load that begins from now on. Its number, from 1 on. */
uint64_t loader_start(Loader *loader);
