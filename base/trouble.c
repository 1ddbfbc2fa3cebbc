#include "base/trouble.h"

#include <errno.h>
#include <string.h>

static const char *const trouble_names[TROUBLE_N] = {
    [TROUBLE_OTHER] = "other",
    [TROUBLE_CONFIGURATION] = "configuration",
    [TROUBLE_NO_ACCOUNT] = "noAccount",
    [TROUBLE_CREDENTIAL_UNREADABLE] = "credentialUnreadable",
    [TROUBLE_FILE_UNREADABLE] = "fileUnreadable",
    [TROUBLE_FILE_CHANGED] = "fileChanged",
    [TROUBLE_SECRETS_REFUSED] = "secretsRefused",
    [TROUBLE_UNREACHABLE] = "unreachable",
    [TROUBLE_CERTIFICATE_UNTRUSTED] = "certificateUntrusted",
    [TROUBLE_CERTIFICATE_TIME] = "certificateTime",
    [TROUBLE_PLATFORM_FAILING] = "platformFailing",
    [TROUBLE_MISSING_KEYS] = "missingKeys",
    [TROUBLE_REFUSED] = "refused",
    [TROUBLE_FORBIDDEN] = "forbidden",
    [TROUBLE_DISABLED] = "disabled",
    [TROUBLE_OUTCOME_UNKNOWN] = "outcomeUnknown",
    [TROUBLE_UNUSABLE] = "unusable",
    [TROUBLE_DUPLICATES] = "duplicates",
    [TROUBLE_OWNER_CHANGED] = "ownerChanged",
    [TROUBLE_DISK_FULL] = "diskFull",
    [TROUBLE_DISK_FAILING] = "diskFailing",
};

const char *trouble_name(Trouble trouble)
{
    return trouble_names[trouble];
}

Trouble trouble_find(const char *name, size_t size)
{
    for (size_t i = TROUBLE_OTHER; i < TROUBLE_N; i++)
        if (strlen(trouble_names[i]) == size && memcmp(trouble_names[i], name, size) == 0)
            return (Trouble)i;
    return TROUBLE_OTHER;
}

Trouble trouble_of_disk(int error)
{
    return error == -ENOSPC || error == -EDQUOT ? TROUBLE_DISK_FULL : TROUBLE_DISK_FAILING;
}
