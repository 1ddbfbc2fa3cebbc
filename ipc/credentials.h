#pragma once

/*
 * Credentials: the socket that other units name in LoadCredential=, and the tokens that they start with.
 *
 * systemd connects before a unit starts, says nothing but a name (ipc/credential_name.h), and takes what comes until the end
 * for the credential. There is no way to say "no": an end without a byte is an empty credential, and the unit starts
 * with it. So whoever is refused is sent more than a credential may hold, which systemd takes for a failure of the unit
 * (243/CREDENTIALS), and the log says why, since systemd does not.
 *
 * Who is asking: the name is a claim. It counts when the peer is root and the process at the other end is in the cgroup of
 * the unit that it names. The request is the unit's and not root's, or every unit could have every token: the instance's
 * list must let that unit in, by a unit: entry or by "any". user: and group: entries say nothing of a unit, whatever user
 * it runs as, since systemd asks before it becomes that user.
 *
 * What is asked for: the ID is the name of an instance, for its token (by "allow"), or, when there is no instance of that
 * whole name, INSTANCE.authorization, for the header (by "allow-authorization").
 *
 * An answer that is there is given in one write. Else the unit waits for it, credential-wait-sec at most. When this process
 * is killed meanwhile, systemd keeps the connection (FDSTORE=1) and gives it to the next one; a mark on the socket says whether
 * an answer had been begun, and then the unit fails. Between accept4() and the message to systemd a guard has the connection
 * (ipc/guard.h): a kill by then fails the unit. What is not covered: a kill of the guard, too, in those microseconds; a kill that
 * no restart follows, since the service is stopped then or was being stopped; more at once than FileDescriptorStoreMax=; and all
 * of it where systemd does not run us. SECURITY.md says it in full.
 *
 * Limits: CREDENTIALS_MAX, CREDENTIALS_PER_UID_MAX, CREDENTIAL_BYTES_MAX, CREDENTIAL_FILLER_BYTES, CREDENTIAL_FILL_USEC,
 *         CREDENTIAL_HURRY_USEC
 * Source: LoadCredential= in systemd.exec(5); systemd src/core/exec-credential.c, src/basic/fileio.c; measured, see
 *         tests/system/README.md
 */

#include <event2/event.h>

#include "base/cleanup.h"
#include "ipc/server_operations.h"

typedef struct Credentials Credentials;

/* Under which systemd keeps connections for the next run; see systemd/activation.h. */
#define CREDENTIALS_KEPT_NAME "credential"

/* `operations` and `userdata` must live as long. 0 or -errno; -EOPNOTSUPP as server_new(). */
int credentials_new(struct event_base *base, const ServerOperations *operations, void *userdata,
                    Credentials **ret_credentials);

/* Drops all connections, which gives those that wait an empty credential: credentials_stop() first. Returns NULL. */
Credentials *credentials_free(Credentials *credentials);

DEFINE_FREEP(Credentials, credentials_free)

/* How long a unit may wait; of those that wait already, too, since they came. 0 until it is said. */
void credentials_set_wait(Credentials *credentials, usec_t wait);

/* Takes the listening socket `fd` over (also on failure) and accepts on it. 0 or -errno. Once. */
int credentials_listen(Credentials *credentials, int fd);

/* Serves the connected socket `fd`, which an earlier run had taken up and systemd kept; takes it over. */
void credentials_resume(Credentials *credentials, int fd);

/*
 * Accepts no more, fails all that wait, and closes. Blocks until they have read that, CREDENTIAL_HURRY_USEC at most: to leave
 * them to systemd would be right before a restart, but when the service is stopped it closes them. Idempotent.
 */
void credentials_stop(Credentials *credentials);

/* Connections that are open. */
unsigned credentials_n_connections(const Credentials *credentials);
