#include "ipc/quota.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/limits.h"

struct QuotaUser {
    LIST_ENTRY(QuotaUser) link;
    uid_t uid;
    unsigned n[QUOTA_N_KINDS];
    size_t n_bytes;
};

typedef struct QuotaLimit {
    unsigned per_user;
    unsigned total;
    unsigned for_root; /* of the total */
} QuotaLimit;

static const QuotaLimit quota_limits[QUOTA_N_KINDS] = {
    [QUOTA_CONNECTIONS] = {CONNECTIONS_PER_UID_MAX, CONNECTIONS_MAX, CONNECTIONS_ROOT_RESERVE},
    /* Each holds a connection, which bounds them in all. */
    [QUOTA_WAITING] = {WAITING_PER_UID_MAX, CONNECTIONS_MAX, 0},
    [QUOTA_WATCHES] = {WATCHES_PER_UID_MAX, WATCHES_MAX, 0},
    [QUOTA_CREDENTIALS] = {CREDENTIALS_PER_UID_MAX, CREDENTIALS_MAX, 0},
};

void quota_init(Quota *quota)
{
    *quota = (Quota){};
}

void quota_deinit(Quota *quota)
{
    for (size_t i = 0; i < N_ELEMENTS(quota->users); i++)
        assert(LIST_EMPTY(&quota->users[i]));
}

static int quota_find_user(Quota *quota, uid_t uid, QuotaUser **ret_user)
{
    QuotaUser *user;

    LIST_FOREACH(user, &quota->users[uid % QUOTA_N_CHAINS], link) {
        /* cppcheck-suppress uninitvar; LIST_FOREACH() sets it */
        if (user->uid == uid) {
            *ret_user = user;
            return 0;
        }
    }
    user = calloc(1, sizeof(*user));
    if (!user)
        return -ENOMEM;
    user->uid = uid;
    LIST_INSERT_HEAD(&quota->users[uid % QUOTA_N_CHAINS], user, link);
    *ret_user = user;
    return 0;
}

/* Users that hold nothing are forgotten. */
static void quota_settle_user(QuotaUser *user)
{
    for (size_t i = 0; i < N_ELEMENTS(user->n); i++)
        if (user->n[i] > 0)
            return;
    LIST_REMOVE(user, link);
    free(user);
}

int quota_charge(Quota *quota, uid_t uid, QuotaKind kind, QuotaCharge *ret_charge)
{
    const QuotaLimit *limit = &quota_limits[kind];
    QuotaUser *user;
    int r;

    if (quota->n[kind] >= limit->total - (uid != 0 ? limit->for_root : 0))
        return QUOTA_E_TOTAL;
    r = quota_find_user(quota, uid, &user);
    if (r < 0)
        return r;
    if (uid != 0 && user->n[kind] >= limit->per_user)
        return QUOTA_E_USER;
    user->n[kind]++;
    quota->n[kind]++;
    *ret_charge = (QuotaCharge){.quota = quota, .user = user, .kind = kind};
    return 0;
}

int quota_hold(QuotaCharge *charge, size_t n_bytes)
{
    QuotaUser *user = charge->user;
    Quota *quota = charge->quota;

    if (n_bytes > charge->n_bytes) {
        size_t more = n_bytes - charge->n_bytes;
        size_t total = UNREAD_BYTES_MAX - (user->uid != 0 ? UNREAD_BYTES_ROOT_RESERVE : 0);

        if (quota->n_bytes > total || more > total - quota->n_bytes)
            return QUOTA_E_TOTAL;
        if (user->uid != 0 && more > UNREAD_BYTES_PER_UID_MAX - user->n_bytes)
            return QUOTA_E_USER;
    }
    user->n_bytes = user->n_bytes - charge->n_bytes + n_bytes;
    quota->n_bytes = quota->n_bytes - charge->n_bytes + n_bytes;
    charge->n_bytes = n_bytes;
    return 0;
}

void quota_release(QuotaCharge *charge)
{
    int r;

    if (!charge->quota)
        return;
    r = quota_hold(charge, 0);
    assert(r == 0);
    assert(charge->user->n[charge->kind] > 0 && charge->quota->n[charge->kind] > 0);
    charge->user->n[charge->kind]--;
    charge->quota->n[charge->kind]--;
    quota_settle_user(charge->user);
    *charge = (QuotaCharge){};
}
