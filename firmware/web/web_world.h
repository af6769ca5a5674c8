// What the services of this folder need of the rest of the box: references, all longer-lived than
// any connection.
#pragma once

#include "firmware/identity/key_commands.h"
#include "firmware/meter/meter_view.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/timers.h"
#include "firmware/proxy/decisions_view.h"
#include "firmware/proxy/shadow_view.h"
#include "firmware/sense/accelerator_view.h"
#include "firmware/sense/sense_view.h"
#include "firmware/tunnel/tunnel_commands.h"
#include "firmware/tunnel/tunnel_view.h"
#include "firmware/web/box_commands.h"
#include "firmware/web/calibration_commands.h"

namespace sluice::web {

struct WebWorld {
  ports::Clock& clock;
  ports::Calendar& calendar;
  ports::Timers& timers;
  const sense::SenseView& senses;
  const proxy::DecisionsView& decisions;
  const proxy::QueueView& queue;
  const proxy::ExtraView& extras;
  const meter::MeterView& meter;
  identity::KeyCommands& keys;
  BoxCommands& box;
  CalibrationCommands& calibration;
  const proxy::ShadowView& shadow;
  const sense::AcceleratorView& accelerators;
  const tunnel::TunnelSight& tunnels;
  tunnel::TunnelCommands& tunnel_commands;
};

}  // namespace sluice::web
