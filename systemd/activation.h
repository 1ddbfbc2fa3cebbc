#pragma once

/*
 * Socket activation: the listening sockets that systemd made for us.
 *
 * Source: sd_listen_fds_with_names(3), FileDescriptorName= in systemd.socket(5)
 */

/*
 * The listening UNIX stream socket that was passed under `name`, which becomes the caller's, non-blocking and
 * close-on-exec. -1 in *ret_fd when none was passed under it. 0, or -EINVAL when what was passed is no such
 * socket, or -errno.
 */
int activation_take(const char *name, int *ret_fd);

/*
 * The next connection that an earlier run had kept under `name` by notify_keep_fd(), which becomes the caller's, likewise;
 * -1 in *ret_fd at the end. *position begins with 0. 0 or -errno.
 */
int activation_take_kept(const char *name, int *position, int *ret_fd);
