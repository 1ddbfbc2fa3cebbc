/* Refused: incomplete */

#include "base/secret.h"

void mistake(Secret *secret);

/* A secret inside another struct, from where nothing would wipe it. */
void mistake(Secret *secret)
{
#ifdef MISTAKE
    struct holder {
        Secret token;
    } holder;

    (void)holder;
    (void)secret;
#else
    struct holder {
        Secret *token;
    } holder = {secret_ref(secret)};

    (void)secret_unref(holder.token);
#endif
}
