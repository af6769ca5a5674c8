"""What boxes say of their paths: which one each traffic class uses now. Heard in the echo's thread,
carried out in one of its own, so that probes are not kept waiting."""

import queue
import threading
import time

import packets

QUEUE_MAX = 10000  # beyond it the next question says it again
QUIET_S = 2        # after so long without a word an earlier `sent` is believed too: the box began anew


class Uses:
    def __init__(self, carry_out):
        """carry_out(address, traffic, lane's port) is called in the thread of this."""
        self.carry_out = carry_out
        self.said = {}  # (address, traffic) -> (sent, lane's port, when heard)
        self.changes = queue.Queue(QUEUE_MAX)
        self.thread = threading.Thread(target=self.run, name="uses", daemon=True)

    def heard(self, address, probe):
        for traffic, flag in enumerate(packets.FLAGS_USES):
            if not probe.flags & flag:
                continue
            now = time.monotonic()
            sent, lane, when = self.said.get((address, traffic), (-1, None, 0))
            if probe.sent < sent and now - when < QUIET_S:
                continue  # it was overtaken
            if lane != probe.lane:
                try:
                    self.changes.put_nowait((address, traffic, probe.lane))
                except queue.Full:
                    continue
            self.said[address, traffic] = (probe.sent, probe.lane, now)

    def forget(self, address):
        for traffic in range(len(packets.FLAGS_USES)):
            self.said.pop((address, traffic), None)

    def run(self):
        while (change := self.changes.get()) is not None:
            self.carry_out(*change)

    def stop(self):
        self.changes.put(None)
        self.thread.join()
