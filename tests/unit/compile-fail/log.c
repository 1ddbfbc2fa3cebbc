/* Refused: format */

#include "systemd/log.h"
#include "base/secret.h"

void mistake(const Secret *secret);

/* Logging a secret. */
void mistake(const Secret *secret)
{
#ifdef MISTAKE
    log_info("The token is %s.", secret);
#else
    log_info("The token has %zu bytes.", secret_size(secret));
#endif
}
