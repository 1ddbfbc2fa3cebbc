#pragma once

/*
 * URL of a platform: https, or http to this very host.
 *
 * Strict on purpose: secrets are sent to whatever host is named here, and libcurl, which reads the URL in
 * the end, must see the same host as we do. So whatever two readers could understand differently is refused.
 *
 * Source: RFC 3986
 */

/*
 * A copy of `text` without trailing slashes and with its scheme in lower case, which the caller frees.
 * 0, or -ENOMEM, or -EINVAL with *ret_reason, a sentence without a part of the URL, in static storage.
 */
int url_parse(const char *text, char **ret_url, const char **ret_reason);
