/* Refused: incompatible */

#include "base/secret.h"

void mistake(const Secret *secret, const char **ret_text);

/* A secret as a string. */
void mistake(const Secret *secret, const char **ret_text)
{
#ifdef MISTAKE
    *ret_text = secret;
#else
    *ret_text = secret_reveal(secret);
#endif
}
