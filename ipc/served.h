#pragma once

/*
 * Served: one element instance as clients may see it.
 *
 * The daemon embeds one in what it knows of an instance, fills in the first part and says
 * server_changed() after each change; ipc/ reads it, and keeps in the last part what it needs per
 * instance. So ipc/ knows neither registry nor store.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/terms.h"
#include "base/trouble.h"
#include "ipc/wait_queue.h"

typedef enum ServedState {
    SERVED_PENDING,    /* declared, nothing done yet */
    SERVED_LOOKING_UP, /* the platform is asked whether it exists */
    SERVED_CREATING,   /* POST /instances under way */
    SERVED_READY,      /* nothing to be done until it is verified again */
    SERVED_WAITING,    /* transient problem, next try at a known time */
    SERVED_FAILED,     /* permanent problem, until the configuration changes */
    SERVED_DISABLED,   /* the platform says so */
} ServedState;

#define SERVED_N_STATES (SERVED_DISABLED + 1)

/* The name on the wire: "pending", "lookingUp", …; static storage. */
const char *served_state_name(ServedState state);

typedef struct Served {
    /* ---- the daemon's; all is borrowed from it until server_changed() or server_removed(); texts are UTF-8 ---- */
    const char *name;
    const Terms *terms;   /* never NULL */
    Secret *token;        /* durable, or NULL */
    int64_t id;           /* 0: none */
    usec_t since;         /* realtime: when it entered `state` */
    usec_t verified;      /* realtime, 0: never */
    usec_t retry;         /* realtime, 0: none due */
    TroubleNote *problem; /* NULL: none */
    unsigned attempts;
    ServedState state;

    /* ---- ipc's ---- */
    Secret *token_reply;             /* ready-made answer to GetToken; NULL: not made yet */
    WaitQueue waits;                 /* calls that wait for a token */
    TAILQ_ENTRY(Served) change_link; /* ipc/changes.h, while `change` is not 0 */
    uint64_t change;
    uint32_t slot;
    bool is_removed; /* server_removed() was said: calls find it no more */
} Served;

/* element.key for people; "" when its file is too broken to say. Borrowed. */
const char *served_element(const Served *served);

/* Zeroes both parts and makes ipc's usable. */
void served_init(Served *served);

/* Releases ipc's part; nobody may be waiting any more (server_removed() has seen to that). */
void served_deinit(Served *served);
