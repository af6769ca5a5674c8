"""What a test may make the PoP do wrong, while it runs."""

DEFAULTS = {
    "drop_handshakes": False,  # WireGuard's handshakes vanish, sessions go on
    "drop_forward": False,     # probes are answered, the network behind is not reached
    "refuse_probes": False,
    "refuse_where": False,
    "refuse_shim": False,
    "refuse_api": False,       # 503 to everything
    "date_offset_s": 0.0,      # the date that it tells is wrong by this
    "slow_ms": 0.0,            # answers to probes and requests come so much later
    "stopping": False,         # it says that it is about to stop
    "pinning": True,           # off: answers go by the first lane of a box, whatever it uses
}


class Faults:
    def __init__(self, pinning):
        self.values = {**DEFAULTS, "pinning": pinning}

    def set(self, wishes):
        """Takes all or nothing: ValueError tells why."""
        fresh = dict(self.values)
        for key, value in wishes.items():
            if key not in DEFAULTS:
                raise ValueError(f"{key} is no fault; there are {', '.join(DEFAULTS)}")
            kind = type(DEFAULTS[key])
            if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
                value = float(value)
            if not isinstance(value, kind):
                raise ValueError(f"{key} must be {'a number' if kind is float else 'true or false'}")
            fresh[key] = value
        self.values = fresh
