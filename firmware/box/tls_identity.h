// The certificate of listen.tls: the administrator's, or one that the box made itself and keeps in
// <state_dir>/tls. A made one has a bounded life and is made anew at a start or a reload when
// little of it is left; clients that trust it must then be given the new one.
#pragma once

#include <string>

#include "firmware/base/log.h"
#include "firmware/ports/clock.h"
#include "firmware/ports/files.h"
#include "firmware/ports/tls.h"
#include "firmware/settings/settings.h"

namespace sluice::box {

inline constexpr Bytes kPemFileMax{256 * 1024};
// What Apple's systems accept at most of a certificate that a user trusts.
inline constexpr Duration kOwnCertificateLife = Duration::seconds(825LL * 86400);
inline constexpr Duration kRenewBefore = Duration::seconds(30LL * 86400);
inline constexpr Duration kWarnBefore = Duration::seconds(30LL * 86400);

struct TlsPorts {
  ports::Files& files;
  ports::Secrets& secrets;
  Log& log;
};

struct CheckedIdentity {
  ports::TlsIdentity identity;
  ports::Validity valid;
  bool is_own = false;
};

// Errors: refused or gone, with the file and what to do. Its dates are not judged.
Result<CheckedIdentity> read_identity(const settings::TlsSettings& tls, ports::Files& files);

// The administrator's as above; else the box's own, made if there is none that is good for long.
Result<CheckedIdentity> take_identity(const settings::Settings& settings, const TlsPorts& ports,
                                      Date now, const std::string& host_name);

// Nothing, or what is wrong with its dates and what to do.
std::string date_trouble(const CheckedIdentity& identity, Date now);

// The same as soon as less than kWarnBefore is left.
std::string date_warning(const CheckedIdentity& identity, Date now);

}  // namespace sluice::box
