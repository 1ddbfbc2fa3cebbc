#include "daemon/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/limits.h"

static bool text_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

void registry_init(Registry *registry)
{
    *registry = (Registry){.generation = 1};
}

void registry_deinit(Registry *registry)
{
    for (size_t i = 0; i < registry->n_entries; i++)
        entry_free(registry->entries[i]);
    free(registry->entries);
    entry_index_deinit(&registry->index);
    orphans_deinit(&registry->orphans);
    config_unref(registry->config);
    registry_init(registry);
}

/* ---- what an entry is about ---- */

/* What clients see of the declaration. */
static void entry_describe(Entry *entry)
{
    entry->served.terms = entry->want ? entry->want->terms : &terms_none;
}

/* What is durable may be served. */
static void registry_serve(Entry *entry)
{
    Secret *token = entry->record && !entry->is_foreign ? entry->record->token : NULL;

    if (secret_equal(token, entry->served.token))
        return;
    secret_unref(entry->served.token);
    entry->served.token = secret_ref(token);
    entry->served.id = token ? entry->record->id : 0;
    entry->is_token_news = true;
}

/* Overdue verifications are spread over this part of the interval, so that a start does not bring them all at once. */
#define REGISTRY_OVERDUE_PART 10

static usec_t registry_verify_due(const Record *record, usec_t interval, usec_t now)
{
    usec_t realtime = clock_realtime(), left;

    if (record->verified == 0)
        return now; /* never confirmed */
    left = clock_left(clock_add(record->verified, interval), interval, realtime);
    /* In the future: the wall clock was set back, and nobody knows how long it has been. Each run would put it off. */
    if (left > 0 && record->verified <= realtime)
        return clock_add(now, left);
    return now + digest_random() % (interval / REGISTRY_OVERDUE_PART + 1);
}

static bool registry_is_same(const char *recorded, const char *declared)
{
    return !recorded || !declared || strcmp(recorded, declared) == 0;
}

/* Whether the record speaks of something else than what is declared now: then its token must not be given out. */
bool registry_is_foreign(const Entry *entry, const Record *record)
{
    if (!entry->want)
        return false;
    return !registry_is_same(record->account, entry->want->terms->account) ||
           !registry_is_same(record->url, entry->gate ? entry->gate->account->url : NULL) ||
           !registry_is_same(record->element, entry->want->terms->element);
}

/* Tests that lose answers cannot wait for two minutes each time. */
#define REGISTRY_WORK_VARIABLE "ELEMENTD_TEST_WORK_SEC"

static usec_t registry_work_time(const Settings *settings)
{
    const char *variable = getenv(REGISTRY_WORK_VARIABLE);
    usec_t work = variable ? strtoull(variable, NULL, 10) * USEC_PER_SEC : PLATFORM_WORK_USEC;

    return work > settings->request_timeout ? work : settings->request_timeout;
}

/* ---- what is declared ---- */

/* What was looked for, and what went wrong with it, is not what is declared now. */
static void entry_look_anew(Entry *entry, usec_t now)
{
    entry_set_problem(entry, TROUBLE_NONE, NULL);
    entry->wanted = now;
    entry_forget_found(entry);
}

static void entry_try_anew(Entry *entry, usec_t now)
{
    entry->retry = 0;
    entry_look_anew(entry, now);
}

/* What has been learned of the platform, or by secrets that are not the account's any more, does not hold. */
static void entry_renew(Entry *entry, usec_t now)
{
    entry->epoch = entry->gate ? entry->gate->epoch : 0;
    entry->is_doubted = false;
    entry_try_anew(entry, now);
}

static EntryChange entry_compare_wants(const Instance *before, const Instance *after)
{
    if (!before || !after)
        return after ? ENTRY_ADDED : before ? ENTRY_REMOVED : ENTRY_SAME;
    if (before->problem || after->problem)
        return before->problem && after->problem && strcmp(before->problem, after->problem) == 0
                   ? ENTRY_SAME
                   : ENTRY_CHANGED;
    return instance_equal(before, after) ? ENTRY_SAME : ENTRY_CHANGED;
}

