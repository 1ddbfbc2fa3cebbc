#pragma once

/*
 * Bodies: reads the bodies of instances on a thread, when they are to be sent, since files may take their time.
 *
 * Bodies hold secrets and are seldom needed, so no configuration keeps them: they are read again from the files
 * (config/instance_body.h), and what is not as it was when the configuration was loaded does not go out.
 *
 * All that is wanted when a thread begins is read by it; what is wanted meanwhile, by the next one. There is one at a time,
 * and none while nothing is wanted. Whoever wants has the ceiling: the engine wants as many as its questions may be.
 */

#include <event2/event.h>

#include "base/paths.h"
#include "base/secret.h"
#include "base/trouble.h"
#include "config/instance.h"

typedef struct Bodies Bodies;
typedef struct BodiesWish BodiesWish;

/* What of a body is wanted. */
typedef enum BodiesPart {
    BODIES_ALL,
    BODIES_LABELS, /* what a PATCH takes: body_format_labels() */
} BodiesPart;

typedef struct BodiesAnswer {
    Secret *body; /* NULL: there is none that may be sent */
    char
        *problem; /* then: a line for a person, which says what to do; NULL without memory for it */
    Trouble trouble; /* its kind */
} BodiesAnswer;

/* Called on the loop, never before bodies_wish_start() returns; the wish is gone. What is kept of `answer` must be taken out of it. */
typedef void (*BodiesHandler)(void *userdata, BodiesAnswer *answer);

/* `paths` and `key` are copied. 0 or -errno. */
int bodies_new(const Paths *paths, const DigestKey *key, struct event_base *base,
               Bodies **ret_bodies);

/*
 * All wishes must be gone. Waits for a file that is being read, but not for one that hangs: that goes on until the process
 * ends. NULL is fine. Returns NULL.
 */
Bodies *bodies_free(Bodies *bodies);

DEFINE_FREEP(Bodies, bodies_free)

/* For the body of `instance` as it was loaded for `owner`, both of which are borrowed for the call. 0 or -ENOMEM. */
int bodies_wish_new(Bodies *bodies, const Instance *instance, const char *owner, BodiesPart part,
                    BodiesHandler handler, void *userdata, BodiesWish **ret_wish);

/* Has it read. Once. */
void bodies_wish_start(BodiesWish *wish);

/* Cancels: the handler is not called. NULL is fine. Returns NULL. */
BodiesWish *bodies_wish_free(BodiesWish *wish);

DEFINE_FREEP(BodiesWish, bodies_wish_free)
