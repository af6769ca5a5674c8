// Any bytes as the answer of a userspace WireGuard are a state within its bounds, a refusal or
// broken; and a state can be asked for again as a change whose text is of the protocol. The same
// bytes as a record of a program, and as a line of /proc, are a value or none.
#include <cstddef>
#include <cstdint>

#include "drivers/uapi/plane_record.h"
#include "drivers/uapi/uapi_text.h"
#include "firmware/base/check.h"

using namespace sluice;

namespace {

// What stands there, as the owner would ask for it.
ports::WgChange change_of(const ports::WgState& state) {
  ports::WgChange change;
  change.interface = state.interface;
  change.listen_port = state.listen_port;
  change.mark = state.mark;
  for (const ports::WgPeerState& peer : state.peers) {
    ports::WgPeerChange& one = change.peers.emplace_back();
    one.public_key = peer.public_key;
    one.endpoint = peer.endpoint;
    one.keepalive = peer.keepalive;
    one.allowed = peer.allowed;
  }
  return change;
}

void check_state(const ports::WgState& state) {
  ENSURE(state.peers.size() <= drivers::kUapiPeersMax);
  const auto text = drivers::uapi_set_text(change_of(state));
  ENSURE(text.has_value());
  ENSURE(text->reveal().starts_with("set=1\n") && text->reveal().ends_with("\n\n"));
  ENSURE(text->reveal().find("\n\n") == text->size() - 2);
  // The lines that both directions share are read back as they were.
  std::string answer(text->reveal().substr(6, text->size() - 7));
  answer += "errno=0\n\n";
  const auto again = drivers::parse_uapi_state(state.interface, answer);
  ENSURE(again.has_value() && again->listen_port == state.listen_port);
  ENSURE(again->mark == state.mark && again->peers.size() == state.peers.size());
  for (size_t i = 0; i < state.peers.size(); ++i) {
    ENSURE(again->peers[i].public_key == state.peers[i].public_key);
    ENSURE(again->peers[i].endpoint == state.peers[i].endpoint);
    ENSURE(again->peers[i].allowed.size() == state.peers[i].allowed.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto state = drivers::parse_uapi_state("slw0", text);
  const auto done = drivers::parse_uapi_set_answer(text);
  ENSURE(state.has_value() == done.has_value());
  if (state) {
    ENSURE(drivers::is_whole_uapi_answer(text) || text == "errno=0\n\n");
    check_state(*state);
  } else {
    ENSURE(state.error().kind == ErrorKind::broken || state.error().kind == ErrorKind::refused);
    ENSURE(state.error().text.size() < 200);  // it quotes nothing
  }
  if (const auto record = drivers::parse_plane_record(text)) ENSURE(record->pid >= 0);
  if (const auto process = drivers::parse_process_stat(text)) ENSURE(process->name.size() < size);
  return 0;
}
