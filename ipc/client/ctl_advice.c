#include "ipc/client/ctl_advice.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "ipc/client/ctl_failure.h"

/* What stands in braces is filled in; see ctl_advice_places. */
typedef struct CtlAdvice {
    const char *kind;
    CtlStatus status;
    bool is_shared;
    const char *words;
} CtlAdvice;

/* clang-format off */
static const CtlAdvice ctl_advices[] = {
    {"configuration", CTL_FAILED, false,
     "edit that file at that place, then: sudo elementctl check && sudo elementctl reload"},
    {"noAccount", CTL_FAILED, true,
     "edit {account-file}: an account is \"url\", \"user\" and \"organization\" (man elementd-account); then: sudo "
     "elementctl reload"},
    {"credentialUnreadable", CTL_FAILED, false,
     "sudo systemctl edit elementd, where [Service] needs a LoadCredentialEncrypted= of that name (man systemd-creds "
     "makes the file); then: sudo systemctl restart elementd"},
    {"fileUnreadable", CTL_FAILED, false,
     "ls -l that file: it must be there, and the group elementd must be able to read it; then: sudo elementctl reload"},
    {"fileChanged", CTL_FAILED, false,
     "sudo elementctl check && sudo elementctl reload: {instance-file}, or a file that it refers to, is not as elementd "
     "has loaded it, and only what was loaded is sent"},
    {"secretsRefused", CTL_FAILED, false,
     "edit {account-file}, or what it refers to: \"user\" or \"organization\" is wrong; then: sudo elementctl reload "
     "(after a change of credentials: sudo systemctl restart elementd)"},
    {"unreachable", CTL_NOT_READY, false,
     "check \"url\" in {account-file}, name service, routes and proxy of this host; elementd goes on trying, and at once "
     "by: sudo elementctl retry {instance}"},
    {"certificateUntrusted", CTL_FAILED, false,
     "edit {account-file}: \"ca-file\" has to name the authority that signed the platform's certificate, unless somebody "
     "else answers there; then: sudo elementctl reload"},
    {"certificateTime", CTL_FAILED, false,
     "timedatectl shows the clock of this host, which may be wrong: set it by sudo timedatectl set-ntp true; if it is "
     "right, the platform has to renew its certificate"},
    {"platformFailing", CTL_NOT_READY, false,
     "wait, elementd goes on trying, or at once: sudo elementctl retry {instance}; if it does not end, tell the "
     "platform's support these words and the time"},
    {"missingKeys", CTL_FAILED, false,
     "edit {instance-file}: add the keys that are named to \"configuration\"; then: sudo elementctl reload"},
    {"refused", CTL_FAILED, false,
     "edit {instance-file} as the platform says; then: sudo elementctl reload (or, with the file as it is: sudo elementctl "
     "retry {instance})"},
    {"forbidden", CTL_FAILED, false,
     "ask the platform's administrator to let the user of account \"{account}\" do that; then: sudo elementctl retry "
     "{instance}"},
    {"disabled", CTL_FAILED, false,
     "enable the instance on the platform; then: sudo elementctl retry {instance}"},
    {"outcomeUnknown", CTL_NOT_READY, false,
     "elementctl wait {instance}: before it tries again, elementd looks on the platform what became of it"},
    {"unusable", CTL_FAILED, false,
     "look at the instance on the platform, and delete it there when nobody uses it; then: sudo elementctl retry "
     "{instance}"},
    {"duplicates", CTL_OK, false,
     "sudo elementctl orphans lists them: delete on the platform what nobody uses"},
    {"ownerChanged", CTL_FAILED, false,
     "edit {settings-file}: set \"owner\" back to what it was; then: sudo elementctl reload"},
    {"diskFull", CTL_FAILED, true,
     "df -h {state-folder}: free some space there; elementd goes on by itself then"},
    {"diskFailing", CTL_FAILED, true,
     "findmnt -T {state-folder} and journalctl -k: that disk fails, or must not be written; elementd goes on by itself "
     "once it can"},
    {CTL_ADVICE_NO_DAEMON, CTL_NO_DAEMON, true,
     "{start}"},
    {CTL_ADVICE_NO_ANSWER, CTL_NO_DAEMON, true,
     "systemctl status elementd, and journalctl -u elementd; then: sudo systemctl restart elementd"},
    {CTL_ADVICE_NO_PERMISSION, CTL_DENIED, true,
     "sudo elementctl status; the socket is open to all unless its unit says otherwise: systemctl cat elementd.socket"},
    {CTL_ADVICE_UNIT_WAITS, CTL_NOT_READY, false,
     "elementctl wait {instance}: the unit goes on by itself once there is a token; when it has failed: sudo systemctl "
     "restart {unit}"},
};
/* clang-format on */

