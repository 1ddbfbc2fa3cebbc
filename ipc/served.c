#include "ipc/served.h"

#include <assert.h>
#include <stddef.h>

const char *served_state_name(ServedState state)
{
    switch (state) {
    case SERVED_PENDING:
        return "pending";
    case SERVED_LOOKING_UP:
        return "lookingUp";
    case SERVED_CREATING:
        return "creating";
    case SERVED_READY:
        return "ready";
    case SERVED_WAITING:
        return "waiting";
    case SERVED_FAILED:
        return "failed";
    case SERVED_DISABLED:
        return "disabled";
    }
    assert(false);
    return NULL;
}

const char *served_element(const Served *served)
{
    return served->terms->element ? served->terms->element : "";
}

void served_init(Served *served)
{
    *served = (Served){.terms = &terms_none};
    TAILQ_INIT(&served->waits);
}

void served_deinit(Served *served)
{
    assert(TAILQ_EMPTY(&served->waits));
    served->token_reply = secret_unref(served->token_reply);
}
