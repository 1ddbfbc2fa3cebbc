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
    usec_t window; /* when it began */
    usec_t spent;  /* in it, and half of what was spent in the one before */
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
    quota->n_users++;
    LIST_INSERT_HEAD(&quota->users[uid % QUOTA_N_CHAINS], user, link);
    *ret_user = user;
    return 0;
}

/* Users that hold nothing are forgotten. */
static void quota_settle_user(Quota *quota, QuotaUser *user)
{
    for (size_t i = 0; i < N_ELEMENTS(user->n); i++)
        if (user->n[i] > 0)
            return;
    LIST_REMOVE(user, link);
    quota->n_users--;
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

bool quota_has_several(const Quota *quota)
{
    return quota->n_users > 1;
}

/* What a user has spent is halved with each window that ends. */
static void quota_turn_window(QuotaUser *user, usec_t now)
{
    usec_t n = now > user->window ? (now - user->window) / TURN_WINDOW_USEC : 0;

    if (n == 0)
        return;
    user->spent = n < 32 ? user->spent >> n : 0;
    user->window += n * TURN_WINDOW_USEC;
}

bool quota_is_busy(const QuotaCharge *charge, usec_t now)
{
    quota_turn_window(charge->user, now);
    return quota_has_several(charge->quota) && charge->user->spent > TURN_SHARE_USEC;
}

bool quota_spend(QuotaCharge *charge, usec_t now, usec_t spent)
{
    quota_turn_window(charge->user, now);
    charge->user->spent += spent;
    return quota_is_busy(charge, now);
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
    quota_settle_user(charge->quota, charge->user);
    *charge = (QuotaCharge){};
}
