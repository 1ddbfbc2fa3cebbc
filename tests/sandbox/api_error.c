#include "tests/sandbox/api_error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json_writer.h"

typedef struct ApiErrorWords {
    unsigned status;
    const char *message;
} ApiErrorWords;

static const ApiErrorWords api_error_words[] = {
    {400, "The request is missing a parameter or has an invalid one."},
    {401, "Invalid Organization or User secret, or invalid Element token provided."},
    {403, "The element instance is disabled, or you do not have the privilege to do this."},
    {404, "Not found."},
    {405, "The method is not supported for this resource."},
    {408, "The request took too long."},
    {413, "The request is too large."},
    {415, "Content-Type must be application/json."},
    {429, "Too many requests."},
    {500, "An internal error occurred."},
    {502, "The provider could not be reached."},
    {503, "The service is temporarily unavailable."},
    {504, "The provider did not answer in time."},
};

static const char *api_error_message(unsigned status)
{
    for (size_t i = 0; i < N_ELEMENTS(api_error_words); i++)
        if (api_error_words[i].status == status)
            return api_error_words[i].message;
    return "The request failed.";
}

static int api_error_write(Buffer *body, const char *message, const char *provider_message)
{
    char request_id[25];
    JsonWriter writer;

    (void)snprintf(request_id, sizeof(request_id), "%016" PRIx64 "%08" PRIx64, digest_random(),
                   digest_random() >> 32);
    json_writer_begin(&writer, body);
    json_writer_open_object(&writer);
    json_writer_key(&writer, "requestId");
    json_writer_string(&writer, request_id);
    json_writer_key(&writer, "message");
    json_writer_string(&writer, message);
    if (provider_message) {
        json_writer_key(&writer, "providerMessage");
        json_writer_string(&writer, provider_message);
    }
    json_writer_close_object(&writer);
    return json_writer_end(&writer);
}

int api_error_fill(HttpAnswer *answer, unsigned status, const char *message,
                   const char *provider_message)
{
    int r;

    buffer_clear(&answer->body);
    answer->status = status;
    r = api_error_write(&answer->body, message ? message : api_error_message(status),
                        provider_message);
    if (r == JSON_WRITER_E_TEXT) { /* it quotes a URL that is not UTF-8 */
        buffer_clear(&answer->body);
        r = api_error_write(&answer->body, api_error_message(status), NULL);
    }
    return r <= 0 ? r : -EFBIG;
}
