/* Refused: incompatible */

#include <string.h>

#include "base/secret.h"

void mistake(Secret *secret, Secret **ret_copy);

/* Copying a secret into ordinary memory. */
void mistake(Secret *secret, Secret **ret_copy)
{
#ifdef MISTAKE
    *ret_copy = (void *)strdup(secret);
#else
    *ret_copy = secret_ref(secret);
#endif
}
