#pragma once

/*
 * Every ceiling of the daemon, once, each with its reason.
 *
 * Nothing that holds bytes, entries or time grows without one of these. Each is
 * tested at the limit and one past it.
 */

#include "base/clock.h"

/* ---- configuration ---- */

/* A drop-in. The largest documented instance body has 2 KiB; certificates pasted into one add some. */
#define CONFIG_FILE_BYTES_MAX (256 * 1024)

/* What one ${credential:…} or ${file:…} may hold. Service account keys, the largest seen, have 3 KiB. */
#define REFERENCE_BYTES_MAX (64 * 1024)

/* The resolved body of one instance: a file with several of the largest references. */
#define BODY_BYTES_MAX (1024 * 1024)

/* Instances of one host. All are kept in one document and in memory; measured with 10,000. */
#define INSTANCES_MAX 16384

/* Instances on the platform that nothing uses. A whole host's worth of files may go at once. */
#define ORPHANS_MAX INSTANCES_MAX

/* Accounts of one host: each costs a look-up of its own at start. */
#define ACCOUNTS_MAX 256

/* An instance name, so that a tag "elementd.OWNER.NAME" and a credential's peer name stay short. */
#define NAME_BYTES_MAX 64

/* Entries of one allow list. */
#define ACL_ENTRIES_MAX 256

/* Problems that one load keeps. More are counted, but nobody reads on. */
#define PROBLEMS_MAX 1000

/* Units of systemd that are looked at for consumers of credentials; a full distribution installs some 500. */
#define CONSUMERS_MAX 4096

/* Drop-ins of one of them. */
#define CONSUMER_FILES_MAX 64

/* ---- JSON ---- */

/* Nesting of any document: the platform's answers have 6 levels, ours 4. */
#define JSON_DEPTH_MAX 32

/* ---- the platform ---- */

/* One answer. A page of 100 instances at 40 KiB each (those with a long description) fits. */
#define HTTP_BODY_BYTES_MAX (16 * 1024 * 1024)

/* All header lines of one answer, as curl and the gateways in front of the platform allow. */
#define HTTP_HEADER_BYTES_MAX (256 * 1024)

/* Between elementd and elementd-http: requests that are handed over. Above the largest "parallel", 256, with those cancelled. */
#define HTTP_REQUESTS_MAX 1024

/* Each field of a request there. An instance's body and what we add to it; a URL that holds a page token, each byte as %XX. */
#define HTTP_REQUEST_BODY_BYTES_MAX  (2 * BODY_BYTES_MAX)
#define HTTP_METHOD_BYTES_MAX        16
#define HTTP_URL_BYTES_MAX           (256 * 1024)
#define HTTP_CA_FILE_BYTES_MAX       4096
#define HTTP_AUTHORIZATION_BYTES_MAX (HTTP_HEADER_BYTES_MAX - 64) /* a header line, with its name */

/* And of an answer, whose body comes in pieces. The gateways take no URL above 16 KiB. */
#define HTTP_PIECE_BYTES_MAX     (32 * 1024)
#define HTTP_NEXT_PAGE_BYTES_MAX (64 * 1024)
#define HTTP_PROBLEM_BYTES_MAX   512

/* The time a request may take: above any "request-timeout-sec". */
#define HTTP_TIMEOUT_MAX_USEC (24 * 3600 * USEC_PER_SEC)

/* What one turn of the loop reads or writes there, so that clients do not wait for a large answer. */
#define HTTP_TURN_BYTES_MAX (64 * 1024)

/* Between two starts of elementd-http, if it ends again and again. */
#define HTTP_START_PAUSE_USEC (1 * USEC_PER_SEC)

/* A request that has no end so long after its own time shows that elementd-http hangs. */
#define HTTP_GRACE_USEC (5 * USEC_PER_SEC)

/* Rows of a list page that we ask for: 200 is the platform's own maximum as far as known. */
#define PLATFORM_PAGE_ROWS 100

/* Pages of one look-up. Above it the platform is repeating itself: 16384 instances have 164 pages. */
#define PLATFORM_PAGES_MAX 1024

