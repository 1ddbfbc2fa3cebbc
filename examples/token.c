/*
 * token: gets the token of an instance, and then each new one, for as long as it is told to.
 *
 *     cc token.c $(pkg-config --cflags --libs elementd) -o token
 *     ./token helpdesk-jira [SOCKET]
 *
 * A program that only makes a request now and then needs no more than the first half: ask before each. The second half
 * is for one that holds a connection or a cache, and shows how a watch goes into a loop of its own: by its
 * descriptor, beside others. Here the other one is standard input, whose end ends the program.
 *
 * C and C++ compilers take it alike.
 */

#include <elementd.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* In a program, what is done on its platform. On standard output, for the sake of an example that can be tested. */
static void use_token(const char *token)
{
    printf("%s\n", token ? token : "(no token)");
    fflush(stdout);
}

static int complain(const char *what, int error, const elementd_error *details)
{
    /* Why, in elementd's words, as far as there are any; they may hold control characters, so not to a terminal. */
    fprintf(stderr, "%s: %s%s%s\n", what, elementd_strerror(error), details->problem ? ": " : "",
            details->problem && !isatty(STDERR_FILENO) ? details->problem : "");
    return 1;
}

/* ---- once ---- */

static int get_once(elementd *daemon, const char *instance)
{
    char *token = NULL;
    int r;

    /* Half a minute, if elementd is still having the instance made. */
    r = elementd_get_token(daemon, instance, 30 * 1000000, &token, NULL, NULL);
    if (r != 0)
        return complain(instance, r, elementd_last_error(daemon));
    use_token(token);
    elementd_free_secret(token);
    return 0;
}

/* ---- and each new one ---- */

/* Takes all that has come. 0: wait for more; else what ends the watch. */
static int take_news(elementd_watch *watch)
{
    char *token = NULL;
    int r;

    while ((r = elementd_watch_next_token(watch, 0, &token, NULL)) == 0) {
        use_token(token);
        elementd_free_secret(token);
        token = NULL;
    }
    return r == ELEMENTD_E_TIMEOUT ? 0 : r;
}

static int watch_for_ever(elementd_watch *watch, const char *instance)
{
    struct pollfd fds[2];
    int wait_ms = -1;
    int r;

    for (;;) {
        fds[0].fd = STDIN_FILENO;
        fds[1].fd = elementd_watch_fd(
            watch); /* it may change with each call; poll() passes over -1 */
        fds[0].events = fds[1].events = POLLIN;
        fds[0].revents = fds[1].revents = 0;
        if (poll(fds, 2, wait_ms) < 0)
            continue;
        if (fds[0].revents)
            return 0;
        r = take_news(watch);
        /* elementd restarts, and is back in a second: the next call begins the watch anew. */
        wait_ms = r == ELEMENTD_E_CLOSED || r == ELEMENTD_E_NO_DAEMON ? 200 : -1;
        if (r != 0 && wait_ms < 0)
            return complain(instance, r, elementd_watch_last_error(watch));
    }
}

int main(int argc, char *argv[])
{
    elementd_watch *watch = NULL;
    elementd *daemon = NULL;
    int r;

    if (argc < 2) {
        fprintf(stderr, "Usage: token INSTANCE [SOCKET]\n");
        return 2;
    }
    r = elementd_open(argc > 2 ? argv[2] : NULL, &daemon);
    if (r != 0) {
        fprintf(stderr, "cannot reach elementd: %s\n", elementd_strerror(r));
        return 1;
    }
    r = get_once(daemon, argv[1]);
    if (r == 0 && (r = elementd_watch_token(daemon, argv[1], &watch)) == 0)
        r = watch_for_ever(watch, argv[1]);
    elementd_watch_close(watch);
    elementd_close(daemon);
    return r == 0 ? 0 : 1;
}
