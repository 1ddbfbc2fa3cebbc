"""What the daemon promises, and the one place in which the torture test looks whether it was kept.

The test tells this ledger what clients were given and what it has done to the platform by hand. After each run of the
daemon, which mostly ends by kill -9, the ledger compares that with what the platform has and what the disk holds.

A token is *current* while the platform has an instance with it. What was given out and is current must be kept; what
the test itself has changed or removed on the platform need not.
"""

import json
from collections import Counter
from dataclasses import dataclass

from harness.site import OWNER

# What may go wrong, in the words of the result.
LOST = "lost"  # a token that was given out, or the instance behind it, is there no more
DOUBLED = "doubled"  # a second instance of a name: somebody pays for it
NOT_DURABLE = "served without being durable"  # a token was given out before the disk had it
NO_INTENT = "posted without a durable intent"  # had the POST got lost, nobody would have known of it
WRONG = "served wrongly"  # a token that never was this instance's
UNFINISHED = "not provisioned in the end"
CRASHED = "crashed"
KINDS = (LOST, DOUBLED, NOT_DURABLE, NO_INTENT, WRONG, UNFINISHED, CRASHED)


@dataclass
class Breach:
    kind: str
    cycle: int
    text: str

    def __str__(self):
        return f"{self.kind}: {self.text} (cycle {self.cycle})"


@dataclass
class Instance:
    """One on the platform, dead or alive."""

    id: int
    name: str
    token: str
    tokens: set  # all that it ever had
    is_removed: bool = False  # by the test


def name_of(row):
    """The name in our tag of it, or None."""
    prefix = f"elementd.{OWNER}."
    return next((tag.removeprefix(prefix) for tag in row["tags"] if tag.startswith(prefix)), None)


class Promises:
    def __init__(self):
        self.cycle = 0
        self.instances = {}  # by id
        self.given = set()  # (name, token) that some client was ever given
        self.given_now = set()  # in this cycle
        self.owed = {}  # name -> token that every client must be given from now on
        self.absent = set()  # names that are not declared at present
        self.excused = set()  # names that were not at some time of this cycle
        self.breaches = []
        self.told = set()  # what has been said once

    # --- what the test tells ---

    def begin(self, cycle):
        """From here on, what earlier cycles gave out and is current is all that may be served."""
        self.cycle = cycle
        self.given_now = set()
        self.excused = set(self.absent)
        self.owed = {name: token for name, token in self.given if self.is_current(name, token)}

    def answered(self, name, token):
        """A client got that token, or None: there is none yet."""
        owed = self.owed.get(name)
        if owed and token != owed:
            self.tell(LOST, name, f"{name} had a token that is still good, and now "
                                  f"{'another one' if token else 'none'} is served")
        if token and name not in self.excused:
            self.given_now.add((name, token))

    def removed(self, instance):
        instance.is_removed = True
        self.owed.pop(instance.name, None)

    def changed(self, instance, token):
        instance.token = token
        instance.tokens.add(token)
        self.owed.pop(instance.name, None)

    def undeclared(self, name):
        """Its file is gone: nothing has to be kept or served for it."""
        self.absent.add(name)
        self.excused.add(name)
        self.owed.pop(name, None)
        self.given = {pair for pair in self.given if pair[0] != name}
        self.given_now = {pair for pair in self.given_now if pair[0] != name}

    def declared(self, name):
        """Its file is back: from the next cycle on it counts again."""
        self.absent.discard(name)

    def crashed(self, text):
        self.tell(CRASHED, self.cycle, text)

    # --- what is checked ---

    def check(self, rows, records, posts):
        """After the daemon has ended: the platform's instances, the records on disk, and the POSTs of this cycle."""
        self.check_platform(rows)
        self.check_disk(records)
        self.check_intents(records, posts)
        self.given |= self.given_now

    def check_settled(self, rows, records, served):
        """After all was given time without disturbance: for each declared name, one instance, one token."""
        self.check_platform(rows)
        for name, token in served.items():
            living = [row["token"] for row in rows if name_of(row) == name]
            if not living:
                self.tell(UNFINISHED, name, f"{name} has no instance on the platform")
            elif token not in living:
                self.tell(UNFINISHED, name, f"{name}: {'another token than its instance has' if token else 'no token'} is served")
            if token and records.get(name, {}).get("token") != token:
                self.tell(NOT_DURABLE, name, f"{name}: its token is served, and not on disk")

    def check_platform(self, rows):
        """One instance a name, and none gone by itself."""
        for row in rows:
            instance = self.instances.setdefault(row["id"], Instance(row["id"], name_of(row), row["token"], {row["token"]}))
            assert instance.token == row["token"], "the sandbox does not change tokens by itself"
        living = {row["id"] for row in rows}
        for name, count in Counter(name_of(row) for row in rows).items():
            if count > 1:
                created = sorted(row["createdUSec"] for row in rows if name_of(row) == name)
                self.tell(DOUBLED, (name, count), f"{name} has {count} instances on the platform, the last two of them "
                                                  f"created {(created[-1] - created[-2]) / 1e6:.2f} s apart")
        for instance in self.instances.values():
            if instance.id not in living and not instance.is_removed:
                self.tell(LOST, instance.id, f"instance {instance.id} of {instance.name} was deleted")

    def check_disk(self, records):
        """Whatever was given out was on disk, since that is how it was at the end or it has been replaced."""
        for name, token in sorted(self.given_now):
            if not self.is_known(name, token):
                self.tell(WRONG, (name, token), f"{name}: a token was served that its instances never had")
            elif self.is_current(name, token) and records.get(name, {}).get("token") != token:
                self.tell(NOT_DURABLE, (name, token), f"{name}: a token was served that is not on disk")

    def check_intents(self, records, posts):
        """Whoever finds nothing but the disk knows of every POST that may have made an instance."""
        last = {json.loads(post["body"])["name"]: post for post in posts}
        for name, post in last.items():
            is_refused = post["status"] not in (None, 200)
            record = records.get(name, {})
            if name not in self.excused and not is_refused and not record.get("token") and not record.get("intentUSec"):
                self.tell(NO_INTENT, (name, post["number"]), f"{name} was posted, of which the disk knows nothing")

    # --- what it is made of ---

    def is_known(self, name, token):
        return any(one.name == name and token in one.tokens for one in self.instances.values())

    def is_current(self, name, token):
        return any(one.name == name and one.token == token and not one.is_removed for one in self.instances.values())

    def living(self):
        return [one for one in self.instances.values() if not one.is_removed]

    def tell(self, kind, what, text):
        if (kind, what) in self.told:
            return
        self.told.add((kind, what))
        self.breaches.append(Breach(kind, self.cycle, text))

    def count(self, kind):
        return sum(breach.kind == kind for breach in self.breaches)