/* Passes of one look-up over several pages, until two in a row agree. If these do not, others are busy there: later. */
#define PLATFORM_PASSES_MAX 5

/* A token. They have 44 characters; no maximum is documented, and it must fit a header line. */
#define TOKEN_BYTES_MAX (4 * 1024)

/* Keys of an element's configuration, a name, and a default that is kept: elements have some 50, the longest name 40 bytes. */
#define PLATFORM_KEYS_MAX          256
#define PLATFORM_KEY_BYTES_MAX     256
#define PLATFORM_DEFAULT_BYTES_MAX 1024

/* A message of the platform that we keep, show and store. */
#define PROBLEM_BYTES_MAX 512

/*
 * How long the platform may go on with a creation after we have lost touch with it. It is documented to take up to
 * 30 s; gateways in front of it wait for 60 s.
 */
#define PLATFORM_WORK_USEC (120 * USEC_PER_SEC)

/* First and longest pause before a transient error is tried again. */
#define RETRY_MIN_USEC (1 * USEC_PER_SEC)
#define RETRY_MAX_USEC (300 * USEC_PER_SEC)

/* The longest Retry-After that is believed. */
#define RETRY_AFTER_MAX_USEC (3600 * USEC_PER_SEC)

/* The platform is asked about the token of one instance this often at most, however many programs report it as rejected. */
#define REPORT_PAUSE_USEC (30 * USEC_PER_SEC)

/* The longest pause between the beginnings of two verifications: ten a second disturb nobody. */
#define VERIFY_PACE_USEC (100 * USEC_PER_MSEC)

/* ---- the store ---- */

/* The records document: 16384 records of at most 8 KiB (a token at its ceiling and a problem). */
#define RECORDS_BYTES_MAX (128 * 1024 * 1024)

/* Pause after a commit that failed: a full disk is not helped by trying faster. */
#define STORE_RETRY_USEC (5 * USEC_PER_SEC)

/* ---- clients ---- */

/* One request. The largest legitimate one, ReportRejected with a token at its ceiling, has 5 KiB. */
#define REQUEST_BYTES_MAX (64 * 1024)

/* One reply. ListInstances with all instances; systemd's clients take no more either. */
#define REPLY_BYTES_MAX (16 * 1024 * 1024)

/* Unread reply bytes above which a connection's next request waits in the socket. */
#define CONN_UNREAD_BYTES_MAX (64 * 1024)

/*
 * What one connection gets done before others have their turn: 32 requests, of replies 16 KiB, of a list 64 rows. Each
 * of them takes less than a tenth of a millisecond, and no client that sends 16 requests in one piece notices.
 */
#define TURN_REQUESTS_MAX 32
#define TURN_BYTES_MAX    (16 * 1024)
#define TURN_LOOKS_MAX    64

/*
 * Unread reply bytes of one uid (root is exempt): all its connections as full as each may be. And of all: eight such users,
 * which are all that CONNECTIONS_MAX has room for; it fits the memory of a small machine. Whose reply would be more than
 * that loses its connection.
 */
#define UNREAD_BYTES_PER_UID_MAX (CONNECTIONS_PER_UID_MAX * CONN_UNREAD_BYTES_MAX)
#define UNREAD_BYTES_MAX         (CONNECTIONS_MAX * CONN_UNREAD_BYTES_MAX)

/* Of these, those that only root may have: one reply at its ceiling. */
#define UNREAD_BYTES_ROOT_RESERVE REPLY_BYTES_MAX

/*
 * A user who has had more than a tenth of the loop's time of late is busy: served when nobody else is to be, and looked
 * up from so often. A program that asks for a token a thousand times a second has a fiftieth.
 */
#define TURN_WINDOW_USEC (20 * USEC_PER_MSEC)
#define TURN_SHARE_USEC  (2 * USEC_PER_MSEC)
#define TURN_SLICE_USEC  50

/* Connections in all; the service has LimitNOFILE= for it and for the platform's. */
#define CONNECTIONS_MAX 4096

