#include "tests/unit/usual.h"

const PlanFacts usual_facts = {
    .now = NOW,
    .is_declared = true,
    .has_account = true,
    .is_durable = true,
    .has_room = true,
    .has_turn = true,
    .is_store_well = true,
    .wanted = WANTED,
    .look_up_pause = PAUSE,
};
