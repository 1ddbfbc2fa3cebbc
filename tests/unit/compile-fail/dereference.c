/* Refused: incomplete */

#include "base/secret.h"

void mistake(Secret *secret, Secret **ret_copy);

/* A secret by value. */
void mistake(Secret *secret, Secret **ret_copy)
{
#ifdef MISTAKE
    Secret copy = *secret;

    *ret_copy = &copy;
#else
    *ret_copy = secret_ref(secret);
#endif
}
