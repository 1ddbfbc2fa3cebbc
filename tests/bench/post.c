/*
 * Posts bodies by libcurl, and does nothing else: what a client costs that looks nothing up, and keeps nothing.
 *
 *     post PARALLEL <REQUESTS
 *
 * The lines of REQUESTS: the address, the file of the authority, the header that authorizes, then the files of the bodies,
 * each of which is posted once, PARALLEL at a time. The status is 0 when each was answered with 200.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define POST_LINE_BYTES_MAX 4096
#define POST_BODY_BYTES_MAX 65536

typedef struct Post {
    CURLM *multi;
    struct curl_slist *headers;
    char url[POST_LINE_BYTES_MAX];
    char ca_file[POST_LINE_BYTES_MAX];
    unsigned n_running;
    unsigned n_refused;
} Post;

static void post_fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "post: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static bool post_read_line(char line[POST_LINE_BYTES_MAX])
{
    if (!fgets(line, POST_LINE_BYTES_MAX, stdin))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

static size_t post_on_answer(const char *data, size_t size, size_t n, void *userdata)
{
    (void)data;
    (void)userdata;
    return size * n;
}

static void post_start(Post *post, const char *file)
{
    static char body[POST_BODY_BYTES_MAX];
    CURL *easy = curl_easy_init();
    FILE *stream = fopen(file, "r");
    size_t size;

    if (!easy || !stream)
        post_fail(file, strerror(errno));
    size = fread(body, 1, sizeof(body), stream);
    (void)fclose(stream);
    if (size == sizeof(body))
        post_fail(file, "too large");
    (void)curl_easy_setopt(easy, CURLOPT_URL, post->url);
    (void)curl_easy_setopt(easy, CURLOPT_CAINFO, post->ca_file);
    (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)size);
    (void)curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, post_on_answer);
    if (curl_multi_add_handle(post->multi, easy) != CURLM_OK)
        post_fail(file, "libcurl does not take it");
    post->n_running++;
}

static void post_finish_all(Post *post)
{
    CURLMsg *message;
    int n_left;

    while ((message = curl_multi_info_read(post->multi, &n_left))) {
        CURL *easy = message->easy_handle;
        long status = 0;

        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        post->n_refused += message->data.result != CURLE_OK || status != 200;
        (void)curl_multi_remove_handle(post->multi, easy);
        curl_easy_cleanup(easy);
        post->n_running--;
    }
}

int main(int argc, char **argv)
{
    char header[POST_LINE_BYTES_MAX], file[POST_LINE_BYTES_MAX];
    unsigned parallel = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    bool is_more = true;
    Post post = {};
    int n_running;

    if (parallel == 0 || !post_read_line(post.url) || !post_read_line(post.ca_file) ||
        !post_read_line(header)) {
        (void)fputs("usage: post PARALLEL <REQUESTS\n", stderr);
        return EXIT_FAILURE;
    }
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    post.multi = curl_multi_init();
    post.headers = curl_slist_append(post.headers, header);
    post.headers = curl_slist_append(post.headers, "Content-Type: application/json");
    if (!post.multi || !post.headers)
        post_fail("libcurl", "cannot be had");
    (void)curl_multi_setopt(post.multi, CURLMOPT_MAXCONNECTS, (long)parallel);
    while (is_more || post.n_running > 0) {
        while (post.n_running < parallel && is_more && (is_more = post_read_line(file)))
            post_start(&post, file);
        (void)curl_multi_perform(post.multi, &n_running);
        post_finish_all(&post);
        if (post.n_running > 0 && (post.n_running == parallel || !is_more))
            (void)curl_multi_poll(post.multi, NULL, 0, 1000, NULL);
    }
    (void)curl_multi_cleanup(post.multi);
    curl_slist_free_all(post.headers);
    curl_global_cleanup();
    return post.n_refused == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
