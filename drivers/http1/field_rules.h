// The rules for field lines, and what they say of the message's framing and connection
// (RFC 9110 sections 5, 7.2, 10.1.1; RFC 9112 sections 3.2, 5, 6, 9.3).
// Refused is what two readers could take for two different lengths: Transfer-Encoding other than
// one `chunked`, or in HTTP/1.0, or beside Content-Length; Content-Length twice or as a list;
// folded lines; a blank before the colon.
// Order: take() each field line, then one of the two finish functions, then facts().
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "drivers/http1/start_line.h"

namespace sluice::drivers {

inline constexpr size_t kFieldLineMax = 16 * 1024;  // octets of one field line

struct FieldFacts {
  int fields = 0;
  bool has_host = false;
  bool has_transfer_encoding = false;  // then it is `chunked`
  bool says_close = false;
  bool says_keep_alive = false;
  bool expects_continue = false;
  bool expects_else = false;
  std::optional<uint64_t> content_length;
};

class FieldRules {
 public:
  enum class Side { request, response };
  explicit FieldRules(Side side) : side_(side) {}

  std::optional<HeadFault> take(std::string_view line);
  std::optional<HeadFault> finish_request(int minor_version) const;
  std::optional<HeadFault> finish_response(int minor_version, int status) const;
  const FieldFacts& facts() const { return facts_; }
  bool keeps_alive(int minor_version) const;
  void restart() { facts_ = {}; }

 private:
  std::optional<HeadFault> take_host(std::string_view value);
  std::optional<HeadFault> take_content_length(std::string_view value);
  std::optional<HeadFault> take_transfer_encoding(std::string_view value);
  std::optional<HeadFault> check_framing(int minor_version) const;
  void take_connection(std::string_view value);
  void take_expect(std::string_view value);

  const Side side_;
  FieldFacts facts_;
};

// The name of a field line, or nothing if the line is not `token ":" value`.
std::optional<std::string_view> field_name(std::string_view line);

}  // namespace sluice::drivers
