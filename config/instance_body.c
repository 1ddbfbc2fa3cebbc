#include "config/instance_body.h"

#include <assert.h>
#include <errno.h>

#include "base/limits.h"
#include "base/shared.h"
#include "config/body.h"
#include "config/dropin.h"
#include "config/instance.h"

void instance_body_deinit(InstanceBody *body)
{
    secret_unref(body->body);
    *body = (InstanceBody){};
}

int instance_body_parse(const DocumentSource *source, const char *owner, const DigestKey *key,
                        Problems *problems, InstanceBody *ret_body)
{
    const char *element = NULL;
    InstanceBody body = {};
    Document document;
    int r;

    r = document_init(&document, source, problems);
    if (r == 0)
        r = body_check(&document, &element);
    if (r == 0 && problems->n_errors == 0)
        r = body_write(&document, owner, source->name, key, &body.body, &body.labels_digest,
                       &body.body_digest);
    shared_unref(element);
    document_deinit(&document);
    if (r < 0)
        return r;
    *ret_body = body;
    return 0;
}

/* As instance_body_parse(), or INSTANCE_BODY_E_ABSENT. */
static int instance_body_read_file(const Dropin *dropin, const char *owner, const DigestKey *key,
                                   Problems *problems, InstanceBody *ret_body)
{
    Buffer text = BUFFER_INIT(CONFIG_FILE_BYTES_MAX);
    DocumentSource source = {.name = dropin->name, .file = dropin->file};
    int r;

    r = dropin_read(dropin, &text, problems, &source.is_world_readable);
    if (r == 0) {
        source.text = buffer_data(&text);
        source.size = buffer_size(&text);
        r = instance_body_parse(&source, owner, key, problems, ret_body);
    } else if (r == DROPIN_E_MASKED) {
        r = INSTANCE_BODY_E_ABSENT;
    } else if (r == DROPIN_E_REFUSED) {
        r = 0; /* its problem was added */
    }
    buffer_deinit(&text);
    return r;
}

/* What is wrong with a folder matters where no file was found: there may be one that cannot be seen. */
static int instance_body_find(const Dropins *dropins, const char *owner, const DigestKey *key,
                              Problems *problems, InstanceBody *ret_body)
{
    if (dropins->n_items == 0)
        return dropins->is_incomplete ? 0 : INSTANCE_BODY_E_ABSENT;
    problems_deinit(problems);
    return instance_body_read_file(&dropins->items[0], owner, key, problems, ret_body);
}

int instance_body_read(const Paths *paths, const char *name, const char *owner,
                       const DigestKey *key, InstanceBody *ret_body, char **ret_problem,
                       Trouble *ret_trouble)
{
    InstanceBody body = {};
    Problems problems = {};
    Dropins dropins;
    int r;

    r = dropins_find_one(&dropins, paths, INSTANCE_FOLDER, name, &problems);
    if (r == 0)
        r = instance_body_find(&dropins, owner, key, &problems, &body);
    if (r == 0 && body.body) {
        *ret_body = body;
    } else if (r == 0) {
        r = problems_close(&problems, ret_problem, ret_trouble);
        assert(r < 0 || *ret_problem);
        r = r < 0 ? r : INSTANCE_BODY_E_UNUSABLE;
    }
    problems_deinit(&problems);
    dropins_deinit(&dropins);
    return r;
}
