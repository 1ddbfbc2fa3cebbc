/* Refused: format */

#include "base/secret.h"
#include "systemd/log.h"

void mistake(const Secret *secret);

/* Logging a secret in a message with fields. */
void mistake(const Secret *secret)
{
#ifdef MISTAKE
    log_full(LOG_ERR, &(LogFields){.instance = "a"}, "%s", secret);
#else
    log_full(LOG_ERR, &(LogFields){.instance = "a"}, "%s", "The token is no good.");
#endif
}
