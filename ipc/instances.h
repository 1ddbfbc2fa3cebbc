#pragma once

/*
 * io.elementd: the methods that hand out tokens and tell of instances.
 *
 * Each decides from what is in memory: a token that is there is handed out whatever state the instance is in; without
 * one, a failed instance fails the call, and any other lets it wait as long as the caller would.
 *
 * Optional members without a value are left out, as systemd's services do: the specification makes that
 * and null the same, and a list of 10,000 instances is shorter by a third.
 *
 * Source: ipc/io.elementd.varlink
 */

#include "ipc/call.h"

#define INSTANCES_NO_SUCH_INSTANCE "io.elementd.NoSuchInstance"
#define INSTANCES_NOT_READY        "io.elementd.NotReady"
#define INSTANCES_FAILED           "io.elementd.Failed"

/* Whether the caller may know more of an instance than its name. 0, ACCESS_E_DENIED or -errno. */
int instances_check_visible(Call *call, const Served *served);

/*
 * Appends the value of the platform's header, "User U, Organization O, Element T", of an instance that has all three.
 * 0, BUFFER_E_FULL or -ENOMEM.
 */
int instances_format_authorization(const Served *served, Buffer *buffer);

/* The type Instance of the interface. */
void instances_write(JsonWriter *json, const Served *served);

/* For the table of ipc/methods.c. */
int instances_get_token(Call *call);
int instances_get_authorization(Call *call);
int instances_report_rejected(Call *call);
int instances_list(Call *call);
