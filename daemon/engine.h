#pragma once

/*
 * Engine: asks the platform, at most `parallel` questions at a time.
 *
 * The rest waits in line: look-ups first, since others wait for what they find. Knows nothing of instances,
 * back-off or the meaning of an outcome.
 *
 * A question may name the instance whose body goes out with it (PlatformQuestion.instance). That is read before its turn
 * comes, of at most `parallel` questions at a time beyond those that are under way, so that neither the platform waits for
 * files nor memory is filled with secrets; whoever has all that it needs goes ahead of it. It is wiped when the answer is
 * in. A body that cannot be had, or that is not what was loaded, ends the question as PLATFORM_BUSY: it was not asked.
 */

#include <event2/event.h>

#include "daemon/bodies.h"
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

/*
 * `bodies` is borrowed for as long as the engine lives; NULL where no question names the instance whose body it is about.
 * 0 or -errno.
 */
int engine_new(struct event_base *base, unsigned parallel, Bodies *bodies, void *userdata,
               Engine **ret_engine);

/* All tasks must be gone. NULL is fine. Returns NULL. */
Engine *engine_free(Engine *engine);

DEFINE_FREEP(Engine, engine_free)

/* From now on; what is under way goes on. */
void engine_set_parallel(Engine *engine, unsigned parallel);

/* Whether nothing is being asked, nor waits to be. */
bool engine_is_idle(const Engine *engine);

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
