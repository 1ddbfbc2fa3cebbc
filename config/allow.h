#pragma once

/*
 * Allow list: the JSON form of an access list.
 */

#include "config/schema.h"

/*
 * A setter of config/schema.h, for an array, into the Acl at `key->offset`, which must be empty. A list in
 * which one entry is broken stays empty, so that it lets in nobody whom it was not meant to. An entry for a
 * user or group that does not exist is a warning.
 */
int allow_set(const SchemaKey *key, Document *document, const JsonValue *value, void *target);
