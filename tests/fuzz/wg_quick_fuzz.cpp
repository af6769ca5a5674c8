// Any bytes give a configuration within its bounds or a refusal that quotes none of them; what can
// be imported survives its file, and its export can be read again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "firmware/base/check.h"
#include "firmware/tunnel/wg_quick.h"

using namespace sluice;

namespace {

// A key in base64 is longer than any run of such letters in our own words.
bool quotes_a_key(std::string_view words) {
  size_t run = 0;
  for (const char c : words) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '+' || c == '/';
    run = letter ? run + 1 : 0;
    if (run >= 40) return true;
  }
  return false;
}

void check_bounds(const tunnel::WgQuickConfig& config) {
  ENSURE(config.peers.size() <= tunnel::kWgQuickPeersMax);
  ENSURE(config.addresses.size() <= tunnel::kWgQuickPrefixesMax);
  for (const auto& peer : config.peers) {
    ENSURE(peer.public_key != ports::WgKey());
    ENSURE(peer.allowed.size() <= tunnel::kWgQuickPrefixesMax);
    ENSURE(peer.host.empty() == (peer.port == 0));
    ENSURE(peer.host.size() <= tunnel::kHostTextMax);
  }
}

void check_import(const tunnel::Imported& imported) {
  const tunnel::Membership& membership = imported.membership;
  ENSURE(membership.imported() && !membership.can_probe());
  const auto again = tunnel::parse_membership(tunnel::to_json_text(membership));
  ENSURE(again && *again == membership);
  const std::string text =
      tunnel::export_wg_quick(membership, membership.paths.front(), std::nullopt);
  ENSURE(text.find(ports::wg_key_text(membership.paths.front().private_key.reveal())) ==
         std::string::npos);
  const auto exported = tunnel::parse_wg_quick(text);
  ENSURE(exported && exported->peers.size() == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto config = tunnel::parse_wg_quick(text);
  if (!config) {
    ENSURE(config.error().kind == ErrorKind::refused);
    ENSURE(!quotes_a_key(config.error().text));
    return 0;
  }
  check_bounds(*config);
  tunnel::ImportWishes wishes;
  wishes.instance = "0123456789abcdef";
  const auto imported = tunnel::import_wg_quick(*config, wishes);
  if (imported) check_import(*imported);
  if (!imported) ENSURE(imported.error().kind == ErrorKind::refused);
  return 0;
}
