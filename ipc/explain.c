#include "ipc/explain.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "ipc/access.h"

/* In the order of the method's row. */
enum {
    EXPLAIN_UID = 1,
    EXPLAIN_GROUPS,
    EXPLAIN_UNIT,
};

static bool explain_is_about_another(const Call *call)
{
    return call->arguments[EXPLAIN_UID] || call->arguments[EXPLAIN_GROUPS] ||
           call->arguments[EXPLAIN_UNIT];
}

/* The numbers that the row has checked; the caller frees. 0 or -ENOMEM. */
static int explain_take_groups(const JsonValue *value, gid_t **ret_groups, size_t *ret_n)
{
    gid_t *groups = calloc(value->n_children + 1, sizeof(*groups));
    size_t n = 0;

    if (!groups)
        return -ENOMEM;
    JSON_VALUE_FOREACH(member, value) {
        int64_t id = -1;

        (void)json_parse_int64(member->text, member->size, &id);
        groups[n++] = (gid_t)id;
    }
    *ret_groups = groups;
    *ret_n = n;
    return 0;
}

static void explain_write_verdict(Call *call, JsonWriter *json, const char *key, const Acl *acl,
                                  const AclSubject *subject)
{
    const AclEntry *entry = NULL;
    bool is_allowed = access_check_subject(acl, subject, &entry) == 0;

    json_writer_key(json, key);
    json_writer_open_object(json);
    json_writer_key(json, "isAllowed");
    json_writer_boolean(json, is_allowed);
    if (entry) {
        json_writer_key(json, "entry");
        json_writer_string(json, entry->text);
    }
    /* Whom else it lets in is for root to see. */
    if (access_is_root(call->peer)) {
        json_writer_key(json, "list");
        json_writer_open_array(json);
        for (size_t i = 0; acl && i < acl->n_entries; i++)
            json_writer_string(json, acl->entries[i].text);
        json_writer_close_array(json);
    }
    json_writer_close_object(json);
}

static int explain_answer(Call *call, const AclSubject *subject)
{
    VarlinkWriter writer;

    call_begin_reply(call, &writer);
    if (subject->uid != (uid_t)-1) {
        json_writer_key(&writer.json, "uid");
        json_writer_uint(&writer.json, subject->uid);
    }
    if (subject->unit) {
        json_writer_key(&writer.json, "unit");
        json_writer_string(&writer.json, subject->unit);
    }
    explain_write_verdict(call, &writer.json, "token", &call->served->terms->allow, subject);
    explain_write_verdict(call, &writer.json, "authorization",
                          &call->served->terms->allow_authorization, subject);
    return call_end_reply(&writer);
}

static int explain_another(Call *call)
{
    const JsonValue *uid = call->arguments[EXPLAIN_UID];
    const JsonValue *unit = call->arguments[EXPLAIN_UNIT];
    _cleanup_(freep) gid_t *groups = NULL;
    int64_t number = -1;
    size_t n = 0;
    int r;

    if (uid)
        (void)json_parse_int64(uid->text, uid->size, &number);
    if (call->arguments[EXPLAIN_GROUPS]) {
        r = explain_take_groups(call->arguments[EXPLAIN_GROUPS], &groups, &n);
        if (r < 0)
            return r;
    }
    return explain_answer(call, &(const AclSubject){
                                    .uid = (uid_t)number,
                                    .gid = (gid_t)-1,
                                    .groups = groups,
                                    .n_groups = n,
                                    .unit = unit ? unit->text : NULL,
                                });
}

int explain(Call *call)
{
    AclSubject subject;
    int r;

    if (explain_is_about_another(call))
        return access_is_root(call->peer) ? explain_another(call)
                                          : call_error(call, VARLINK_PERMISSION_DENIED);
    r = peer_subject(call->peer, PEER_GROUPS | PEER_UNIT, &subject);
    return r < 0 ? r : explain_answer(call, &subject);
}
