#include "tests/sandbox/sandbox.h"

#include <string.h>

#include "base/error.h"
#include "tests/sandbox/api.h"
#include "tests/sandbox/control.h"
#include "tests/sandbox/exchange.h"

/* `path` below `prefix`, or NULL where it is not below it. */
static const char *sandbox_below(const char *path, const char *prefix)
{
    size_t size = strlen(prefix);

    if (strncmp(path, prefix, size) != 0 || (path[size] != '/' && path[size] != '\0'))
        return NULL;
    return path[size] ? path + size : "/";
}

static void sandbox_on_request(void *userdata, HttpRequest *request)
{
    Sandbox *sandbox = userdata;
    const char *below = sandbox_below(request->path, CONTROL_PREFIX);

    if (below) {
        control_handle(sandbox, request, below);
        return;
    }
    below = sandbox_below(request->path, API_PREFIX);
    exchange_start(sandbox, request, below ? below : request->path);
}

int sandbox_init(Sandbox *sandbox, struct event_base *base, const SandboxConfig *config,
                 const char **ret_what)
{
    int r;

    *sandbox = (Sandbox){.base = base, .world = {.journal = JOURNAL_INIT}};
    *ret_what = "Cannot open the log";
    if (config->log) {
        sandbox->log = fopen(config->log, "ae");
        if (!sandbox->log)
            return error_errno();
    }
    *ret_what = "Cannot use the state file";
    r = world_init(&sandbox->world, config->user, config->organization, config->state);
    if (r < 0)
        return r;
    sandbox->world.settings.create_delay = (usec_t)config->delay_ms * USEC_PER_MSEC;
    sandbox->world.settings.is_sample_answer = config->is_sample_answer;
    sandbox->world.settings.is_any_tag = !config->tags_mode || strcmp(config->tags_mode, "or") == 0;
    return http_server_new(base, &config->http, sandbox_on_request, sandbox, &sandbox->server,
                           ret_what);
}

void sandbox_deinit(Sandbox *sandbox)
{
    exchange_stop_all(sandbox);
    history_clear(&sandbox->history);
    sandbox->server = http_server_free(sandbox->server);
    fault_clear(&sandbox->faults);
    world_deinit(&sandbox->world);
    fclosep(&sandbox->log);
    sandbox->log = NULL;
}
