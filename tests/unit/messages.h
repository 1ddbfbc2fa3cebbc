#pragma once

/*
 * Calls and replies as they stand on the wire, without their NUL.
 */

#define CALL(method, parameters) "{\"method\":\"" method "\",\"parameters\":{" parameters "}}"
#define GET_TOKEN(parameters)    CALL("io.elementd.GetToken", parameters)
#define WATCH_TOKEN(instance)                                                                       \
    "{\"method\":\"io.elementd.WatchToken\",\"more\":true,\"parameters\":{\"instance\":\"" instance \
    "\"}}"
#define WATCH_INSTANCES "{\"method\":\"io.elementd.WatchInstances\",\"more\":true}"

#define NEWS(parameters)        "{\"parameters\":{" parameters "},\"continues\":true}"
#define ERROR(name, parameters) "{\"error\":\"" name "\",\"parameters\":{" parameters "}}"
#define NO_SUCH(instance)       ERROR("io.elementd.NoSuchInstance", "\"instance\":\"" instance "\"")
