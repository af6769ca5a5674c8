"""Every row of the table, in its order, and those that CI runs. Bulk is not among these: a machine that
also compiles starves the wire, and loses what the row is about."""

import family_rows
import load_rows
import rows
import trouble_rows

ROWS = [*rows.ROWS, *load_rows.ROWS, *family_rows.ROWS, *trouble_rows.ROWS]
CI_ROWS = ["black-hole", "no-failover", "not-pinned", "carrier", "renumbered", "udp-blocked-opened",
           "data-plane", "daemon-killed", "family", "overlap"]
