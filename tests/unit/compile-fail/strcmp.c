/* Refused: incompatible */

#include <string.h>

#include "base/secret.h"

void mistake(const Secret *secret, const char *claim, bool *ret_equal);

/* Comparing a secret in a time that tells of it. */
void mistake(const Secret *secret, const char *claim, bool *ret_equal)
{
#ifdef MISTAKE
    *ret_equal = strcmp(secret, claim) == 0;
#else
    *ret_equal = secret_equal_bytes(secret, claim, strlen(claim));
#endif
}
