/*
 * The least that a C program can do to get a token: one connection, one request, one line.
 *
 *     client SOCKET INSTANCE
 *
 * No library of ours, nothing checked that need not be; what elementctl adds to it is to be seen.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENT_BYTES_MAX 4096

int main(int argc, char **argv)
{
    static const char begin[] = "{\"parameters\":{\"token\":\"";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char bytes[CLIENT_BYTES_MAX], *end;
    size_t size = 0;
    int fd, n;

    if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path))
        return EXIT_FAILURE;
    memcpy(address.sun_path, argv[1], strlen(argv[1]));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return EXIT_FAILURE;
    n = snprintf(bytes, sizeof(bytes),
                 "{\"method\":\"io.elementd.GetToken\",\"parameters\":{\"instance\":\"%s\"}}",
                 argv[2]);
    if (n < 0 || (size_t)n >= sizeof(bytes) ||
        send(fd, bytes, (size_t)n + 1, MSG_NOSIGNAL) != n + 1)
        return EXIT_FAILURE;
    do {
        ssize_t got = recv(fd, bytes + size, sizeof(bytes) - size, 0);

        if (got <= 0)
            return EXIT_FAILURE;
        size += (size_t)got;
    } while (bytes[size - 1] != '\0');
    if (strncmp(bytes, begin, strlen(begin)) != 0)
        return EXIT_FAILURE;
    end = strchr(bytes + strlen(begin), '"');
    if (!end)
        return EXIT_FAILURE;
    *end = '\n';
    (void)!write(STDOUT_FILENO, bytes + strlen(begin), (size_t)(end + 1 - (bytes + strlen(begin))));
    return EXIT_SUCCESS;
}
