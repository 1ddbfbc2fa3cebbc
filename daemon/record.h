#pragma once

/*
 * Record: what the disk holds of one instance: of one that is declared, or of an orphan, which nothing uses any more.
 *
 * An immutable value, shared by reference: a change is a new record. So the store's thread can write
 * what it was handed while the loop goes on. References are taken and dropped on the loop's thread alone.
 *
 * Wall-clock times in it are never trusted further than the delay that stands beside them (base/clock.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/secret.h"
#include "base/shared.h"
#include "base/trouble.h"

/* Whether anything uses the instance, and if not, why; see ServedOrphanReason. */
typedef enum RecordOrphan {
    RECORD_IN_USE,
    RECORD_REMOVED,
    RECORD_REPLACED,
    RECORD_DUPLICATE,
    RECORD_UNCLAIMED,
} RecordOrphan;

/* What most records do not have. */
typedef struct RecordRare {
    /* Of an orphan, in whose record there is no token. */
    RecordOrphan orphan;
    bool is_outgoing; /* replaced while its file said "delete": its successor decides */
    usec_t since;     /* realtime */

    /*
     * Intent (realtime, 0: none): from then on a POST may have gone out, and what became of it is not known. How
     * long ago that was is not concluded from it, since the wall clock may have jumped.
     */
    usec_t intent;
    const char *
        owner; /* of the tag by which that POST's instance can be found; NULL: as the settings say */

    /* Back-off. */
    unsigned attempts;
    Trouble
        failure_trouble; /* kind of `failure`; TROUBLE_NONE: not known, since an earlier version wrote it */
    usec_t delay;
    usec_t retry; /* realtime, 0: none */

    const char *failure; /* permanent problem of the body with these digests, or NULL */
    usec_t failed;       /* realtime: since when, 0: not known */
} RecordRare;

typedef struct Record {
    unsigned n_refs;
    bool is_disabled;
    bool is_doomed; /* to be deleted on the platform: when its file goes, or for an orphan now */
    bool has_digests;

    /* All texts of it are shared (base/shared.h), or NULL. */
    const char *name;
    const char *account; /* its name in the configuration */
    const char *url;     /* of the platform that `id` is an id of */
    const char *element; /* element.key */

    int64_t id; /* 0: none */
    Secret *token;
    usec_t verified; /* realtime: when the platform last confirmed the token; 0: never */

    /* Of the body that was sent, or taken as what was adopted. */
    Digest labels_digest;
    Digest body_digest;

    RecordRare *rare; /* never NULL; many records share one, after record_finish() */
} Record;

/* A record of its own with one reference, that may be changed until it is shared: empty but for `name`. */
int record_new(const char *name, Record **ret_record);

/* A changeable copy of `record`. 0 or -ENOMEM. */
int record_copy(const Record *record, Record **ret_record);

/* Ends the changes of a record that is not shared yet: what it has not, takes no room any more. */
void record_finish(Record *record);

/* NULL is fine for both. record_unref() returns NULL. */
Record *record_ref(Record *record);
Record *record_unref(Record *record);

DEFINE_FREEP(Record, record_unref)

/* Replaces a text of a record that is not shared yet by a copy of `value`, or NULL, which never fails. 0 or -ENOMEM. */
int record_set_string(const char **field, const char *value);

/* Sets or, with NULL, drops the failure of a record that is not shared yet. 0, or -ENOMEM: it is as it was. */
int record_set_failure(Record *record, Trouble trouble, const char *failure);

void record_write(const Record *record, JsonWriter *writer);

/*
 * Reader of records, fed with the events of a document (base/json.h) whose records are the elements of an
 * array at `path`. At the second path all must be orphans, at the first none.
 */
#define RECORD_PATH        "/records/[]"
#define RECORD_ORPHAN_PATH "/orphans/[]"

typedef struct RecordReader {
    const char *path;  /* RECORD_PATH or RECORD_ORPHAN_PATH */
    Record *record;    /* being read */
    Record *previous;  /* which shares its texts with this one, where they say the same */
    bool is_broken;    /* it has a field of the wrong type or size */
    size_t next_field; /* which is looked for first */
} RecordReader;

void record_reader_deinit(RecordReader *reader);

/*
 * A record begins, has a member (which must be no array or object), and ends: for who knows where it stands without a path.
 * 0 or -ENOMEM; at the end also RECORD_E_BROKEN, else *ret_record is the record.
 */
int record_reader_open(RecordReader *reader);
int record_reader_member(RecordReader *reader, const char *key, size_t key_size,
                         const JsonEvent *event);
int record_reader_close(RecordReader *reader, Record **ret_record);

/*
 * Takes in one event. *ret_record is a record when this event completed one, else NULL. Unknown fields are
 * passed over, for documents of later versions. 0, RECORD_E_BROKEN (this event completed one that cannot
 * be used) or -ENOMEM.
 */
enum {
    RECORD_E_BROKEN = 1,
};

int record_reader_take(RecordReader *reader, const JsonEvent *event, Record **ret_record);
