"""What authentic probes told: how many came, and who uses an identity. Bounded."""

import time
from collections import OrderedDict

STREAMS_MAX = 4096   # (box, lane, class, start) that are counted; the least recent gives way
OTHER_SECONDS = 30   # how long another user of an identity is remembered
RESTART_SECONDS = 3  # packets of a start that was replaced may still come for so long
INSTANCES_MAX = 16


class Witness:
    def __init__(self, clock=time.monotonic):
        self.clock = clock
        self.counts = OrderedDict()
        self.instances = {}  # box -> {instance: when}
        self.starts = {}     # (box, lane, class) -> (newest start, when it was new, older starts)
        self.clones = {}     # box -> when it was last seen that two use it
        self.last = {}       # (box, lane) -> when

    def count(self, probe):
        """How many questions of this lane, class and start have come."""
        key = (probe.box, probe.lane, probe.traffic, probe.start)
        seen = self.counts.pop(key, 0) + 1
        self.counts[key] = seen
        if len(self.counts) > STREAMS_MAX:
            self.counts.popitem(last=False)
        return seen

    def other_uses(self, probe):
        """Whether somebody else uses this identity too: another instance, or the same one (a copied
        disk) whose start comes back after a newer one took its place."""
        now = self.clock()
        self.last[probe.box, probe.lane] = now
        instances = self.instances.setdefault(probe.box, {})
        instances.pop(probe.instance, None)
        instances[probe.instance] = now
        if len(instances) > INSTANCES_MAX:
            del instances[next(iter(instances))]
        others = any(now - when < OTHER_SECONDS
                     for instance, when in instances.items() if instance != probe.instance)
        if others or self.came_back(probe, now):
            self.clones[probe.box] = now
        return now - self.clones.get(probe.box, -OTHER_SECONDS) < OTHER_SECONDS

    def came_back(self, probe, now):
        key = (probe.box, probe.lane, probe.traffic)
        newest, since, older = self.starts.get(key, (probe.start, now, ()))
        if probe.start == newest:
            self.starts[key] = (newest, since, older)
            return False
        if probe.start in older:
            return now - since > RESTART_SECONDS
        self.starts[key] = (probe.start, now, (*older[-7:], newest))
        return False

    def forget(self, box):
        self.instances.pop(box, None)
        self.clones.pop(box, None)
        for key in [k for k in self.starts if k[0] == box]:
            del self.starts[key]
        for key in [k for k in self.last if k[0] == box]:
            del self.last[key]

    def age(self, box, lane):
        when = self.last.get((box, lane))
        return None if when is None else round(self.clock() - when, 3)
