#pragma once

/*
 * Engine: asks the platform, at most `parallel` questions at a time.
 *
 * The rest waits in line: look-ups first, since others wait for what they find. Knows nothing of instances,
 * back-off or the meaning of an outcome.
 */

#include <event2/event.h>

#include "daemon/platform.h"

typedef struct Engine Engine;
typedef struct EngineTask EngineTask;

/*
 * Called on the loop, never before engine_ask() returns; the task is gone. `userdata` is the engine's, `subject` the
 * task's. `answer` is the engine's: what is kept must be taken out of it (TAKE_PTR).
 */
typedef void (*EngineHandler)(void *userdata, void *subject, PlatformAnswer *answer);

/* Told when the question of a task is handed to the network: from then on it may have an effect. */
typedef void (*EngineStarted)(void *userdata, void *subject);

/* 0 or -errno. */
int engine_new(struct event_base *base, unsigned parallel, void *userdata, Engine **ret_engine);

/* All tasks must be gone. NULL is fine. Returns NULL. */
Engine *engine_free(Engine *engine);

DEFINE_FREEP(Engine, engine_free)

/* From now on; what is under way goes on. */
void engine_set_parallel(Engine *engine, unsigned parallel);

/* Makes ready for the first question, which then does not wait for a process to start. */
void engine_prepare(Engine *engine);

/* `question` is borrowed for the call alone; `started` may be NULL. 0, or -errno: then nothing is asked and nobody called. */
int engine_ask(Engine *engine, const PlatformQuestion *question, EngineStarted started,
               EngineHandler handler, void *subject, EngineTask **ret_task);

/* Cancels: nobody is called. NULL is fine. Returns NULL. */
EngineTask *engine_task_free(EngineTask *task);

DEFINE_FREEP(EngineTask, engine_task_free)

/* Whether the question has been handed to the network. */
bool engine_task_is_started(const EngineTask *task);
