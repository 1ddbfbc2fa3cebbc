/*
 * elementctl explain: which entry lets somebody have an instance's token and header, or that none does, and whether they can
 * open the socket at all.
 *
 * The decision is the daemon's, by the configuration that it runs with. Users' names are looked up here, and so are the
 * permissions of the socket's path: of modes and owners; access control lists of the file system are not seen.
 */

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ipc/client/ctl_call.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_output.h"

/* NGROUPS_MAX of the kernel. */
#define CTL_EXPLAIN_GROUPS_MAX 65536

typedef struct CtlExplain {
    const char *unit; /* NULL: none */
    bool has_user;
    uid_t uid;
    gid_t *groups; /* with the primary one */
    size_t n_groups;
} CtlExplain;

static void ctl_explain_deinit(CtlExplain *who)
{
    free(who->groups);
}

/* ---- whom it is about ---- */

static CtlStatus ctl_explain_find_groups(const struct passwd *entry, CtlExplain *who)
{
    int n = CTL_EXPLAIN_GROUPS_MAX;

    who->groups = calloc((size_t)n, sizeof(*who->groups));
    if (!who->groups || getgrouplist(entry->pw_name, entry->pw_gid, who->groups, &n) < 0) {
        ctl_failure_say("the groups of user \"%s\" cannot be found out", entry->pw_name);
        return CTL_OTHER;
    }
    who->n_groups = (size_t)n;
    return CTL_OK;
}

/* A name, or a number that no name need have. */
static CtlStatus ctl_explain_find_user(const char *user, CtlExplain *who)
{
    const struct passwd *entry;
    unsigned long long number = 0;
    bool is_number = user[strspn(user, "0123456789")] == '\0';

    if (is_number) {
        errno = 0;
        number = strtoull(user, NULL, 10);
        is_number = errno == 0 && number < UINT32_MAX;
    }
    entry = is_number ? getpwuid((uid_t)number) : getpwnam(user);
    if (!entry && !is_number) {
        ctl_failure_say("there is no user \"%s\"", user);
        return CTL_OTHER;
    }
    who->has_user = true;
    who->uid = entry ? entry->pw_uid : (uid_t)number;
    return entry ? ctl_explain_find_groups(entry, who) : CTL_OK;
}

static void ctl_explain_write(JsonWriter *json, const void *userdata)
{
    const CtlExplain *who = userdata;

    if (who->has_user) {
        json_writer_key(json, "uid");
        json_writer_uint(json, who->uid);
        json_writer_key(json, "groups");
        json_writer_open_array(json);
        for (size_t i = 0; i < who->n_groups; i++)
            json_writer_uint(json, who->groups[i]);
        json_writer_close_array(json);
    }
    if (who->unit) {
        json_writer_key(json, "unit");
        json_writer_string(json, who->unit);
    }
}

/* ---- the socket's path ---- */

static bool ctl_explain_is_member(const CtlExplain *who, gid_t gid)
{
    for (size_t i = 0; i < who->n_groups; i++)
        if (who->groups[i] == gid)
            return true;
    return false;
}

/* Whether they may do `what` (an octal digit of a mode) by the first class that they are in, as the kernel decides. */
static bool ctl_explain_may(const CtlExplain *who, const struct stat *st, mode_t what)
{
    if (who->uid == 0)
        return true;
    if (st->st_uid == who->uid)
        return (st->st_mode >> 6 & what) == what;
    if (ctl_explain_is_member(who, st->st_gid))
        return (st->st_mode >> 3 & what) == what;
    return (st->st_mode & what) == what;
}

/* What of `path` keeps them from connecting, which the caller frees, or NULL when nothing does. 0 or -ENOMEM. */
static int ctl_explain_find_obstacle(const CtlExplain *who, const char *path, char **ret_obstacle)
{
    _cleanup_(freep) char *copy = strdup(path);
    size_t size = strlen(path);

    if (!copy)
        return -ENOMEM;
    for (size_t i = 1; i <= size; i++) {
        bool is_socket = i == size;
        struct stat st;

        if (path[i] != '/' && !is_socket)
            continue;
        copy[i] = '\0';
        if (stat(copy, &st) < 0 || !ctl_explain_may(who, &st, is_socket ? 2 : 1)) {
            *ret_obstacle = TAKE_PTR(copy);
            return 0;
        }
        copy[i] = path[i];
    }
    return 0;
}

/* NULL without memory. The caller frees. */
static char *ctl_explain_socket(const Ctl *ctl)
{
    const char *root = ctl->options.root ? ctl->options.root : "";
    char *path = NULL;

    if (ctl->options.socket)
        return strdup(ctl->options.socket);
    return asprintf(&path, "%s/run/elementd/io.elementd", root) < 0 ? NULL : path;
}

/* ---- telling ---- */

static bool ctl_explain_is_allowed(const JsonValue *verdict)
{
    const JsonValue *is_allowed = verdict ? json_value_find(verdict, "isAllowed") : NULL;

    return is_allowed && is_allowed->type == JSON_BOOLEAN && is_allowed->boolean;
}

