#include "drivers/uapi/data_plane.h"

#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "drivers/uapi/control_socket.h"
#include "drivers/uapi/tun_device.h"
#include "drivers/uapi/uapi_text.h"
#include "firmware/base/check.h"

namespace sluice::drivers {

namespace {

// The descriptors of the program, which a later run of the daemon asks it for.
constexpr int kTunNumber = 3;
constexpr int kListenerNumber = 4;
constexpr size_t kProcessNameMax = 15;

std::string process_name(const std::string& program) {
  return program.substr(program.rfind('/') + 1).substr(0, kProcessNameMax);
}

std::string how_it_ended(int exit_code) {
  if (exit_code == UvProcess::kNotOurs) return "has ended";
  if (exit_code > 128) return "was ended by signal " + std::to_string(exit_code - 128);
  return "has ended with exit code " + std::to_string(exit_code);
}

SecretText get_request() {
  SecretText request;
  request.append(kUapiGetText);
  return request;
}

}  // namespace

Duration restart_delay(int quick_ends) {
  if (quick_ends <= kQuickEndsFree) return {};
  const int doublings = std::min(quick_ends - kQuickEndsFree - 1, 20);
  return std::min(kRestartDelayMin * (int64_t{1} << doublings), kRestartDelayMax);
}

DataPlane::DataPlane(PlaneWorld& world, std::string interface)
    : world_(world),
      interface_(std::move(interface)),
      timer_(world.timers.make([this] { on_time(); })) {}

DataPlane::~DataPlane() = default;

std::string DataPlane::path(const char* ending) const {
  return world_.spec.folder + "/" + interface_ + ending;
}

void DataPlane::move_to(State next) {
  const bool from_closed = next == State::checking || next == State::removing;
  ENSURE(state_ != State::closed || from_closed || next == State::starting);
  ENSURE(next != State::running || state_ == State::checking || state_ == State::starting);
  state_ = next;
}

void DataPlane::tell_all(std::vector<Done>& waiting, const Result<void>& result) {
  for (Done& done : std::exchange(waiting, {})) {
    world_.post([done = std::move(done), result] { done(result); });
  }
}

void DataPlane::open(Done done) {
  openers_.push_back(std::move(done));
  if (state_ == State::running) return tell_all(openers_, {});
  if (state_ == State::removing) opens_again_ = true;
  if (state_ != State::closed) return;
  if (const auto begun = begin(); !begun) fail_open(begun.error());
}

Result<void> DataPlane::begin() {
  if (!is_interface_name(interface_)) {
    return Error{ErrorKind::refused, "uapi", "this is no name of an interface"};
  }
  if (auto possible = userspace_possible(world_.spec); !possible) return possible;
  if (auto made = make_control_folder(world_.spec.folder); !made) return made;
  const auto record = read_plane_record(path(".pid"));
  if (!record || !adopt(*record)) return make(record.has_value());
  move_to(State::checking);
  check();
  return {};
}

// Its number may have gone to another process since; once it is watched, it cannot any more.
bool DataPlane::adopt(const PlaneRecord& record) {
  auto process =
      UvProcess::watch(world_.loop, record.pid, [this](int exit_code) { on_ended(exit_code); });
  if (!process) return false;
  const auto identity = identity_of(record.pid);
  if (!identity || identity->start != record.start ||
      identity->name != process_name(world_.spec.program) || (*process)->has_ended()) {
    return false;
  }
  auto tun = (*process)->descriptor(kTunNumber);
  if (tun && !is_tun_of(*tun, interface_)) return false;
  if (tun) {
    tun_ = *std::move(tun);
    packet_prefix_ = record.packet_prefix;
    // The program works with a copy of the listener, and closes this one when it first collects
    // garbage. Without it another is made when the program ends.
    if (auto listener = (*process)->descriptor(kListenerNumber)) listener_ = *std::move(listener);
  } else {
    world_.log.warning("uapi",
                       "event=not_shared interface={} reason=\"{}\" (routes by it will be lost "
                       "when its program ends)",
                       interface_, tun.error().text);
  }
  process_ = *std::move(process);
  started_ = world_.clock.now() - kQuickEnd;
  world_.log.info("uapi", "event=taken_over interface={} pid={}", interface_, record.pid);
  return true;
}

Result<void> DataPlane::make(bool is_known) {
  was_made_ = !interface_exists(interface_);
  if (!was_made_ && !is_known) {
    return Error{ErrorKind::refused, "uapi",
                 "there is an interface " + interface_ +
                     " that the daemon has not made; rename or remove it"};
  }
  const auto program = program_path(world_.spec.program);
  if (!program) return program.error();
  const auto packet_prefix = world_.version().packet_prefix(*program);
  if (!packet_prefix) return packet_prefix.error();
  auto listener = listen_at(path(".sock"));
  if (!listener) return listener.error();
  // First: an interface without a record would not be known as ours.
  if (auto written = write_plane_record(path(".pid"), {}); !written) return written;
  if (auto attached = attach(*packet_prefix); !attached) {
    if (!is_known) ::unlink(path(".pid").c_str());
    return attached;
  }
  listener_ = *std::move(listener);
  if (!set_persistent(tun_, true)) {
    return Error{ErrorKind::refused, "uapi", "the interface " + interface_ + " cannot be kept"};
  }
  return spawn();
}

// The file is gone when the program ended by SIGTERM, or when somebody tidied up.
Result<void> DataPlane::listen_again() {
  if (listener_.is_open() && connect_to(path(".sock"))) return {};
  listener_ = HeldDescriptor();
  auto listener = listen_at(path(".sock"));
  if (!listener) return listener.error();
  listener_ = *std::move(listener);
  return {};
}

Result<void> DataPlane::attach(int packet_prefix) {
  auto tun = attach_tun(world_.spec.tun_device, interface_, packet_prefix > 0);
  if (!tun) return tun.error();
  tun_ = *std::move(tun);
  packet_prefix_ = packet_prefix;
  return {};
}

Result<void> DataPlane::spawn() {
  if (auto listens = listen_again(); !listens) return listens;
  auto program = program_path(world_.spec.program);
  if (!program) return program.error();
  const auto packet_prefix = world_.version().packet_prefix(*program);
  if (!packet_prefix) return packet_prefix.error();
  // Of a program of another version: an earlier run had started it, or the file is another one now.
  if (tun_.is_open() && packet_prefix_ != *packet_prefix) tun_ = HeldDescriptor();
  if (!tun_.is_open()) {
    if (auto attached = attach(*packet_prefix); !attached) return attached;
  }
  const HeldDescriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  SpawnSpec spec;
  spec.program = *std::move(program);
  spec.arguments = {"-f", interface_};
  spec.environment = {"WG_TUN_FD=" + std::to_string(kTunNumber),
                      "WG_UAPI_FD=" + std::to_string(kListenerNumber), "WG_PROCESS_FOREGROUND=1",
                      "LOG_LEVEL=silent"};
  // It would write a line for every packet while there is no route; what is wrong, probes tell.
  // What it says when it falls goes where our log does.
  spec.descriptors = {nothing.number(), STDERR_FILENO, STDERR_FILENO, tun_.number(),
                      listener_.number()};
  spec.own_session = true;  // it outlives us
  auto process =
      UvProcess::start(world_.loop, spec, [this](int exit_code) { on_ended(exit_code); });
  if (!process) return process.error();
  process_ = *std::move(process);
  is_killed_ = false;
  started_ = world_.clock.now();
  const auto identity = identity_of(process_->pid());
  const auto written = write_plane_record(
      path(".pid"), {process_->pid(), identity.value_or(ProcessIdentity{}).start, packet_prefix_});
  if (!written) world_.log.warning("uapi", "event=no_record text=\"{}\"", written.error().text);
  move_to(State::starting);
  check();
  return {};
}

void DataPlane::check() {
  exchange_ = std::make_unique<UapiExchange>(
      world_.loop, world_.timers, path(".sock"), get_request(), world_.spec.answer_time_max,
      [this](const Result<SecretText>& answer) { checked(answer); });
}

void DataPlane::checked(const Result<SecretText>& answer) {
  exchange_.reset();
  if (answer && parse_uapi_state(interface_, answer->reveal())) return runs();
  world_.log.warning("uapi", "event=silent interface={} pid={}", interface_, process_->pid());
  is_killed_ = true;
  process_->send(SIGKILL);
}

void DataPlane::runs() {
  if (mtu_ > 0) set_interface_mtu(interface_, mtu_);
  move_to(State::running);
  was_made_ = false;
  tell_all(openers_, {});
  if (std::exchange(was_lost_, false)) {
    world_.post([world = &world_, interface = interface_] {
      if (world->events != nullptr) world->events->on_data_plane_back(interface);
    });
  }
  ask_next();
}

void DataPlane::ask(SecretText request, OnAnswer on_answer) {
  const bool is_opening = !openers_.empty();
  if (state_ == State::closed || (state_ == State::removing && !is_opening)) {
    return on_answer(Error{ErrorKind::gone, "uapi", interface_ + " is not open"});
  }
  if ((state_ != State::running && !is_opening) || waiting_.size() >= kUapiWaitingMax) {
    return on_answer(Error{ErrorKind::busy, "uapi",
                           "the data plane of " + interface_ + " is being started anew"});
  }
  waiting_.push_back({std::move(request), std::move(on_answer)});
  ask_next();
}

void DataPlane::ask_next() {
  if (state_ != State::running || is_killed_ || exchange_ != nullptr || waiting_.empty()) return;
  Waiting next = std::move(waiting_.front());
  waiting_.pop_front();
  asked_ = std::move(next.on_answer);
  exchange_ = std::make_unique<UapiExchange>(
      world_.loop, world_.timers, path(".sock"), std::move(next.request),
      world_.spec.answer_time_max, [this](const Result<SecretText>& answer) { answered(answer); });
}

void DataPlane::answered(const Result<SecretText>& answer) {
  exchange_.reset();
  const OnAnswer tell = std::exchange(asked_, nullptr);
  const bool is_silent = !answer && answer.error().kind == ErrorKind::busy;
  if (is_silent) {
    world_.log.warning("uapi", "event=silent interface={} pid={}", interface_, process_->pid());
    is_killed_ = true;
    process_->send(SIGKILL);
  }
  if (!answer && answer.error().kind == ErrorKind::gone) {
    tell(Error{ErrorKind::busy, "uapi", "the data plane of " + interface_ + " has ended"});
  } else {
    tell(answer);
  }
  ask_next();
}

void DataPlane::on_ended(int exit_code) {
  process_.reset();
  exchange_.reset();
  if (state_ == State::removing) return finish_removal();
  const Error why{
      ErrorKind::gone, "uapi",
      world_.spec.program + ", which carries " + interface_ + ", " + how_it_ended(exit_code)};
  world_.log.warning("uapi", "event=data_plane_lost interface={} reason=\"{}\"", interface_,
                     why.text);
  if (was_made_) return fail_open(why);
  if (state_ == State::running) {
    lose();
    was_lost_ = true;
    world_.post([world = &world_, interface = interface_, why] {
      if (world->events != nullptr) world->events->on_data_plane_lost(interface, why);
    });
  }
  move_to(State::lost);
  restart_later();
}

void DataPlane::lose() {
  mtu_ = interface_mtu(interface_);
  refuse_all({ErrorKind::busy, "uapi",
              "the data plane of " + interface_ + " has ended and is started anew"});
}

void DataPlane::restart_later() {
  const bool quick = world_.clock.now() - started_ < kQuickEnd;
  quick_ends_ = quick ? quick_ends_ + 1 : 0;
  timer_->start(restart_delay(quick_ends_));
}

void DataPlane::on_time() {
  if (state_ == State::removing) {
    is_killed_ = true;
    return process_->send(SIGKILL);
  }
  const auto spawned = spawn();
  if (spawned) return;
  world_.log.error("uapi", "event=not_started interface={} reason=\"{}\"", interface_,
                   spawned.error().text);
  started_ = world_.clock.now();
  restart_later();
}

void DataPlane::refuse_all(const Error& why) {
  if (asked_) std::exchange(asked_, nullptr)(why);
  for (Waiting& one : std::exchange(waiting_, {})) one.on_answer(why);
}

// What this open() has made goes; what was there stays.
void DataPlane::fail_open(const Error& why) {
  if (was_made_ && tun_.is_open()) static_cast<void>(tear_down());
  tun_ = HeldDescriptor();
  listener_ = HeldDescriptor();
  was_made_ = false;
  state_ = State::closed;
  tell_all(openers_, why);
  refuse_all({ErrorKind::gone, "uapi", interface_ + " is not open: " + why.text});
}

void DataPlane::remove(Done done) {
  removers_.push_back(std::move(done));
  const Error removed{ErrorKind::gone, "uapi", interface_ + " is being removed"};
  tell_all(openers_, removed);
  refuse_all(removed);
  opens_again_ = false;
  if (state_ == State::removing) return;
  if (state_ == State::closed) {
    const auto record =
        is_interface_name(interface_) ? read_plane_record(path(".pid")) : std::nullopt;
    if (!record) return tell_all(removers_, {});
    adopt(*record);
  }
  move_to(State::removing);
  exchange_.reset();
  timer_->stop();
  if (!process_) return finish_removal();
  process_->send(SIGTERM);
  timer_->start(kGentleEndMax);
}

Result<void> DataPlane::tear_down() {
  if (!tun_.is_open() && interface_exists(interface_)) {
    if (auto attached = attach(0); !attached) return attached;  // it carries nothing any more
  }
  if (tun_.is_open()) set_persistent(tun_, false);
  tun_ = HeldDescriptor();
  listener_ = HeldDescriptor();
  ::unlink(path(".sock").c_str());
  ::unlink(path(".pid").c_str());
  return {};
}

void DataPlane::finish_removal() {
  timer_->stop();
  const Result<void> result = tear_down();
  state_ = State::closed;
  was_lost_ = false;
  quick_ends_ = 0;
  mtu_ = 0;
  tell_all(removers_, result);
  if (!std::exchange(opens_again_, false)) return;
  if (const auto begun = begin(); !begun) fail_open(begun.error());
}

}  // namespace sluice::drivers