/* Of no kind that is listed. */
static const CtlAdvice ctl_advice_other = {
    "other",
    CTL_NOT_READY,
    false,
    "journalctl -u elementd tells more; to try again at once: sudo elementctl retry {instance}",
};

/* The row of `kind`, or ctl_advice_other. */
static const CtlAdvice *ctl_advice_find(const char *kind)
{
    for (size_t i = 0; i < N_ELEMENTS(ctl_advices); i++)
        if (strcmp(ctl_advices[i].kind, kind) == 0)
            return &ctl_advices[i];
    return &ctl_advice_other;
}

bool ctl_advice_knows(const char *kind)
{
    return ctl_advice_find(kind) != &ctl_advice_other;
}

CtlStatus ctl_advice_status(const char *kind)
{
    return ctl_advice_find(kind)->status;
}

bool ctl_advice_is_shared(const char *kind)
{
    return ctl_advice_find(kind)->is_shared;
}

/* ---- what is filled in, a function a place; each returns as ctl_advice_append() ---- */

static int ctl_advice_put_instance(const Ctl *ctl, const CtlSubject *subject, Buffer *words)
{
    (void)ctl;
    return buffer_append_string(words, subject->instance ? subject->instance : "NAME");
}

static int ctl_advice_put_account(const Ctl *ctl, const CtlSubject *subject, Buffer *words)
{
    (void)ctl;
    return buffer_append_string(words, subject->account ? subject->account : "default");
}

static int ctl_advice_put_unit(const Ctl *ctl, const CtlSubject *subject, Buffer *words)
{
    (void)ctl;
    return buffer_append_string(words, subject->unit ? subject->unit : "UNIT");
}

static int ctl_advice_put_file(const Ctl *ctl, const char *folder, const char *name, Buffer *words)
{
    _cleanup_(freep) char *file = ctl_failure_file(ctl, folder, name);

    return file ? buffer_append_string(words, file) : -ENOMEM;
}

static int ctl_advice_put_account_file(const Ctl *ctl, const CtlSubject *subject, Buffer *words)
{
    return ctl_advice_put_file(ctl, "accounts.d/", subject->account ? subject->account : "default",
                               words);
}

static int ctl_advice_put_instance_file(const Ctl *ctl, const CtlSubject *subject, Buffer *words)
{
    return ctl_advice_put_file(ctl, "instances.d/", subject->instance ? subject->instance : "NAME",
                               words);
}

static int ctl_advice_put_settings_file(const Ctl *ctl, const CtlSubject *subject, Buffer *words)
{
    (void)subject;
    return ctl_advice_put_file(ctl, "", "elementd", words);
}

static int ctl_advice_put_state(const Ctl *ctl, const CtlSubject *subject, Buffer *words)
{
    (void)subject;
    return buffer_printf(words, "%s/var/lib/elementd", ctl->options.root ? ctl->options.root : "");
}

static int ctl_advice_put_start(const Ctl *ctl, const CtlSubject *subject, Buffer *words)
{
    (void)subject;
    if (ctl->options.root)
        return buffer_printf(words, "elementd --root=%s", ctl->options.root);
    return buffer_append_string(words,
                                "sudo systemctl start elementd; why it is not running: systemctl "
                                "status elementd");
}

static const struct {
    const char *name;
    int (*put)(const Ctl *ctl, const CtlSubject *subject, Buffer *words);
} ctl_advice_places[] = {
    {"{instance}", ctl_advice_put_instance},
    {"{account}", ctl_advice_put_account},
    {"{unit}", ctl_advice_put_unit},
    {"{account-file}", ctl_advice_put_account_file},
    {"{instance-file}", ctl_advice_put_instance_file},
    {"{settings-file}", ctl_advice_put_settings_file},
    {"{state-folder}", ctl_advice_put_state},
    {"{start}", ctl_advice_put_start},
};

/* Appends the place that `text` begins with, filled in; or its first character. */
static int ctl_advice_fill(const Ctl *ctl, const CtlSubject *subject, const char **text,
                           Buffer *words)
{
    for (size_t i = 0; i < N_ELEMENTS(ctl_advice_places); i++) {
        size_t size = strlen(ctl_advice_places[i].name);

        if (strncmp(*text, ctl_advice_places[i].name, size) != 0)
            continue;
        *text += size;
        return ctl_advice_places[i].put(ctl, subject, words);
    }
    return buffer_append(words, (*text)++, 1);
}

int ctl_advice_append(const Ctl *ctl, const CtlSubject *subject, Buffer *words)
{
    const char *text = ctl_advice_find(subject->kind)->words;
    int r = 0;

    while (r == 0 && *text) {
        size_t size = strcspn(text, "{");

        r = buffer_append(words, text, size);
        text += size;
        if (r == 0 && *text)
            r = ctl_advice_fill(ctl, subject, &text, words);
    }
    return r;
}
