#pragma once

/*
 * Quota: how much of what is scarce each user holds, so that nobody can take it all. Pure.
 *
 * A charge is embedded in what it pays for and given back with it. Root is exempt from a user's share,
 * but nobody from the total, of which some connections are kept for root. A user is known as long as anything is charged to it.
 *
 * Limits: CONNECTIONS_MAX, CONNECTIONS_ROOT_RESERVE, UNREAD_BYTES_PER_UID_MAX, UNREAD_BYTES_MAX, UNREAD_BYTES_ROOT_RESERVE,
 *         CONNECTIONS_PER_UID_MAX, WAITING_PER_UID_MAX, WATCHES_PER_UID_MAX, WATCHES_MAX, CREDENTIALS_MAX,
 *         CREDENTIALS_PER_UID_MAX,
 *         TURN_WINDOW_USEC, TURN_SHARE_USEC
 * Source: dbus-broker, src/util/user.h, for the idea of an embedded charge
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/clock.h"

typedef enum QuotaKind {
    QUOTA_CONNECTIONS,
    QUOTA_WAITING, /* calls that wait for a token or for a reload */
    QUOTA_WATCHES,
    QUOTA_CREDENTIALS, /* connections of ipc/credentials.h */
} QuotaKind;

#define QUOTA_N_KINDS  (QUOTA_CREDENTIALS + 1)
#define QUOTA_N_CHAINS 64

enum {
    QUOTA_E_USER = 1, /* the user holds all that one user may */
    QUOTA_E_TOTAL,    /* there is no more of it for anybody */
};

typedef struct QuotaUser QuotaUser;

typedef struct Quota {
    LIST_HEAD(QuotaUsers, QuotaUser) users[QUOTA_N_CHAINS]; /* by uid */
    unsigned n[QUOTA_N_KINDS];
    size_t n_bytes;
    unsigned n_users;
} Quota;

typedef struct QuotaCharge {
    Quota *quota; /* NULL: nothing is charged */
    QuotaUser *user;
    QuotaKind kind;
    size_t n_bytes; /* unread, by quota_hold() */
} QuotaCharge;

void quota_init(Quota *quota);

/* Asserts that nothing is charged any more. */
void quota_deinit(Quota *quota);

/* One more of `kind` for `uid`. 0, QUOTA_E_* or -ENOMEM. */
int quota_charge(Quota *quota, uid_t uid, QuotaKind kind, QuotaCharge *ret_charge);

/* What it pays for holds `n_bytes` that its user has not read, and no longer what it held before. 0, or QUOTA_E_*: as before. */
int quota_hold(QuotaCharge *charge, size_t n_bytes);

/*
 * The loop has worked for `spent` for the charge's user, up to `now` (boot-time clock). Whether that user is busy: it has had
 * more than TURN_SHARE_USEC in a TURN_WINDOW_USEC, as of late. An only user never is.
 */
bool quota_spend(QuotaCharge *charge, usec_t now, usec_t spent);
bool quota_is_busy(const QuotaCharge *charge, usec_t now);

/* Whether there are several users, so that it matters what one of them spends. */
bool quota_has_several(const Quota *quota);

/* Gives the charge back; fine on a zeroed or released one. */
void quota_release(QuotaCharge *charge);
