// The certificate that the running box shows.
#include "drivers/os/host_name.h"
#include "firmware/box/box.h"
#include "firmware/ports/crypto.h"

namespace sluice::box {

namespace {

// Tells one identity from another without keeping the key.
std::string print_of(const ports::TlsIdentity& identity) {
  return ports::sha256_hex(identity.chain + identity.key);
}

}  // namespace

// At a start a box with an outdated certificate serves all the same: its clock may be what is
// wrong, and plain HTTP is not to fail with it. A reload refuses to change to one.
Result<std::optional<CheckedIdentity>> Box::next_identity(const settings::Settings& next) {
  if (!settings().start.listen.tls) return std::optional<CheckedIdentity>();
  const Date today = calendar_.now();
  settings::Settings asked = next;
  asked.start = settings().start;
  Result<CheckedIdentity> taken =
      take_identity(asked, {files_, secrets_, log_}, today, drivers::host_name());
  if (!taken) return taken.error();
  const std::string warning = date_warning(*taken, today);
  const bool is_new = print_of(taken->identity) != shown_identity_;
  if (is_new && !shown_identity_.empty() && !date_trouble(*taken, today).empty()) {
    return Error{ErrorKind::refused, "tls", warning};
  }
  if (!warning.empty()) log_.warning("tls", "{}", warning);
  if (!is_new) return std::optional<CheckedIdentity>();
  return std::optional<CheckedIdentity>(std::move(*taken));
}

Result<void> Box::show(const std::optional<CheckedIdentity>& next) {
  if (!next) return {};
  if (Result<void> ok = tls_.use(next->identity); !ok) return ok;
  shown_identity_ = print_of(next->identity);
  log_.info("tls", "new connections are shown {}", next->identity.chain_path);
  return {};
}

}  // namespace sluice::box
