#pragma once

/*
 * Trouble: the kinds of what can be wrong, by which programs tell one problem from another, and advice is found.
 *
 * Words say what is wrong; a kind says which sort of thing that is, wherever it was found: in the configuration, by the
 * platform, on the disk. It goes with the words from there to the client, and into the records.
 */

#include <stddef.h>

#include "base/clock.h"

typedef enum Trouble {
    TROUBLE_NONE,
    TROUBLE_OTHER,                 /* of no kind that is listed here */
    TROUBLE_CONFIGURATION,         /* a mistake in a file */
    TROUBLE_NO_ACCOUNT,            /* an account that is not declared */
    TROUBLE_CREDENTIAL_UNREADABLE, /* what ${credential:…} names */
    TROUBLE_FILE_UNREADABLE,       /* what ${file:…} or "ca-file" names */
    TROUBLE_FILE_CHANGED,          /* an instance's, or what it names, since it was loaded */
    TROUBLE_SECRETS_REFUSED,       /* the platform refuses the account's secrets */
    TROUBLE_UNREACHABLE,           /* no connection to the platform, or it broke */
    TROUBLE_CERTIFICATE_UNTRUSTED,
    TROUBLE_CERTIFICATE_TIME, /* not valid at the time that our clock shows */
    TROUBLE_PLATFORM_FAILING, /* the platform answers, but not as it should */
    TROUBLE_MISSING_KEYS,     /* keys that the element requires */
    TROUBLE_REFUSED,          /* the platform refuses what is declared */
    TROUBLE_FORBIDDEN,        /* … since the account may not */
    TROUBLE_DISABLED,         /* on the platform */
    TROUBLE_OUTCOME_UNKNOWN,  /* of a creation whose answer was lost */
    TROUBLE_UNUSABLE,         /* what the platform has for an instance */
    TROUBLE_DUPLICATES,       /* more than one on the platform */
    TROUBLE_OWNER_CHANGED,    /* while an instance was being created */
    TROUBLE_DISK_FULL,
    TROUBLE_DISK_FAILING,
} Trouble;

/* What is wrong somewhere. */
typedef struct TroubleNote {
    Trouble trouble;
    const char *words; /* NULL: nothing is */
    usec_t since;      /* realtime; 0: not known */
} TroubleNote;

#define TROUBLE_N (TROUBLE_DISK_FAILING + 1)

/* The name on the wire and in the records, "diskFull"; static storage. NULL for TROUBLE_NONE. */
const char *trouble_name(Trouble trouble);

/* Of a name of `size` bytes; TROUBLE_OTHER for one that this version does not know. */
Trouble trouble_find(const char *name, size_t size);

/* What a failure to write, a negative errno, says of the disk. */
Trouble trouble_of_disk(int error);
