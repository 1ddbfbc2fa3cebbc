#pragma once

/*
 * Ids of this host and of this boot.
 *
 * Source: machine-id(5), sd_id128_get_machine_app_specific(3), sd_id128_get_boot(3)
 */

#define HOST_ID_SIZE 33 /* 32 hexadecimal digits and a NUL */

/*
 * An id of this host that is stable, and from which the machine id cannot be found. 0 or -errno: -ENOENT,
 * -ENOMEDIUM or -ENOPKG when the host has no machine id.
 */
int host_get_id(char ret_id[static HOST_ID_SIZE]);

/* An id of this boot. 0 or -errno. */
int host_get_boot_id(char ret_id[static HOST_ID_SIZE]);
