"""Which lane takes the connections of a lane that carries nothing any more. A box says in its probes by
which lanes its traffic goes; a connection on which only our side sends would not show it. Bounded by
the lanes that there are."""

import sys
import time

from lanes import Failed

# A lane that is silent so long says nothing any more: after another took over, and otherwise.
TAKEN_SECONDS = 0.35
SILENT_SECONDS = 1.0


class Moves:
    def __init__(self, changed, clock=time.monotonic):
        self.changed = changed  # called with (ports of the box, {old port: new port})
        self.clock = clock
        self.boxes = {}         # box -> {port: [carries, since when, last heard]}
        self.moved = {}         # box -> {old port: new port}

    def hear(self, box, port, carries):
        now = self.clock()
        lanes = self.boxes.setdefault(box, {})
        lane = lanes.setdefault(port, [False, now, now])
        if carries != lane[0]:
            lane[0], lane[1] = carries, now
        lane[2] = now
        moved = self.moves(lanes, now)
        if moved != self.moved.get(box, {}):
            self.moved[box] = moved
            self.tell(lanes, moved)

    def moves(self, lanes, now):
        carrying = [(since, port) for port, (carries, since, last) in lanes.items()
                    if carries and now - last <= SILENT_SECONDS]
        if not carrying:
            return {}
        began, heir = max(carrying)
        return {port: heir for port, (carries, _, last) in lanes.items() if port != heir and
                (not carries or now - last > (TAKEN_SECONDS if last < began else SILENT_SECONDS))}

    def tell(self, lanes, moved):
        try:
            self.changed(set(lanes), moved)
        except Failed as error:  # with the next change of the rules it is made good
            print(f"pop: connections do not follow the box: {error}", file=sys.stderr)

    def forget(self, box):
        lanes = self.boxes.pop(box, {})
        if self.moved.pop(box, None):
            self.tell(lanes, {})