/* `want` is what is declared from now on, or NULL. */
static void registry_want(const Registry *registry, Entry *entry, const Instance *want,
                          const Gates *gates, usec_t now)
{
    const Record *record = entry->record;

    /* What has changed without us has now been read, so there is nothing to wait for. */
    if (entry->work->trouble == TROUBLE_FILE_CHANGED)
        entry_try_anew(entry, now);
    entry->change = entry_compare_wants(entry->want, want);
    entry->want = want;
    if (want)
        entry->gate = want->account ? gates_find(gates, want->account) : NULL;
    else
        entry->gate = record ? gates_find_platform(gates, record->account, record->url) : NULL;
    if (entry->epoch != (entry->gate ? entry->gate->epoch : 0))
        entry_renew(entry, now);
    else if (entry->change == ENTRY_ADDED || entry->change == ENTRY_CHANGED)
        entry_look_anew(entry, now);
    entry->is_foreign = record && registry_is_foreign(entry, record);
    if (entry->is_foreign || registry_is_durable(registry, entry))
        registry_serve(entry);
    if (entry->change == ENTRY_ADDED) {
        entry->is_over = false;
        entry->served.is_removed = false; /* it may have been said of a namesake */
    }
    entry->due = now;
    entry_describe(entry);
}

static void registry_free_fresh(Entry **entries, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (entries[i]->is_fresh)
            entry_free(entries[i]);
    free(entries);
}

/* All entries that there are and fresh ones for names that are new, in order of names. 0 or -ENOMEM. */
static int registry_collect(const Registry *registry, const Config *config, usec_t now,
                            Entry ***ret_entries, size_t *ret_n)
{
    size_t c = 0, e = 0, n = 0;
    Entry **entries = calloc(config->n_instances + registry->n_entries + 1, sizeof(Entry *));

    if (!entries)
        return -ENOMEM;
    while (c < config->n_instances || e < registry->n_entries) {
        const char *declared = c < config->n_instances ? config->instances[c]->name : NULL;
        Entry *entry = e < registry->n_entries ? registry->entries[e] : NULL;
        int order = !declared ? 1 : !entry ? -1 : strcmp(declared, entry->served.name);

        if (order < 0) {
            if (entry_new(declared, now, &entry) < 0) {
                registry_free_fresh(entries, n);
                return -ENOMEM;
            }
            entry->is_fresh = true;
        }
        entries[n++] = entry;
        c += order <= 0;
        e += order >= 0;
    }
    *ret_entries = entries;
    *ret_n = n;
    return 0;
}

int registry_apply(Registry *registry, Config *config, Gates *gates, usec_t now)
{
    Config *before = registry->config;
    size_t n, c = 0;
    EntryIndex index;
    Entry **entries;
    int r;

    r = registry_collect(registry, config, now, &entries, &n);
    if (r < 0)
        return r;
    r = entry_index_init(&index, n);
    if (r == 0)
        r = gates_apply(gates, config);
    if (r < 0) {
        entry_index_deinit(&index);
        registry_free_fresh(entries, n);
        return r;
    }
    if (before && !text_equal(before->settings.owner, config->settings.owner))
        gates_renew(gates);
    free(registry->entries);
    registry->entries = entries;
    registry->n_entries = n;
    entry_index_deinit(&registry->index);
    registry->index = index;
    entry_index_fill(&registry->index, entries, n);
    registry->n_declared = config->n_instances;
    registry->config = config_ref(config);
    registry->work_time = registry_work_time(&config->settings);
    registry->is_removal_held = config->is_incomplete || config->is_bare;
    for (size_t i = 0; i < n; i++) {
        bool is_declared = c < config->n_instances &&
                           strcmp(config->instances[c]->name, entries[i]->served.name) == 0;

        entries[i]->index = (uint32_t)i;
        entries[i]->is_fresh = false;
        registry_want(registry, entries[i], is_declared ? config->instances[c++] : NULL, gates,
                      now);
    }
    config_unref(before);
    return 0;
}

void registry_reap(Registry *registry)
{
    size_t n = 0;

    for (size_t i = 0; i < registry->n_entries; i++) {
        Entry *entry = registry->entries[i];

        if (entry->is_over) {
            assert(!entry->want && entry->line == ENTRY_IN_NO_LINE);
            entry_free(entry);
            continue;
        }
        entry->index = (uint32_t)n;
        registry->entries[n++] = entry;
    }
    registry->n_entries = n;
    entry_index_fill(&registry->index, registry->entries, n);
}

/* ---- the start ---- */

/* What a record of an earlier run means for this one. 0 or -ENOMEM. */
static int registry_resume(const Registry *registry, Entry *entry, usec_t now)
{
    Record *record = entry->record;
    EntryWork *work;

    if (!record)
        return 0;
    if (record->rare->intent != 0) {
        work = entry_work(entry);
        if (!work)
            return -ENOMEM;
        work->intent_until = clock_add(now, registry->work_time);
    }
    if (record->rare->retry != 0) {
        usec_t realtime = clock_realtime();
        usec_t left = clock_left(record->rare->retry, record->rare->delay, realtime);

        entry->retry = clock_add(now, left);
        /* Where the wall clock was set back, the next run would begin the wait anew. */
        record->rare->retry = clock_add(realtime, left);
    }
    entry->verify = registry_verify_due(record, registry->config->settings.verify_interval, now);
    return 0;
}

