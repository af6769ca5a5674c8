// Every threshold of probing, states, damping and choice, with its default: what it does, and what
// more of it costs. The figures behind them are in README.md.
#pragma once

#include "firmware/base/time.h"

namespace sluice::tunnel {

struct PathSettings {
  // Asking. Bytes per day: probe_cost.h.
  // A dead path is noticed sooner with less; packets grow in inverse proportion.
  Duration interval = Duration::ms(200);
  // The same of a metered path that carries no traffic. More: it is known less freshly.
  Duration metered_interval = Duration::seconds(1);
  // The same of one that has been dead for dead_settles. More: it comes back later.
  Duration dead_interval = Duration::seconds(1);
  Duration dead_settles = Duration::seconds(60);
  // After a missed answer so many more are asked, burst_gap apart; none answered: dead. More of
  // either: fewer false alarms on a lossy path, and later detection by the time between.
  int burst = 8;
  Duration burst_gap = Duration::ms(10);
  // An answer is missed after the smoothed round trip and four times its variation (RFC 6298), the
  // latter no less than timeout_slack. More: fewer false alarms when the round trip jumps, and
  // twice as much later detection.
  Duration timeout_slack = Duration::ms(50);
  Duration timeout_max = Duration::seconds(3);
  Duration timeout_first = Duration::seconds(1);  // while no round trip is known
  // So many answers in a row and a dead path is alive. More: later, and surer.
  int recover_answers = 3;
  // How often a packet of the bulk class is asked with. More: its quality is known less freshly.
  Duration bulk_interval = Duration::seconds(2);

  // Quality. Loss is the share of regular questions of the window; more: steadier and later.
  Duration window = Duration::seconds(15);
  int window_probes_min = 20;  // fewer: loss is not judged
  // Degraded from here on, and good again below the second one. Closer together: it flaps.
  double loss_enter = 0.05;
  double loss_leave = 0.02;
  Duration rtt_enter = Duration::ms(400);
  Duration rtt_leave = Duration::ms(300);
  Duration jitter_enter = Duration::ms(100);
  Duration jitter_leave = Duration::ms(60);
  // From this loss on a degraded path is so poor that even a metered one is better.
  double loss_poor = 0.2;

  // Damping. A path that came back is not chosen for `hold`, doubled with every further failure up
  // to hold_max; each `forget` without a failure takes one doubling back. More: calmer, and a path
  // that was mended waits longer.
  Duration hold = Duration::seconds(5);
  Duration hold_max = Duration::seconds(300);
  Duration forget = Duration::seconds(600);

  // Choice. No path is chosen whose last answer is older; less: a lossy standby is passed over.
  Duration proof_max = Duration::ms(600);
  Duration proof_max_metered = Duration::ms(2500);
  // A path that is degraded so long is left for a clearly better one. Less: short troubles move
  // traffic.
  Duration degraded_window = Duration::seconds(10);
  // Traffic goes back to a preferred or better path that has been good so long, doubled with every
  // return up to hold_max; each `forget` takes one doubling back. Less: it flaps.
  Duration clean_period = Duration::seconds(30);
  // So long after the first path answered a preferred one is taken at once: paths come up in any
  // order. More: the first requests may see a move.
  Duration first_period = Duration::seconds(5);
  // Better means: shorter by this share or this time, and by advantage_least in any case.
  double advantage_share = 0.2;
  Duration advantage = Duration::ms(10);
  Duration advantage_least = Duration::ms(2);

  // Size of packets, see mtu_search.h. Less between validations: a hole is found sooner, at the
  // cost of a full packet each.
  Duration mtu_validate = Duration::seconds(30);
  Duration mtu_validate_metered = Duration::seconds(300);
  Duration mtu_raise = Duration::seconds(600);  // a larger size is tried again
  int mtu_tries = 4;  // unanswered questions until a size is judged not to pass
};

}  // namespace sluice::tunnel
