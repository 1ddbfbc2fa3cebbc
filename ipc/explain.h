#pragma once

/*
 * io.elementd.Explain: who lets somebody have an instance's secrets, or that nobody does, without giving any.
 *
 * Decides by what decides calls (ipc/access.h), about the caller, or about whomever root names. Names of users are not
 * looked up here, since that may block: the caller brings numbers.
 *
 * Source: ipc/io.elementd.varlink
 */

#include "ipc/call.h"

/* For the table of ipc/methods.c. */
int explain(Call *call);
