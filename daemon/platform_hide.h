#pragma once

/*
 * Hide: takes what we sent in confidence out of what the platform says.
 *
 * Platforms and vendors repeat what they were sent ("invalid password 'hunter2'"), and their words go to
 * logs, clients and the disk. Every value of `configuration` counts as a secret, as do the account's two and the
 * token that was asked about. Shorter ones than HIDE_BYTES_MIN are let through: a message without any "a" tells nobody
 * anything.
 */

#include "daemon/platform.h"

#define HIDE_BYTES_MIN 4

/* Replaces each occurrence in `text`, in place, by "***". 0 or -ENOMEM. */
int platform_hide(const PlatformQuestion *question, char *text);
