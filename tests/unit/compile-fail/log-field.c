/* Refused: incompatible */

#include "base/secret.h"
#include "systemd/log.h"

void mistake(const Secret *secret);

/* A secret as a field of a message. */
void mistake(const Secret *secret)
{
#ifdef MISTAKE
    log_full(LOG_ERR, &(LogFields){.result = secret}, "The token is no good.");
#else
    log_full(LOG_ERR, &(LogFields){.result = "refused"}, "The token is no good.");
    (void)secret;
#endif
}
