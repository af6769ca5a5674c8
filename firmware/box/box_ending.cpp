// How the box ends: asked to stop, or because a successor serves.
//
// serving -> draining -> finished        SIGTERM: limits.drain_ms_max; a second one: now
//         -> handed over -> finished     a successor serves: limits.upgrade_drain_ms_max
//            handed over -> draining     SIGTERM meanwhile
#include <fmt/format.h>

#include <algorithm>

#include "drivers/os/descriptors.h"
#include "drivers/os/service_manager.h"
#include "firmware/box/box_parts.h"

namespace sluice::box {

namespace {

// Descriptors that are not connections: files, the loop's own, the database.
constexpr int64_t kDescriptorsForOurselves = 64;
// Allowed fewer connections than this, a site may meet the bound in ordinary use.
constexpr int64_t kConnectionsOfASite = 4096;

}  // namespace

// A quarter is kept for connections to nodes, beyond what clients that are idle need of none.
void Box::bound_descriptors() {
  const Result<int64_t> allowed = drivers::raise_descriptor_limit();
  if (!allowed) return log_.warning("box", "{}", allowed.error().text);
  const int64_t bound = std::max<int64_t>(*allowed * 3 / 4 - kDescriptorsForOurselves,
                                          std::min(*allowed, kDescriptorsForOurselves));
  listeners_.set_descriptor_bound(bound);
  const settings::ListenSettings& at = settings().start.listen;
  const int64_t doors = (at.api ? 1 : 0) + (at.tls ? 1 : 0);
  const int64_t wanted = settings().live.limits.connections_max;
  if (bound >= doors * wanted) return;
  log_.say(
      bound < kConnectionsOfASite ? LogLevel::warning : LogLevel::info, "box",
      "{} descriptors are allowed (LimitNOFILE): room for fewer than {} connections of clients "
      "at a time, not for limits.connections_max ({}) at each of {} listeners; those beyond "
      "are refused. If so many come, raise LimitNOFILE",
      *allowed, bound, wanted, doors);
}

ports::SuccessorSpec Box::successor_spec() const {
  ports::SuccessorSpec spec;
  spec.program = launch_.program;
  spec.arguments = launch_.arguments;
  Handover handover;
  handover.report = ports::kFirstInherited;
  const auto pass = [&spec](int descriptor) {
    spec.descriptors.push_back(descriptor);
    return ports::kFirstInherited + static_cast<int>(spec.descriptors.size());
  };
  handover.lock = pass(folder_lock_->descriptor());
  for (const Entrance& entrance : serving_->entrances) {
    if (!entrance.listener) continue;
    handover.sockets.push_back(
        {entrance.name, entrance.at->text(), pass(entrance.listener->descriptor())});
  }
  spec.environment = {fmt::format("{}={}", kHandoverVariable, write_handover(handover))};
  return spec;
}

void Box::upgrade(std::string_view author, web::UpgradeCallback done) {
  if (stopping_) {
    return done(Error{ErrorKind::busy, "box", "the box is stopping; it cannot be upgraded now"});
  }
  log_.info("box", "upgrade asked by {}", author);
  upgrade_.begin(successor_spec(), [this, done = std::move(done)](const Result<int>& process) {
    // What a failed one left (a journal without a line) is cleared away.
    if (!process && !stopping_) stored_->meter.look_for_leftovers();
    done(process);
  });
}

void Box::on_stop() {
  const Duration time_max = settings().live.limits.drain_max;
  if (handed_over_) {
    handed_over_ = false;
    upgrade_.give_up();
    log_.info("box", "asked to end while draining: at most {} ms more", time_max.as_ms());
    return give_up_->start(time_max);
  }
  if (stopping_) return give_up_->start(Duration());  // asked twice: now
  drivers::notify_service_manager("STOPPING=1");
  log_.info("box", "stopping; {} client connections are open", serving_->client_connections());
  drain(time_max);
  upgrade_.give_up();
}

// The lock goes to the successor alone: if that ends, another may start while this one drains.
void Box::on_handed_over() {
  log_.info("box", "handed over; {} client connections are open", serving_->client_connections());
  for (const Entrance& entrance : serving_->entrances) {
    if (entrance.listener) entrance.listener->own_name(false);
  }
  folder_lock_.reset();
  accelerators_->stop();  // the successor asks them now
  tunnels_->stop();       // and keeps them up
  drain(settings().live.limits.upgrade_drain_max);
  handed_over_ = true;
}

// Only the end of this process lets a supervisor start another.
void Box::on_abandoned() { on_stop(); }

void Box::drain(Duration time_max) {
  stopping_ = true;
  drain_began_ = clock_.now();
  for (Entrance& entrance : serving_->entrances) entrance.listener.reset();
  serving_->calibrator.stop("the box stops");
  leased_.reset();  // the book tells a successor, or the next start, what is held
  stored_->meter.stop_looking();
  draining_ = static_cast<int>(serving_->entrances.size());
  give_up_->start(time_max);
  serving_->page.finish_streams();
  serving_->admin.finish_streams();
  for (const Entrance& entrance : serving_->entrances) {
    entrance.server->drain(entrance.is_api() ? kIdleGrace : Duration(), [this] { on_drained(); });
  }
}

// A turn later: this is called by a server that finish() destroys.
void Box::on_drained() {
  if (--draining_ == 0) give_up_->start(Duration());
}

void Box::finish() {
  if (finished_) return;
  finished_ = true;
  give_up_->stop();
  learn_->stop();
  nodes_->stop();
  accelerators_->stop();
  serving_.reset();  // exchanges that are still open are cancelled and counted
  stored_->journal.flush();
  stored_->meter.flush([this] { loop_.stop(); });
}

}  // namespace sluice::box