/* Of these, those that only root may have: whoever has to look into what fills the others up must get through. */
#define CONNECTIONS_ROOT_RESERVE 64

/* Connections of one uid (root is exempt), so that one user cannot take all of them. */
#define CONNECTIONS_PER_UID_MAX 512

/* Calls that wait for a token, per uid: each holds a connection, so half of those. */
#define WAITING_PER_UID_MAX 256

/* Calls that watch, per uid: programs need one, and each holds a connection and is woken by each change. */
#define WATCHES_PER_UID_MAX 64

/* Calls that watch in all: a change is told to as many within some milliseconds, and 4 KiB each are 4 MiB. */
#define WATCHES_MAX 1024

/* The longest wait that a caller may ask for; above it the answer is NotReady anyway. */
#define WAIT_MAX_USEC (3600 * USEC_PER_SEC)

/* The longest wait for a reload to be over: what systemd waits for ExecReload= (TimeoutStartSec=, systemd.service(5)). */
#define RELOAD_WAIT_USEC (90 * USEC_PER_SEC)

/*
 * Descriptions of elements that root may wait for at a time: each is a question to the platform, one after the other for
 * each account. The names of an element and an account in it go into a URL: the longest known element has 30 bytes.
 */
#define DESCRIPTIONS_MAX        16
#define DESCRIBE_NAME_BYTES_MAX 256

/* The longest wait for what the platform says of an element: somebody sits before it, and there is the catalogue. */
#define DESCRIBE_WAIT_USEC (30 * USEC_PER_SEC)

/* A connection without a request for this long is closed: clients reconnect cheaply. */
#define CONN_IDLE_USEC (600 * USEC_PER_SEC)

/* A request that has begun must be complete within this. */
#define CONN_REQUEST_USEC (30 * USEC_PER_SEC)

/*
 * A stop waits for the request of a connection that has sent nothing yet until it is this old, and for the rest of a
 * request that has begun for as long after its beginning. Clients send within microseconds, or within tens of
 * milliseconds where the processors are busy; so those that meet a restart are served. A stop is delayed by no more.
 */
#define CONN_FAREWELL_USEC (500 * USEC_PER_MSEC)

/* Pause of the listener when the process or the system has no more descriptors. */
#define LISTENER_PAUSE_USEC (250 * USEC_PER_MSEC)

/* Connections taken up per wake-up of the listener, so that those already served get their turn. */
#define LISTENER_ACCEPTS_MAX 8

/* Supplementary groups of a peer that are looked at; NGROUPS_MAX of the kernel. */
#define PEER_GROUPS_MAX 65536

/* The name of a systemd unit; UNIT_NAME_MAX of systemd, which counts the NUL. */
#define UNIT_NAME_BYTES_MAX 255

/* ---- units that load credentials ---- */

/*
 * Connections of units at a time. A unit loads its credentials one by one, so as many units may be starting; what is more
 * queues in the kernel. FileDescriptorStoreMax= of the service is several times that.
 */
#define CREDENTIALS_MAX 512

/* Those of a uid other than root's, to whom the socket is closed: should it be opened, they still get nothing. */
#define CREDENTIALS_PER_UID_MAX 16

/* One credential: an authorization with both secrets at their ceiling. systemd takes 1 MiB, name included. */
#define CREDENTIAL_BYTES_MAX (3 * REFERENCE_BYTES_MAX)

/* What a unit is sent in place of a credential, for systemd to fail it: more than the 1 MiB that it takes. */
#define CREDENTIAL_FILLER_BYTES (2 * 1024 * 1024)

/*
 * How long a unit may take to read that. systemd reads it at once; one that is frozen meanwhile would find a part of it if we
 * gave up, so that is late.
 */
#define CREDENTIAL_FILL_USEC (600 * USEC_PER_SEC)

/* The same for all of them together when the daemon stops, and for one when there is no memory. */
#define CREDENTIAL_HURRY_USEC (2 * USEC_PER_SEC)