int registry_edit(const Entry *entry, Record **ret_record)
{
    int r;

    if (entry->record)
        return record_copy(entry->record, ret_record);
    r = record_new(NULL, ret_record);
    if (r == 0)
        shared_replace(&(*ret_record)->name, entry->served.name);
    return r;
}

/*
 * Changes are lost that may have been an intent of this entry: it gets one now, so that neither this run nor the next
 * creates it before the platform can no longer be working on a POST of before.
 */
static int registry_suspect(Registry *registry, Entry *entry)
{
    Record *record;
    int r;

    if (!entry->want || (entry->record && entry->record->rare->intent != 0))
        return 0;
    r = registry_edit(entry, &record);
    if (r < 0)
        return r;
    record->rare->intent = clock_realtime();
    registry_put(registry, entry, record, true);
    return 0;
}

static int record_compare(const void *a, const void *b)
{
    return strcmp((*(Record *const *)a)->name, (*(Record *const *)b)->name);
}

/* A document of ours nearly always has its records in order: then finding that out is all. */
static void registry_sort(Record **records, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (record_compare(&records[i - 1], &records[i]) > 0) {
            qsort(records, n, sizeof(Record *), record_compare);
            return;
        }
}

/* An entry for each name that is recorded, in order of names. 0 or -ENOMEM. */
static int registry_take_records(Registry *registry, Snapshot *snapshot, usec_t now)
{
    registry->entries = calloc(snapshot->n_records + 1, sizeof(*registry->entries));
    if (!registry->entries)
        return -ENOMEM;
    registry_sort(snapshot->records, snapshot->n_records);
    for (size_t i = 0; i < snapshot->n_records; i++) {
        Record *record = snapshot->records[i];
        Entry *entry;

        /* A document that names one twice is not ours; its first word counts. */
        if (i > 0 && strcmp(snapshot->records[i - 1]->name, record->name) == 0)
            continue;
        if (entry_new(record->name, now, &entry) < 0)
            return -ENOMEM;
        entry->record = record_ref(record);
        registry->entries[registry->n_entries++] = entry;
    }
    return 0;
}

static int registry_take_orphans(Registry *registry, const Snapshot *snapshot, usec_t now)
{
    for (size_t i = 0; i < snapshot->n_orphans; i++) {
        Record *record = record_ref(snapshot->orphans[i]);
        Orphan *orphan;
        int r;

        r = orphans_add(&registry->orphans, record, 0, 0);
        if (r != 0)
            record_unref(record);
        if (r < 0)
            return r;
        orphan = orphans_find(&registry->orphans, snapshot->orphans[i]->id,
                              snapshot->orphans[i]->url);
        if (orphan && orphan->record->rare->retry != 0)
            orphan->retry = clock_add(now,
                                      clock_left(orphan->record->rare->retry,
                                                 orphan->record->rare->delay, clock_realtime()));
    }
    return 0;
}

int registry_fill(Registry *registry, Config *config, StoreLoad *load, Gates *gates, usec_t now)
{
    int r;

    assert(registry->n_entries == 0);
    r = registry_take_records(registry, &load->snapshot, now);
    if (r == 0)
        r = registry_take_orphans(registry, &load->snapshot, now);
    if (r == 0)
        r = registry_apply(registry, config, gates, now);
    for (size_t i = 0; r == 0 && i < registry->n_entries; i++) {
        Entry *entry = registry->entries[i];

        if (load->is_recovered || (load->n_broken > 0 && !entry->record))
            r = registry_suspect(registry, entry);
        /* Any look-up of this run will do, also one that began before there was an entry. */
        entry->wanted = 1;
        if (r == 0)
            r = registry_resume(registry, entry, now);
    }
    return r;
}

/* ---- looking up ---- */

Entry *registry_find(const Registry *registry, const char *name, size_t size)
{
    return entry_index_find(&registry->index, name, size);
}

LogFields registry_log_fields(const Entry *entry, const char *message_id)
{
    return (LogFields){
        .message_id = message_id,
        .instance = entry->served.name,
        .element = served_element(&entry->served),
        .account = entry->served.terms->account,
    };
}

