/* Refused: incompatible */

#include <stdlib.h>

#include "base/secret.h"

void mistake(const Secret *secret);

/* A secret in the environment, which leaks. */
void mistake(const Secret *secret)
{
#ifdef MISTAKE
    (void)setenv("ELEMENTD_TOKEN", secret, 1);
#else
    (void)setenv("ELEMENTD_TOKEN_BYTES", secret ? "some" : "none", 1);
#endif
}
