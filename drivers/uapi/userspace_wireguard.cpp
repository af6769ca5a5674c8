#include "drivers/uapi/userspace_wireguard.h"

#include <utility>

#include "drivers/uapi/data_plane.h"
#include "drivers/uapi/plane_world.h"
#include "drivers/uapi/tun_device.h"
#include "drivers/uapi/uapi_text.h"
#include "drivers/uv/process.h"

namespace sluice::drivers {

namespace {

Error not_open(const std::string& interface) {
  return {ErrorKind::gone, "uapi", "the interface " + interface + " is not open"};
}

}  // namespace

Result<void> userspace_possible(const UserspaceSpec& spec) {
  if (!program_path(spec.program)) {
    return Error{ErrorKind::unsupported, "uapi",
                 spec.program + " is not found: install the package wireguard-go"};
  }
  return tun_possible(spec.tun_device);
}

PlaneWorld::PlaneWorld(UvLoop& with_loop, const ports::Clock& with_clock,
                       ports::Timers& with_timers, Log& with_log, UserspaceSpec with_spec)
    : loop(with_loop),
      clock(with_clock),
      timers(with_timers),
      log(with_log),
      spec(std::move(with_spec)),
      turn_(with_timers.make([this] { deliver(); })),
      version_(with_loop, with_clock) {}

PlaneWorld::~PlaneWorld() { *alive_ = false; }

void PlaneWorld::post(Callback tell) {
  posted_.push_back(std::move(tell));
  if (!turn_->is_running()) turn_->start(Duration());
}

// Any of them may destroy this.
void PlaneWorld::deliver() {
  const std::vector<Callback> all = std::exchange(posted_, {});
  const std::shared_ptr<bool> alive = alive_;
  for (const Callback& tell : all) {
    if (*alive) tell();
  }
}

UserspaceWireGuard::UserspaceWireGuard(UvLoop& loop, const ports::Clock& clock,
                                       ports::Timers& timers, Log& log, UserspaceSpec spec)
    : world_(std::make_unique<PlaneWorld>(loop, clock, timers, log, std::move(spec))) {}

UserspaceWireGuard::~UserspaceWireGuard() = default;

void UserspaceWireGuard::watch(ports::WgEvents* events) { world_->events = events; }

DataPlane* UserspaceWireGuard::find(const std::string& interface) {
  const auto found = planes_.find(interface);
  return found == planes_.end() || found->second->is_closed() ? nullptr : found->second.get();
}

DataPlane& UserspaceWireGuard::plane(const std::string& interface) {
  std::erase_if(planes_, [](const auto& one) { return one.second->is_closed(); });
  auto& plane = planes_[interface];
  if (!plane) plane = std::make_unique<DataPlane>(*world_, interface);
  return *plane;
}

void UserspaceWireGuard::open(const std::string& interface, Done done) {
  plane(interface).open(std::move(done));
}

void UserspaceWireGuard::change(ports::WgChange change, Done done) {
  DataPlane* plane = find(change.interface);
  auto text = uapi_set_text(change);
  if (plane == nullptr || !text) {
    const Error why = plane == nullptr ? not_open(change.interface) : text.error();
    return world_->post([done = std::move(done), why] { done(why); });
  }
  plane->ask(*std::move(text),
             [world = world_.get(), done = std::move(done)](const Result<SecretText>& answer) {
               Result<void> result;
               if (answer) {
                 result = parse_uapi_set_answer(answer->reveal());
               } else {
                 result = answer.error();
               }
               world->post([done, result] { done(result); });
             });
}

void UserspaceWireGuard::read(const std::string& interface, OnState done) {
  DataPlane* plane = find(interface);
  if (plane == nullptr) {
    return world_->post([done = std::move(done), interface] { done(not_open(interface)); });
  }
  SecretText request;
  request.append(kUapiGetText);
  plane->ask(std::move(request), [world = world_.get(), interface,
                                  done = std::move(done)](const Result<SecretText>& answer) {
    auto state = answer ? parse_uapi_state(interface, answer->reveal())
                        : Result<ports::WgState>(answer.error());
    world->post([done, state = std::move(state)] { done(state); });
  });
}

void UserspaceWireGuard::remove(const std::string& interface, Done done) {
  plane(interface).remove(std::move(done));
}

}  // namespace sluice::drivers
