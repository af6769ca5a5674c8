#include "firmware/box/tls_identity.h"

#include <fmt/format.h>

#include <chrono>

#include "firmware/settings/text_rules.h"

namespace sluice::box {

namespace {

std::string day_of(Date date) {
  const std::chrono::sys_seconds time{std::chrono::seconds(date.as_seconds())};
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

Result<CheckedIdentity> read_pair(const std::string& chain, const std::string& key,
                                  ports::Files& files) {
  CheckedIdentity read;
  read.identity.chain_path = chain;
  read.identity.key_path = key;
  const Result<std::string> chain_text = files.read(chain, kPemFileMax);
  if (!chain_text) return chain_text.error();
  const Result<std::string> key_text = files.read(key, kPemFileMax);
  if (!key_text) return key_text.error();
  read.identity.chain = *chain_text;
  read.identity.key = *key_text;
  const Result<ports::Validity> valid = ports::check_identity(read.identity);
  if (!valid) return valid.error();
  read.valid = *valid;
  return read;
}

ports::OwnCertificate wish_for(const settings::ListenSettings& listen, Date now,
                               const std::string& host_name) {
  ports::OwnCertificate wish;
  if (!host_name.empty()) {
    wish.names.push_back(host_name);
    const bool has_domain = host_name.find('.') != std::string::npos;
    if (!has_domain && host_name != "localhost") wish.names.push_back(host_name + ".local");
  }
  for (const char* name : {"sluice.local", "localhost"}) {
    if (name != host_name && name != host_name + ".local") wish.names.emplace_back(name);
  }
  wish.addresses = {{"127.0.0.1", 0, ""}, {"::1", 0, ""}};
  if (listen.tls && !settings::is_any_address(*listen.tls) && !settings::is_loopback(*listen.tls)) {
    wish.addresses.push_back(*listen.tls);
  }
  // A day earlier: clients whose clocks are behind accept it at once.
  wish.valid = {now + Duration::seconds(-86400), now + kOwnCertificateLife};
  return wish;
}

Result<CheckedIdentity> make_own(const settings::Settings& settings, const TlsPorts& ports,
                                 Date now, const std::string& host_name) {
  const std::string folder = settings.start.state_dir + "/tls";
  const ports::OwnCertificate wish = wish_for(settings.start.listen, now, host_name);
  Result<ports::TlsIdentity> made = ports::make_identity(wish, ports.secrets);
  if (!made) return made.error();
  made->chain_path = folder + "/certificate.pem";
  made->key_path = folder + "/key.pem";
  if (Result<void> ok = ports.files.make_folder(folder); !ok) return ok.error();
  // A crash in between leaves two that do not match: the next start makes both anew.
  if (Result<void> ok = ports.files.replace(made->key_path, made->key); !ok) return ok.error();
  if (Result<void> ok = ports.files.replace(made->chain_path, made->chain); !ok) return ok.error();
  ports.log.info("tls", "a certificate of the box's own is in {}, good until {}", made->chain_path,
                 day_of(wish.valid.until));
  return CheckedIdentity{std::move(*made), wish.valid, true};
}

}  // namespace

Result<CheckedIdentity> read_identity(const settings::TlsSettings& tls, ports::Files& files) {
  return read_pair(tls.certificate_file, tls.key_file, files);
}

Result<CheckedIdentity> take_identity(const settings::Settings& settings, const TlsPorts& ports,
                                      Date now, const std::string& host_name) {
  if (!settings.live.tls.certificate_file.empty()) {
    return read_identity(settings.live.tls, ports.files);
  }
  const std::string folder = settings.start.state_dir + "/tls";
  Result<CheckedIdentity> own =
      read_pair(folder + "/certificate.pem", folder + "/key.pem", ports.files);
  if (own) {
    own->is_own = true;
    if (own->valid.from <= now && own->valid.until - now >= kRenewBefore) return own;
    ports.log.warning("tls", "the box's own certificate, good from {} until {}, is made anew",
                      day_of(own->valid.from), day_of(own->valid.until));
  } else if (own.error().kind != ErrorKind::gone) {
    ports.log.warning("tls", "the box's own certificate is made anew: {}", own.error().text);
  }
  return make_own(settings, ports, now, host_name);
}

std::string date_trouble(const CheckedIdentity& identity, Date now) {
  const std::string& file = identity.identity.chain_path;
  if (now < identity.valid.from) {
    return fmt::format(
        "{}: the certificate is good from {} only, and today is {}; set this "
        "machine's clock, or wait",
        file, day_of(identity.valid.from), day_of(now));
  }
  if (identity.valid.until <= now) {
    return fmt::format(
        "{}: the certificate ended on {}: clients refuse it; put a new one there "
        "and reload",
        file, day_of(identity.valid.until));
  }
  return {};
}

std::string date_warning(const CheckedIdentity& identity, Date now) {
  std::string trouble = date_trouble(identity, now);
  if (!trouble.empty() || identity.valid.until - now >= kWarnBefore) return trouble;
  return fmt::format("{}: the certificate ends on {}; put a new one there before, and reload",
                     identity.identity.chain_path, day_of(identity.valid.until));
}

}  // namespace sluice::box