void registry_count(const Registry *registry, unsigned ret_counts[static SERVED_N_STATES])
{
    memset(ret_counts, 0, SERVED_N_STATES * sizeof(*ret_counts));
    for (size_t i = 0; i < registry->n_entries; i++)
        if (registry->entries[i]->want)
            ret_counts[registry->entries[i]->served.state]++;
}

/* ---- records and what is durable of them ---- */

bool registry_is_durable(const Registry *registry, const Entry *entry)
{
    return entry->generation <= registry->durable_generation;
}

void registry_put(Registry *registry, Entry *entry, Record *record, bool is_urgent)
{
    if (record)
        record_finish(record);
    record_unref(entry->record);
    entry->record = record;
    registry->has_changes = registry->has_changes || is_urgent;
    if (is_urgent)
        entry->generation = registry->generation;
    /* A token that is gone is gone at once; a new one waits until it is durable. */
    if (!record || !record->token)
        registry_serve(entry);
}

uint64_t registry_snapshot(Registry *registry, Snapshot *ret_snapshot)
{
    const Orphans *all = &registry->orphans;
    Record **records, **orphans;
    size_t n = 0;

    records = calloc(registry->n_entries + 1, sizeof(*records));
    orphans = calloc(all->n_items + 1, sizeof(*orphans));
    if (!records || !orphans) {
        free(records);
        free(orphans);
        return 0;
    }
    for (size_t i = 0; i < all->n_items; i++)
        orphans[i] = record_ref(all->items[i]->record);
    for (size_t i = 0; i < registry->n_entries; i++)
        if (registry->entries[i]->record)
            records[n++] = record_ref(registry->entries[i]->record);
    ret_snapshot->records = records;
    ret_snapshot->n_records = n;
    ret_snapshot->orphans = orphans;
    ret_snapshot->n_orphans = all->n_items;
    registry->has_changes = false;
    return registry->generation++;
}

void registry_committed(Registry *registry, uint64_t generation)
{
    uint64_t before = registry->durable_generation;

    assert(generation > before);
    registry->durable_generation = generation;
    for (size_t i = 0; i < registry->n_entries; i++) {
        Entry *entry = registry->entries[i];

        if (entry->generation > before && entry->generation <= generation)
            registry_serve(entry);
    }
}

void registry_not_committed(Registry *registry)
{
    registry->has_changes = true;
}

/* ---- what clients see ---- */

/* A moment of the boot-time clock as one of the realtime clock. */
static usec_t registry_realtime(usec_t moment, usec_t now)
{
    usec_t realtime = clock_realtime();

    return moment > now ? clock_add(realtime, moment - now) : realtime;
}

static bool registry_publish_state(Served *served, const Plan *plan, usec_t now)
{
    usec_t retry = plan->is_retry ? registry_realtime(plan->due, now) : 0;
    bool is_changed = served->state != plan->state || (served->retry == 0) != (retry == 0);

    if (served->state != plan->state)
        served->since = clock_realtime();
    served->state = plan->state;
    served->retry = retry;
    return is_changed;
}

/* A note of its own in one piece, with the words behind it. NULL: no memory. */
static TroubleNote *registry_note(const TroubleNote *problem)
{
    size_t size = strlen(problem->words) + 1;
    TroubleNote *note = malloc(sizeof(*note) + size);

    if (!note)
        return NULL;
    *note = *problem;
    note->words = memcpy(note + 1, problem->words, size);
    return note;
}

/* Whether it is another one than was told. */
static bool registry_publish_problem(Served *served, const TroubleNote *problem)
{
    TroubleNote *told = served->problem, note = *problem;
    bool is_same_kind = told && problem->words && told->trouble == problem->trouble;
    bool is_any = told || problem->words;

    if (note.since == 0)
        note.since = is_same_kind ? told->since : clock_realtime();
    if (is_same_kind && strcmp(told->words, problem->words) == 0) {
        told->since = note.since;
        return false;
    }
    served->problem = problem->words ? registry_note(&note) : NULL;
    free(told);
    return is_any;
}

bool registry_publish(Entry *entry, const Plan *plan, const TroubleNote *problem, usec_t now)
{
    Served *served = &entry->served;
    const Record *record = entry->record;
    usec_t verified = record ? record->verified : 0;
    unsigned attempts = record ? record->rare->attempts : 0;
    bool is_changed = registry_publish_state(served, plan, now);

    is_changed = registry_publish_problem(served, problem) || is_changed || entry->is_token_news ||
                 served->verified != verified || served->attempts != attempts;
    entry->is_token_news = false;
    served->verified = verified;
    served->attempts = attempts;
    return is_changed;
}
