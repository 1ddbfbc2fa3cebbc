/* Refused: format */

#include "systemd/log.h"
#include "base/secret.h"

void mistake(const Secret *secret);

/* Logging a secret. */
void mistake(const Secret *secret)
{
#ifdef MISTAKE
    log_debug("The token is %s.", secret);
#else
    log_debug("The token has %zu bytes.", secret_size(secret));
#endif
}