static void ctl_explain_print_list(CtlOutput *output, const JsonValue *verdict)
{
    const JsonValue *list = json_value_find(verdict, "list");
    const char *between = " (it has ";

    if (!list || list->type != JSON_ARRAY)
        return;
    JSON_VALUE_FOREACH(entry, list) {
        if (!json_value_is_text(entry))
            continue;
        ctl_output_printf(output, "%s", between);
        ctl_output_text(output, entry->text, CTL_COLOUR_NONE);
        between = ", ";
    }
    ctl_output_printf(output, list->n_children > 0 ? ")" : " (it is empty)");
}

static void ctl_explain_print_verdict(CtlOutput *output, const JsonValue *reply, const char *key,
                                      const char *list)
{
    const JsonValue *verdict = json_value_find(reply, key);
    const char *entry = verdict ? ctl_reply_text(verdict, "entry") : NULL;

    ctl_output_printf(output, "%s: ", key);
    if (!ctl_explain_is_allowed(verdict)) {
        ctl_output_text(output, "denied", CTL_COLOUR_BAD);
        ctl_output_printf(output, ", no entry of \"%s\" lets it in", list);
        if (verdict)
            ctl_explain_print_list(output, verdict);
    } else {
        ctl_output_text(output, "allowed", CTL_COLOUR_GOOD);
        ctl_output_printf(output, entry ? " by " : ", as root always is");
        if (entry)
            ctl_output_text(output, entry, CTL_COLOUR_NONE);
    }
    ctl_output_printf(output, "\n");
}

static void ctl_explain_print_who(CtlOutput *output, const Ctl *ctl, const JsonValue *reply)
{
    const char *unit = ctl_reply_text(reply, "unit");
    const JsonValue *uid = json_value_find(reply, "uid");

    ctl_output_printf(output, "instance: ");
    ctl_output_text(output, ctl->arguments[0], CTL_COLOUR_NONE);
    ctl_output_printf(output, "\nasked by: ");
    if (uid)
        ctl_output_printf(output, "uid %lld%s", (long long)ctl_reply_number(reply, "uid"),
                          unit ? " in " : "");
    if (unit)
        ctl_output_text(output, unit, CTL_COLOUR_NONE);
    ctl_output_printf(output, "\n");
}

static void ctl_explain_print_socket(CtlOutput *output, const CtlExplain *who, const char *socket,
                                     const char *obstacle)
{
    if (!who->has_user && who->unit) {
        ctl_output_printf(output,
                          "socket: for LoadCredential= the path does not matter; whether its "
                          "processes can open it depends on their user\n");
        return;
    }
    ctl_output_printf(output, "socket: ");
    ctl_output_text(output, socket, CTL_COLOUR_NONE);
    ctl_output_printf(output,
                      obstacle ? " cannot be opened, because of the mode of " : " can be opened\n");
    if (obstacle) {
        ctl_output_text(output, obstacle, CTL_COLOUR_BAD);
        ctl_output_printf(output, "\n");
    }
}

CtlStatus ctl_explain(const Ctl *ctl)
{
    _cleanup_(ctl_explain_deinit) CtlExplain who = {.unit = ctl->options.unit};
    _cleanup_(ctl_reply_deinit) CtlReply reply = {};
    _cleanup_(ctl_output_deinit) CtlOutput output;
    _cleanup_(freep) char *socket = ctl_explain_socket(ctl);
    _cleanup_(freep) char *obstacle = NULL;
    CtlStatus status = CTL_OK;

    ctl_output_init(&output, ctl);
    if (ctl->options.user)
        status = ctl_explain_find_user(ctl->options.user, &who);
    if (status == CTL_OK)
        status = ctl_call_with(ctl, "io.elementd.Explain", ctl->arguments[0], ctl_explain_write,
                               &who, 0, &reply);
    if (status != CTL_OK)
        return status;
    /* Who asks for himself has opened it just now. */
    if (!socket || (who.has_user && ctl_explain_find_obstacle(&who, socket, &obstacle) < 0)) {
        ctl_failure_say("out of memory");
        return CTL_OTHER;
    }
    if (ctl_options_has(&ctl->options, CTL_OPTION_JSON)) {
        json_writer_value(ctl_output_begin_json(&output), reply.parameters);
        ctl_output_end_json(&output);
    } else {
        ctl_explain_print_who(&output, ctl, reply.parameters);
        ctl_explain_print_socket(&output, &who, socket, obstacle);
        ctl_explain_print_verdict(&output, reply.parameters, "token", "allow");
        ctl_explain_print_verdict(&output, reply.parameters, "authorization",
                                  "allow-authorization");
    }
    status = ctl_output_end(&output);
    if (status != CTL_OK)
        return status;
    return !obstacle && ctl_explain_is_allowed(json_value_find(reply.parameters, "token"))
               ? CTL_OK
               : CTL_DENIED;
}
