#pragma once

/*
 * The process behind daemon/http.h: how it is started and ended.
 *
 * Under systemd it is a service of its own, with a user and a sandbox of its own: elementd-http.socket starts one for each
 * connection (http_helper_set_socket()), it ends with the connection, and it is not ours to kill.
 *
 * Where there is no such socket, we start it. It is the program elementd-http, beside our own where that is in a build tree,
 * else at the place that was compiled in: neither $PATH nor any other variable has a say. It gets one end of a socket pair as descriptor 3 and stdio, no
 * other descriptor, and of our environment what libcurl, OpenSSL and libc read: not what systemd gave to us.
 *
 * The process is started by posix_spawn(3), which copies nothing of ours, however much that is. It must be started
 * by the main thread: it ends with the thread that started it (PR_SET_PDEATHSIG in prctl(2)).
 */

#include <stdbool.h>
#include <sys/types.h>

typedef struct HttpHelper {
    pid_t pid;  /* 0: none, or not our child */
    int socket; /* non-blocking; -1: none */
} HttpHelper;

#define HTTP_HELPER_INIT ((HttpHelper){.socket = -1})

/* Where it gets its end of the pair, or what systemd has accepted for it (SD_LISTEN_FDS_START). */
#define HTTP_HELPER_FD 3

/* 0, or -errno with nothing started. There must be none. */
int http_helper_start(HttpHelper *helper);

/* Closes the socket and kills it, if it is our child. What is left is a zombie, for http_helper_reap(). */
void http_helper_kill(HttpHelper *helper);

/* Whether nothing is left of one that was killed. Never blocks. */
bool http_helper_reap(HttpHelper *helper);

/* Kills it and waits until nothing is left. */
void http_helper_deinit(HttpHelper *helper);

/* The path of the program, or the name of the socket unit where that is in use; static storage. */
const char *http_helper_program(void);

/*
 * From now on http_helper_start() connects to the socket `path`, if there is one; it is copied. The path of a socket that
 * is longer than an address may be is as none. NULL: none.
 */
void http_helper_set_socket(const char *path);

/* For tests, whose own place says nothing: another path; borrowed for ever. */
void http_helper_set_program(const char *path);
