#pragma once

/*
 * Quick: the calls that nearly all clients send, parsed in one pass. Pure.
 *
 * What libelementd, varlinkctl and others write for GetToken is plain: a method, then parameters that are strings
 * without escapes, or whole numbers. Such a call is read here, ten times as fast as by yajl; the one for a token as libelementd
 * writes it is not even read, but compared. Anything else, valid or not, is left to the general parser: this one refuses nothing.
 *
 * tests/fuzz/fuzz_quick.c holds the two against each other: what this one takes, the general one takes, too, and makes the
 * same of it.
 */

#include "ipc/varlink.h"

enum {
    QUICK_E_OTHER = 1, /* not such a call: the general parser has to say what it is */
};

/* As varlink_parse_call(), which asks it first. 0, QUICK_E_OTHER or -ENOMEM. */
int quick_parse_call(Arena *arena, const char *text, size_t size, VarlinkCall *ret_call);
